"""Implants, and things on and in a patient that are neither bone nor tissue."""
