"""Thin shells that put OsteoXR into other programs."""
