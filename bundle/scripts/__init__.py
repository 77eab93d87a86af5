"""OsteoXR: osteoporosis screening on hip radiographs, as a MONAI bundle (research use only)."""
