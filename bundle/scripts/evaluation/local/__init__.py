"""A hospital's own calibration: made from its radiographs with DXA, judged by cross-validation, and checked later."""
