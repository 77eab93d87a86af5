"""The fixtures of a screening with stand-ins for files and network."""

from fake_screening import film, provenance, screening

__all__ = ["film", "provenance", "screening"]
