"""Dual-energy X-ray absorptiometry of a phantom femur: mineral along parallel AP rays, averaged over the standard regions.

The femur lies as for a scan, its neck parallel to the table. Regions (Hologic): a femoral-neck box 15 mm wide across the middle
of the neck; the total hip from that box's proximal edge to 10 mm below the lesser trochanter. Precision of repeated scans
(coefficient of variation): femoral neck 1.66%, total hip 0.65%.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_bone import FemurMineral, mineral, places
from scripts.simulation.anatomy.femur_shape import LENGTH_MM
from scripts.simulation.physics.projection import inside_fraction
from scripts.simulation.physics.xray import CORTICAL_MINERAL

_NECK_CV, _TOTAL_CV = 0.0166, 0.0065
_STRENGTHS, _NECKS = (0.15, 2.5), (0.3, 3.0)


@dataclass(frozen=True)
class Reading:
    """Areal bone mineral density in g/cm² at the femoral ``neck`` and the ``total`` hip."""

    neck: float
    total: float


class Scan:
    """A femur on the scanner's table: its geometry is sampled once, and read with as many minerals as are asked for.

    A fracture and a resection are left out of account: the regions are those of the whole bone.
    """

    def __init__(self, femur: Femur, spacing: float = 1.0, step: float = 1.5) -> None:
        """Sample the femur on a grid of ``spacing`` mm in the image and ``step`` mm along the rays."""
        size, device = femur.size, femur.position.device
        low, high = (corner.tolist() for corner in femur.own_box())
        lowest = min(femur.intact_landmarks["lesser_trochanter"][2] + HIP.dxa.total_below_mm / size, LENGTH_MM)
        self._femur, self._step = femur, step
        x = torch.arange(low[0] * size, high[0] * size, spacing, device=device) / size
        z = torch.arange(low[2] * size, (lowest + 2) * size, spacing, device=device) / size
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

        along, up = femur.neck_axes(points[:, :, 0])
        flat_x, flat_z = points[:, :, 0, 0], points[:, :, 0, 2]
        bone = self._inside * step > 0.5
        middle, half = HIP.dxa.neck_middle * femur.neck_length, HIP.dxa.neck_box_mm[1] / 2 / size
        beside = (  # of the trochanter
            (flat_x > -femur.offset * (1 - HIP.dxa.beside_trochanter))
            & (flat_z < femur.drop + HIP.dxa.below_base_mm)
            & (up.abs() < 1.6 * femur.neck_radius)
        )
        self.neck_region = bone & ((along - middle).abs() <= half) & beside
        self.total_region = bone & (along >= middle - half) & (flat_z <= lowest)

    def image(self, bone: FemurMineral) -> torch.Tensor:
        """Return the areal mineral density (rows, columns) in g/cm² if the femur's mineral were ``bone``."""
        thin, dense = mineral(bone, self._places, self._femur.sclerosis)
        thin, dense = self._femur.with_lesions(self._points, thin, dense)
        cortex, interior = (torch.zeros(self._near.shape, device=thin.device) for _ in range(2))
        cortex[self._near], interior[self._near] = thin, dense
        core = inside_fraction(self._start + cortex[..., :-1], self._end + cortex[..., 1:])
        density = (interior[..., :-1] + interior[..., 1:]) / 2
        return ((self._inside - core.sum(-1)) * CORTICAL_MINERAL + (core * density).sum(-1)) * self._step / 10

    def reading(self, bone: FemurMineral) -> Reading:
        """Return what the scanner would report if the femur's mineral were ``bone``."""
        image = self.image(bone)
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
    """Set ``strength`` and ``neck`` of the femur's bone so that ``scan`` reads about ``reading`` (Newton's method).

    The two are kept within the range that bone can have, so an odd pair of numbers may not be met.
    """
    table = Scan(femur, 1.5, 2.0)
    target = np.log([reading.neck, reading.total])

    def error(unknown: np.ndarray) -> np.ndarray:
        found = table.reading(replace(femur.bone, strength=float(np.exp(unknown[0])), neck=float(np.exp(unknown[1]))))
        return np.log([found.neck, found.total]) - target

    low, high = np.log([_STRENGTHS[0], _NECKS[0]]), np.log([_STRENGTHS[1], _NECKS[1]])
    unknown = np.clip(np.array([target[1], 0.0]), low, high)
    now = error(unknown)
    slope = np.stack([(error(unknown + shift) - now) / 0.05 for shift in np.eye(2) * 0.05], axis=1)
    for _ in range(6):
        move = np.clip(unknown - np.linalg.lstsq(slope, now, rcond=0.02)[0], low, high) - unknown
        if np.abs(now).max() < 0.002 or not move.any():
            break
        unknown = unknown + move
        before, now = now, error(unknown)
        slope = slope + np.outer(now - before - slope @ move, move) / (move @ move)
    strength, neck = (float(v) for v in np.exp(unknown))
    return replace(femur, bone=replace(femur.bone, strength=strength, neck=neck))
