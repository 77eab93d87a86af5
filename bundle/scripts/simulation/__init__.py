"""Simulated radiographs of the hips with known truth: anatomy, projection, X-ray physics, DXA, cohorts."""
