"""The radiomics of a folder's hips, and how stable each feature is."""
