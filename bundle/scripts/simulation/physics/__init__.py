"""Rays through solids, X-ray physics, and the processing that makes a radiograph of a signal."""
