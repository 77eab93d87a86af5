"""Bone cement beside an artificial hip joint: as bright as thin metal, but no part of it."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage.measure import CircleModel, ransac
from skimage.segmentation import watershed

JOINT_PX: Final = 40
"""12 mm at 0.3 mm: metal that is as far inside its outline is a head or a cup; no nail, plate or bundle of screws is as thick."""

_MARGIN_PX: Final = 40
_JOINT_REACH_PX: Final = 165  # 50 mm from the thickest place, which is in head or cup: what lies further is the stem

_FLAT: Final = 0.01  # of the radiograph's range in a pixel: noise and the course of a stem, no edge
_PLUG_PX: Final = 300  # 27 mm²
_DARKER: Final = 0.03  # of the radiograph's range, at least, between a stem and the plug below it
_WIDER: Final = 1.1  # times the stem's width above it: a stem grows narrower downwards, a plug fills the canal
_TIP_PX: Final = 40
_CEMENTED_PX: Final = 0.7
"""Thickness that an outline loses along a cemented stem, on average; along others it is 0.1 to 0.6 (simulated radiographs)."""

_RIM_PX: Final = (3, 8)  # how deep in a cup the wire at its mouth lies
_BESIDE_WIRE_PX: Final = 11
_WIRE: Final = 0.2  # of the metal's contrast, between the wire and the polyethylene beside it; a titanium shell has 0.15 at most
_WIRE_LENGTH_PX: Final = 25  # wires of simulated cups: 30 and more; other cups: 17 at most
_CUP_PX: Final = (50, 150)  # radius, 15 to 45 mm
_CIRCLE_PX: Final = 2.0
_ROUND_PX: Final = 6.0  # from the circle to a cup's uneven outline
_GAP_DEG: Final = 5
_MANTLE_PX: Final = 14  # 4 mm: the thickest mantle of cement
_AROUND_PX: Final = 10


def remove_cement(image: NDArray[np.float32], prosthesis: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take the cement out of the outline of one artificial hip joint.

    A stem is evenly bright. What its outline holds beyond the edge of that even part is cement: a mantle beside the stem, or a
    plug below its tip. A cup of polyethylene is known by the wire round its mouth. Its outer wall is the inner wall of its mantle
    of cement, which is where the mantle's shadow is densest, as in any tube.

    Args:
        image: (rows, cols), normalised radiograph at 0.3 mm, larger = denser.
        prosthesis: (rows, cols), true in the outline of one joint with its cement; as a result of
            `scripts.measurement.metal.trace_metal`.

    Returns:
        (rows, cols) bool: metal alone, with the parts of a polyethylene cup that the outline had missed.
    """
    rows, cols = (np.flatnonzero(prosthesis.any(axis=axis)) for axis in (1, 0))
    box = tuple(slice(max(line[0] - _MARGIN_PX, 0), line[-1] + _MARGIN_PX + 1) for line in (rows, cols))
    part, outline = image[box], prosthesis[box]
    thickness = measure_thickness(outline)
    if thickness.max() < JOINT_PX:
        return prosthesis
    middle = np.unravel_index(thickness.argmax(), part.shape)
    joint = np.hypot(*_offsets(part.shape, middle)) <= _JOINT_REACH_PX
    depth = ndimage.distance_transform_edt(ndimage.binary_fill_holes(outline))
    metal = np.zeros_like(prosthesis)
    metal[box] = _bare_cup(part, _bare_stem(part, outline, joint), depth, joint)
    return metal


def measure_thickness(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Measure how far each pixel of a mask (rows, cols) lies inside it, in pixels. The mask ends at the radiograph's edge."""
    return np.asarray(ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1])


def _bare_stem(image: NDArray[np.float32], outline: NDArray[np.bool_], joint: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The outline without the cement of the stem, which is all that lies beyond the ``joint``."""
    inside = ndimage.distance_transform_edt(outline)
    slope = ndimage.gaussian_gradient_magnitude(image, 2.0)
    even, count = ndimage.label((slope < _FLAT) & (inside > 2) & ~joint)
    if not count:
        return outline
    pieces = np.arange(1, count + 1)
    area, level = ndimage.sum_labels(even > 0, even, pieces), ndimage.mean(image, even, pieces)
    largest = int(area.argmax())
    stem = even == pieces[largest]
    seeds = np.where(outline, joint, 2).astype(np.int32)
    seeds[stem] = 1
    for piece in pieces[(area >= _PLUG_PX) & (level < level[largest] - _DARKER)]:
        plug = even == piece
        above = stem & (ndimage.distance_transform_edt(~plug) <= _TIP_PX)
        if not above.any() or inside[plug].max() > _WIDER * inside[above].max():
            seeds[plug] = 2
    bare = outline & (watershed(ndimage.gaussian_gradient_magnitude(image, 1.0), seeds) == 1)
    edge = np.count_nonzero((inside > 0) & (inside <= 1) & ~joint)
    return bare if np.count_nonzero(outline & ~bare) > _CEMENTED_PX * edge else outline


def _bare_cup(
    image: NDArray[np.float32], outline: NDArray[np.bool_], depth: NDArray[np.floating], joint: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """The outline without the cement of a cup of polyethylene, if the joint has one; ``depth`` is of the filled outline."""
    filled = (depth > 0) & joint
    if not _has_wire(image, outline, depth, joint):
        return outline
    edge = np.argwhere(filled & (depth <= 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there is no circle
        circle, _ = ransac(edge, CircleModel, min_samples=3, residual_threshold=_CIRCLE_PX, max_trials=300, rng=0)
    if circle is None or not _CUP_PX[0] <= circle.radius <= _CUP_PX[1]:
        return outline
    offsets = _offsets(image.shape, circle.center)
    away, degree = np.hypot(*offsets), np.degrees(np.arctan2(*offsets)).astype(int) % 360
    outermost = ndimage.maximum(np.where(filled, away, 0.0), degree, np.arange(360))
    cup = _longest_arc(np.abs(outermost - circle.radius) <= _ROUND_PX)[degree] & joint

    ring = np.where(cup, np.round(away - circle.radius), -np.inf)
    rings = np.intersect1d(np.arange(-_MANTLE_PX, _AROUND_PX + 1), ring)
    profile = ndimage.gaussian_filter1d(ndimage.mean(image, ring, rings), 1.0)[rings < 0]
    if not profile.size or profile.argmax() == 0:  # no mantle is seen
        return outline
    wall = circle.radius + rings[profile.argmax()]
    return (outline & ~(cup & (away > wall))) | (cup & (away <= wall) & (away > circle.radius / 2))


def _has_wire(
    image: NDArray[np.float32], outline: NDArray[np.bool_], depth: NDArray[np.floating], joint: NDArray[np.bool_]
) -> bool:
    """Whether a bright line, with something much darker deeper inside, runs along the edge of a joint."""
    smooth = ndimage.gaussian_filter(image, 2.0)
    inward = np.stack(np.gradient(ndimage.gaussian_filter(depth, 2.0)))
    inward /= np.linalg.norm(inward, axis=0).clip(1e-3)
    beyond = np.indices(image.shape) + _BESIDE_WIRE_PX * inward
    deeper = ndimage.map_coordinates(depth, beyond, order=1, mode="nearest") - depth > 0.7 * _BESIDE_WIRE_PX
    drop = smooth - ndimage.map_coordinates(smooth, beyond, order=1, mode="nearest")
    around = joint & (depth == 0) & (ndimage.distance_transform_edt(depth == 0) < 20)
    if not around.any():
        return False
    contrast = np.percentile(image[outline & joint], 95) - np.percentile(image[around], 25)
    rim = joint & (depth >= _RIM_PX[0]) & (depth <= _RIM_PX[1])
    wire = ndimage.binary_opening(rim & deeper & (drop > _WIRE * contrast))
    return bool(np.count_nonzero(wire) >= _WIRE_LENGTH_PX * (_RIM_PX[1] - _RIM_PX[0]))


def _longest_arc(there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The longest run in (360,) degrees of a circle, small gaps closed; all false where there is none."""
    runs, count = ndimage.label(ndimage.binary_closing(np.tile(there, 3), iterations=_GAP_DEG))
    longest = runs == (np.bincount(runs)[1:].argmax() + 1 if count else -1)
    return np.asarray(longest.reshape(3, 360).any(axis=0))


def _offsets(shape: tuple[int, ...], centre: ArrayLike) -> NDArray[np.float64]:
    """Rows and columns of all pixels (2, rows, cols) from a centre (row, col)."""
    return np.indices(shape, dtype=np.float64) - np.reshape(centre, (2, 1, 1))
