"""The hospital's servers: radiographs come from its PACS, and results go there and to its FHIR server."""
