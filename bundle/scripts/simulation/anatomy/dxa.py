"""Dual-energy X-ray absorptiometry of a phantom femur: mineral along parallel AP rays, averaged over the standard regions.

The femur lies as for a scan, its neck parallel to the table. Regions (Hologic): a femoral-neck box 15 mm wide across the middle
of the neck; the total hip from that box's proximal edge to 10 mm below the lesser trochanter. Precision of repeated scans
(coefficient of variation): femoral neck 1.66%, total hip 0.65%.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_bone import FemurMineral, mineral, places
from scripts.simulation.anatomy.femur_shape import LENGTH_MM
from scripts.simulation.physics.projection import inside_fraction

_NECK_CV, _TOTAL_CV = 0.0166, 0.0065
YOUNG_TOTAL_HIP = 0.95
"""Total-hip aBMD at a ``strength`` of 1, about, g/cm²."""
_STRENGTHS, _AMOUNTS, _NECKS = (0.15, 2.5), (0.3, 3.0), (0.25, 4.0)


@dataclass(frozen=True)
class Reading:
    """Areal bone mineral density in g/cm² at the femoral ``neck`` and the ``total`` hip."""

    neck: float
    total: float


@dataclass(frozen=True)
class Parts:
    """What of a reading lies in the ``cortex`` and what in the ``spongy`` bone within it."""

    cortex: Reading
    spongy: Reading

    def reading(self, cortex: float = 1.0, spongy: float = 1.0) -> Reading:
        """Return what is read if each compartment's mineral is multiplied by so much."""
        return Reading(
            self.cortex.neck * cortex + self.spongy.neck * spongy, self.cortex.total * cortex + self.spongy.total * spongy
        )


def regions(femur: Femur, points: Tensor) -> tuple[Tensor, Tensor]:
    """Where points (..., 3) of an unbroken femur's own frame (mm before ``size``; y plays no part) lie in DXA's regions: bool
    images (...) of the femoral neck's box and the total hip's, both beyond the bone too."""
    size = femur.size
    along, up = femur.neck_axes(points)
    x, z = points[..., 0], points[..., 2]
    middle, half = HIP.dxa.neck_middle * femur.neck_length, HIP.dxa.neck_box_mm[1] / 2 / size
    beside = (  # of the trochanter
        (x > -femur.offset * (1 - HIP.dxa.beside_trochanter))
        & (z < femur.drop + HIP.dxa.below_base_mm)
        & (up.abs() < 1.6 * femur.neck_radius)
    )
    return ((along - middle).abs() <= half) & beside, (along >= middle - half) & (z <= lowest(femur))


def lowest(femur: Femur) -> float:
    """Where the total hip's region ends, mm before ``size`` below the head's centre."""
    return min(femur.intact_landmarks["lesser_trochanter"][2] + HIP.dxa.total_below_mm / femur.size, LENGTH_MM)


class Scan:
    """A femur on the scanner's table: its geometry is sampled once, and read with as many minerals as are asked for.

    A fracture and a resection are left out of account: the regions are those of the whole bone.
    """

    def __init__(self, femur: Femur, spacing: float = 1.0, step: float = 1.5) -> None:
        """Sample the femur on a grid of ``spacing`` mm in the image and ``step`` mm along the rays."""
        size, device = femur.size, femur.position.device
        low, high = (corner.tolist() for corner in femur.own_box())
        self._femur, self._step = femur, step
        x = torch.arange(low[0] * size, high[0] * size, spacing, device=device) / size
        z = torch.arange(low[2] * size, (lowest(femur) + 2) * size, spacing, device=device) / size
        y = torch.arange(low[1] * size, high[1] * size, step, device=device) / size
        points = torch.stack(torch.meshgrid(z, x, y, indexing="ij")[::-1], dim=-1)[..., [1, 0, 2]]
        bent = femur.bent(points)
        distance = femur.outline(bent)
        self._start, self._end = distance[..., :-1] * size, distance[..., 1:] * size
        inside = inside_fraction(self._start, self._end)
        self._inside = inside.sum(-1)
        self._near = distance < 1.5 * step / size
        self._points = points[self._near]
        self._places = places(femur, bent[self._near], distance[self._near])

        bone = self._inside * step > 0.5
        self.neck_region, self.total_region = (bone & region for region in regions(femur, points[:, :, 0]))

    def images(self, bone: FemurMineral) -> tuple[Tensor, Tensor]:
        """Return the areal mineral density (rows, columns) in g/cm² of the cortex and of the spongy bone if the femur's mineral
        were ``bone``."""
        thin, dense = mineral(bone, self._places, self._femur.sclerosis)
        thin, dense = self._femur.with_lesions(self._points, thin, dense)
        cortex, interior = (torch.zeros(self._near.shape, device=thin.device) for _ in range(2))
        cortex[self._near], interior[self._near] = thin, dense
        core = inside_fraction(self._start + cortex[..., :-1], self._end + cortex[..., 1:])
        density = (interior[..., :-1] + interior[..., 1:]) / 2
        shell = (self._inside - core.sum(-1)) * bone.cortical_density
        return shell * self._step / 10, (core * density).sum(-1) * self._step / 10

    def parts(self, bone: FemurMineral) -> Parts:
        """Return what the scanner would report of each compartment if the femur's mineral were ``bone``."""
        return Parts(*(self._read(image) for image in self.images(bone)))

    def reading(self, bone: FemurMineral) -> Reading:
        """Return what the scanner would report if the femur's mineral were ``bone``."""
        return self.parts(bone).reading()

    def _read(self, image: Tensor) -> Reading:
        return Reading(float(image[self.neck_region].mean()), float(image[self.total_region].mean()))


def scan(femur: Femur, spacing: float = 1.0, step: float = 1.5) -> Reading:
    """Measure a femur as a DXA scanner would, without noise.

    Args:
        femur: its shape and mineral; its pose, a fracture and a resection have no effect.
        spacing: pixel spacing of the scan in mm.
        step: sampling along the rays in mm.
    """
    return Scan(femur, spacing, step).reading(femur.bone)


def with_scan_error(reading: Reading, rng: np.random.Generator) -> Reading:
    """Return ``reading`` as one scan would have measured it: with the short-term precision error of DXA."""
    neck, total = 1 + rng.normal(size=2) * (_NECK_CV, _TOTAL_CV)
    return Reading(float(reading.neck * neck), float(reading.total * total))


def mineralised(femur: Femur, reading: Reading) -> Femur:
    """Set the femur's mineral so that ``scan`` reads about ``reading``.

    Its ``strength`` follows from the total hip; what the compartments were drawn to be is kept but for one factor on thickness of
    the cortex and density of the spongy bone, which is found together with ``neck`` (least squares). Both are kept within the
    range that bone can have, so an odd pair of numbers may not be met.
    """
    table = Scan(femur, 1.5, 2.0)
    target = np.log([reading.neck, reading.total])
    bone = replace(femur.bone, strength=float(np.clip(reading.total / YOUNG_TOTAL_HIP, *_STRENGTHS)))

    def of(unknown: np.ndarray) -> FemurMineral:
        amount, neck = unknown.tolist()
        return replace(bone.thicker(amount).denser(trabecular=amount), neck=neck)

    def error(unknown: np.ndarray) -> np.ndarray:
        found = table.reading(of(unknown))
        return np.log([found.neck, found.total]) - target

    # Differences over 3%: the outline is sampled, so that the finest ones are noise.
    solved = least_squares(
        error, (1.0, 1.0), bounds=tuple(zip(_AMOUNTS, _NECKS, strict=True)), diff_step=0.03, xtol=1e-3, ftol=1e-5, gtol=1e-4,
        max_nfev=12,
    )  # fmt: skip
    return replace(femur, bone=of(solved.x))
