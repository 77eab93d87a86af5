"""What is known of a radiograph besides the cascade's channels: its header, its manifest and statistics of its picture."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.clinical.laterality import SideMarker


@dataclass(frozen=True)
class Exposure:
    """How well a proximal femur is exposed, on the radiograph as the networks see it.

    Args:
        black: share of the femur, 0..1, that is one flat dark tone: burnt out, or cut off by the display window.
        white: share, 0..1, that is one flat light tone.
        contrast: from the 5th to the 95th percentile of the femur, in units of the exposed field's range.
        noise: standard deviation of the noise at 0.3 mm, as a share of `contrast`.
        edge: by how much the rim of the femur is denser than the tissue beside it, as a share of `contrast`; below 0 on a
            negative.
    """

    black: float
    white: float
    contrast: float
    noise: float
    edge: float


@dataclass(frozen=True)
class RadiographFacts:
    """What header, manifest and picture say of a radiograph.

    Args:
        age_years: None where unknown.
        sex: "F", "M", or None where unknown.
        view: "AP", another projection, or "" where unknown.
        laterality: "R", "L", "B" (both) or "" where unknown.
        assumptions: sentences on what the reader had to assume.
        exposures: of the right and the left proximal femur; None where none was outlined.
        markers: burned-in side markers, as the film is displayed.
        head_diameters_mm: of the right and the left femoral head by the radiograph's pixel size; None where not outlined.
    """

    age_years: float | None = None
    sex: str | None = None
    view: str = ""
    laterality: str = ""
    assumptions: tuple[str, ...] = ()
    markers: tuple[SideMarker, ...] = ()
    exposures: tuple[Exposure | None, Exposure | None] = (None, None)
    head_diameters_mm: tuple[float | None, float | None] = (None, None)
