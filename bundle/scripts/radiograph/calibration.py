"""Finding the metal ball of known size that hospitals lay beside a hip, level with the bone, to measure the magnification."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import CircleModel

from scripts.clinical.anatomy import NETWORK_SPACING_MM
from scripts.radiograph.transforms import resample_to_spacing

BALL_SPACING_SD: Final = 0.01
"""Relative, of a spacing measured with a ball of known size."""

_SHARE: Final = (0.05, 0.14)
"""A ball's diameter over the radiograph's longer side: 25-30 mm on radiographs of 215-500 mm."""
_SAMPLES: Final = 640  # pixels of the longer side in the search
_LEVELS: Final = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.05)
"""Of the normalised radiograph, above which a ball may stand alone."""
_RAYS: Final = 96
_SHARP: Final = 0.12  # of the radius: the most that an edge may be blurred or displaced
_CONTRAST: Final = 0.12  # of the normalised radiograph, across the edge
_RIM: Final = 0.25  # of the contrast at the edge
_SEEN: Final = 0.97  # of the rays must meet a good edge
_ROUND: Final = 0.02  # of the radius: SD of the edge about its circle


@dataclass(frozen=True)
class Ball:
    """The shadow of a metal ball.

    Args:
        centre: (row, col), pixels.
        diameter: pixels.
    """

    centre: tuple[float, float]
    diameter: float


class CalibrateRadiographd(MapTransform):
    """Gives a radiograph without pixel size its scale, if a calibration ball is on it; others pass unchanged.

    Sets in meta: `spacing_mm`, `resample_scale` and `affine` as `ResampleRadiographd` does, `spacing_source` "calibration",
    `spacing_sd` `BALL_SPACING_SD`, and an assumption.

    Args:
        keys: of images (1, H, W) of `NormaliseRadiographd`.
        ball_mm: diameter of the ball that the hospital uses.
        spacing_mm: the wanted pixel size in the patient, mm.
    """

    def __init__(
        self,
        keys: KeysCollection,
        ball_mm: float = 25.0,
        spacing_mm: float = NETWORK_SPACING_MM,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if not 10 <= ball_mm <= 60:
            raise ValueError(f"ball_mm is {ball_mm}, expected the diameter of a calibration ball, 10 to 60 mm.")
        self.ball_mm = ball_mm
        self.spacing_mm = spacing_mm

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Scale the image of each key."""
        item = dict(data)
        for key in self.key_iterator(item):
            image = item[key]
            ball = find_ball(image[0].numpy()) if image.meta["spacing_mm"] is None else None
            if ball is not None:
                pixel = self.ball_mm / ball.diameter
                image = resample_to_spacing(image, (pixel, pixel), self.spacing_mm)
                image.meta["spacing_source"] = "calibration"
                image.meta["spacing_sd"] = BALL_SPACING_SD
                image.meta["assumptions"] = [
                    *image.meta["assumptions"],
                    f"The file gives no pixel size: it was measured on the ball beside the hips, assumed {self.ball_mm:g} mm "
                    "wide and level with them.",
                ]
                item[key] = image
        return item


def find_ball(image: NDArray[Any]) -> Ball | None:
    """Find a calibration ball: a bright disc with a sharp edge, round to 2%, whole and alone.

    Other round metal fails one of these: screw heads and buttons are smaller, coins are oval or flat, and the head of a
    prosthesis is joined to its stem.

    Args:
        image: (rows, cols), normalised so that 0 and 1 are the 1st and 99th percentile; larger = denser; square pixels.

    Returns:
        The ball, or None where there is no such disc, or there are several of different sizes.
    """
    step = max(1, round(max(image.shape) / _SAMPLES))
    coarse = image[: image.shape[0] // step * step, : image.shape[1] // step * step].astype(np.float32)
    coarse = coarse.reshape(coarse.shape[0] // step, step, -1, step).mean(axis=(1, 3))
    balls: list[Ball] = []
    for row, col, radius in _discs(coarse):
        ball = _measured(image, (row + 0.5) * step - 0.5, (col + 0.5) * step - 0.5, radius * step)
        if ball is not None:
            balls.append(ball)
    if not balls or np.ptp([ball.diameter for ball in balls]) > 0.02 * balls[0].diameter:
        return None
    return balls[0]


def _discs(image: NDArray[np.float32]) -> list[tuple[float, float, float]]:
    """Bright pieces as round as a disc: centre (row, col) and radius, in pixels."""
    low, high = (share * max(image.shape) for share in _SHARE)
    discs = []
    for level in _LEVELS:
        regions, _ = ndimage.label(image > level)
        for index, box in enumerate(ndimage.find_objects(regions), start=1):
            height, width = (side.stop - side.start for side in box)
            if not (low <= height <= high and low <= width <= high and abs(height - width) <= 0.1 * height + 1):
                continue
            inside = ndimage.binary_fill_holes(regions[box] == index)
            area, radius = inside.sum(), (height + width) / 4
            if abs(area / (np.pi * radius**2) - 1) < 0.1:
                row, col = ndimage.center_of_mass(inside)
                discs.append((row + box[0].start, col + box[1].start, float(np.sqrt(area / np.pi))))
    return discs


def _measured(image: NDArray[Any], row: float, col: float, radius: float) -> Ball | None:
    """Fit a circle to the edge on rays from a rough centre; None where it is no sharp, round edge of a bright disc."""
    angles = np.arange(_RAYS) * (2 * np.pi / _RAYS)
    for _ in range(2):  # from the better centre again
        reach = np.arange(0.75 * radius, 1.25 * radius, 0.25)
        rows, cols = (centre + wave(angles)[:, None] * reach for centre, wave in ((row, np.sin), (col, np.cos)))
        if rows.min() < 0 or cols.min() < 0 or rows.max() > image.shape[0] - 1 or cols.max() > image.shape[1] - 1:
            return None
        profiles = ndimage.map_coordinates(image.astype(np.float32, copy=False), [rows, cols], order=1)
        edge, contrast, blur = _edges(profiles, reach)
        good = (contrast > _CONTRAST) & (blur < max(_SHARP * radius, 2.0)) & (np.abs(edge - np.median(edge)) < _SHARP * radius)
        if good.mean() < _SEEN:
            return None
        outline = np.stack([row + edge[good] * np.sin(angles[good]), col + edge[good] * np.cos(angles[good])], axis=1)
        circle = CircleModel.from_estimate(outline)
        (row, col), radius = circle.center.tolist(), float(circle.radius)
    if np.std(circle.residuals(outline)) > _ROUND * radius:
        return None
    return Ball((row, col), 2 * radius)


def _edges(profiles: NDArray[Any], reach: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Where each ray (rays, steps) leaves the ball, by how much it falls there, and over what distance.

    A ball is thin at its rim, so its shadow falls to `_RIM` of its height only there, not to a half.
    """
    smooth = ndimage.gaussian_filter1d(profiles, 1, axis=1)
    steepest = np.clip(np.argmin(np.diff(smooth, axis=1), axis=1), 8, len(reach) - 9)
    rays = np.arange(len(profiles))
    inside, outside = smooth[rays, steepest - 8], smooth[rays, steepest + 8]
    contrast = inside - outside
    near = smooth[rays[:, None], steepest[:, None] + np.arange(-8, 9)]
    share = (near - outside[:, None]) / np.maximum(contrast, 1e-6)[:, None]
    step = reach[1] - reach[0]
    first = np.argmax(share < _RIM, axis=1).clip(1)
    above, below = share[rays, first - 1], share[rays, first]
    part = (above - _RIM) / np.maximum(above - below, 1e-6)
    edge = reach[steepest - 8] + (first - 1 + part.clip(0, 1)) * step
    blur = ((share > 0.15) & (share < 0.85)).sum(axis=1) * step
    return edge, contrast, blur
