"""The hospital's PACS: what was written for it is sent to it."""
