"""The package of the application (MAP): what an image is built from, for processors alone and for GPUs."""
