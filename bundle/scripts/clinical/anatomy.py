"""The bones that are looked at: their sides, sites, landmarks, mask classes, canonical shape and DXA regions.

Nothing else in the bundle holds an index, a name or a measure of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

COVARIATES: Final = ("age_years", "sex", "weight_kg", "height_cm")
"""What is known of the patient, in the order that networks take it; sex is 0 for female and 1 for male, NaN is unknown."""

NETWORK_SPACING_MM: Final = 0.3
"""Pixel size, in the patient, of the image that the networks see."""


@dataclass(frozen=True)
class DxaRegions:
    """Where a DXA scan of a hip averages the mineral, in mm (Hologic's definition).

    neck_box_mm: of the femoral-neck box, across and along the neck.
    neck_middle: where its middle lies, as a share of the way from the head's centre to the base of the neck.
    beside_trochanter: how far medial of the shaft's axis the box ends, as a share of the shaft's distance from the head.
    below_base_mm: how far below the base of the neck it may reach.
    total_below_mm: where the total hip, which begins with the neck box, ends below the tip of the lesser trochanter.
    """

    neck_box_mm: tuple[float, float] = (49.0, 15.0)
    neck_middle: float = 0.52
    beside_trochanter: float = 0.05
    below_base_mm: float = 12.0
    total_below_mm: float = 10.0


@dataclass(frozen=True)
class BoneSystem:
    """One system of bones, as a radiograph shows it.

    name: of the system.
    sides: the bones, in their order everywhere.
    sites, site_names: where DXA measures each of them, and how people call that.
    landmarks: points that locate one bone, in their order everywhere.
    locating: how many of them, the first ones, must be seen for a bone to be measured.
    classes: of a mask, by value; 0 is the background, 1 the bone.
    template_mm: the landmarks of an average first bone in neutral pose, (row, col) in mm from the first landmark, as displayed.
        It only fixes the canonical pose: any bone is brought to it by a similarity.
    dxa: the regions of its DXA scan.

    Example:
        >>> HIP.landmark("shaft"), HIP.side("left"), HIP.value("prosthesis")
        (4, 1, 2)
    """

    name: str
    sides: tuple[str, ...]
    sites: tuple[str, ...]
    site_names: Mapping[str, str]
    landmarks: tuple[str, ...]
    locating: int
    classes: tuple[str, ...]
    template_mm: Mapping[str, tuple[float, float]]
    dxa: DxaRegions

    def side(self, name: str) -> int:
        """Index of a side."""
        return self.sides.index(name)

    def landmark(self, name: str) -> int:
        """Index of a landmark."""
        return self.landmarks.index(name)

    def value(self, name: str) -> int:
        """Value of a class in a mask."""
        return self.classes.index(name)


HIP: Final = BoneSystem(
    name="hip",
    sides=("right", "left"),  # the patient's right hip, at the viewer's left, comes first
    sites=("neck", "total"),
    site_names=MappingProxyType({"neck": "femoral neck", "total": "total hip"}),
    # Centre of the femoral head; where the neck's axis meets the shaft's; tips of both trochanters; centre of the shaft 40 mm
    # below the lesser trochanter.
    landmarks=("head_centre", "neck_base", "greater_trochanter", "lesser_trochanter", "shaft"),
    locating=4,  # all but the shaft's: DXA's total hip ends above it, and many radiographs do too
    classes=("background", "femur", "prosthesis", "fixation"),
    template_mm=MappingProxyType(
        {
            "head_centre": (0.0, 0.0),
            "neck_base": (32.0, -38.0),
            "greater_trochanter": (2.0, -55.0),
            "lesser_trochanter": (58.0, -25.0),
            "shaft": (98.0, -40.0),
        }
    ),
    dxa=DxaRegions(),
)
"""Both proximal femurs, as an AP radiograph of the pelvis or of one hip shows them."""
