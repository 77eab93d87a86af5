"""Rays through solids, X-ray physics, and the processing that makes a film of a signal."""
