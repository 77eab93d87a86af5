"""What is measured on a femur that was found: contours, axes, regions, morphometry, Singh-like grade, exposure, metal."""
