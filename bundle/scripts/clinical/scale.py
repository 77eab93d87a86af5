"""Whether a film's pixel size can be true, by the size that it gives the femoral heads."""

from __future__ import annotations

from typing import Final

from scripts.clinical.outcomes import Code, Reason

MEAN_HEAD_MM: Final = 45.9
"""Diameter of the femoral head, mean of women (43.3) and men (48.5)."""


def wrong_scale(head_mm: float | None, deviation_at_most: float) -> Reason | None:
    """Why a radiograph's lengths are not believed, or None.

    Args:
        head_mm: mean diameter of the femoral heads as measured, None where it could not be.
        deviation_at_most: from `MEAN_HEAD_MM`, relative, such as 0.25.
    """
    if head_mm is None or abs(head_mm / MEAN_HEAD_MM - 1) <= deviation_at_most:
        return None
    low, high = (MEAN_HEAD_MM * (1 + sign * deviation_at_most) for sign in (-1, 1))
    return Reason(
        Code.WRONG_SCALE,
        f"By the file's pixel size the femoral head is {head_mm:.0f} mm wide, expected {low:.0f} to {high:.0f} mm: the pixel "
        "size is wrong, so nothing was measured. Export the original DICOM with its Pixel Spacing or Imager Pixel Spacing.",
    )
