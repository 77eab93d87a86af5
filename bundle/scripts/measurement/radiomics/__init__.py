"""Radiomics: numbers for the form and the texture of a region, as the Image Biomarker Standardisation Initiative defines them.

Example:
    >>> import torch
    >>> image = torch.arange(600.0).view(20, 30) % 7
    >>> region = torch.ones(20, 30, dtype=torch.bool)
    >>> (found,) = extract([image], [region], spacing_mm=(0.3, 0.3))
    >>> len(NAMES), round(found[NAMES.index("shape.perimeter")].item(), 2)
    (330, 29.65)
"""

from scripts.measurement.radiomics.extract import NAMES, extract

__all__ = ["NAMES", "extract"]
