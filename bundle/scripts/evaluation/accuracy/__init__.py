"""How well contours, landmarks, density and classes agree with a known truth."""
