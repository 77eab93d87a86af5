"""OsteoXR in MONAI Label: contours for a radiologist to correct in 3D Slicer, and fine-tuning on what was corrected.

It runs in an environment of its own, which `make label` sets up; the rest of the bundle does not import it.
"""
