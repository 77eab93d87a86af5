"""Results with stand-ins for files and network, and a browser."""

from fake_screening import provenance
from real_browser import browser

__all__ = ["browser", "provenance"]
