"""Where the metal of a hip really ends: outlines of implants, brought to their edges on the radiograph."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

_CORE_PX: Final = 2  # so far inside a rough outline lies metal for certain
_LEAST_CORE_PX: Final = 1000  # 0.9 cm²: less is no implant
_RING_PX: Final = (2, 20)  # from the core: the tissue beside the metal
_LEAST_CONTRAST: Final = 0.04  # of the radiograph's range, between metal and tissue: more than noise
_LEAST_LEVEL: Final = 0.3  # of the radiograph's range: metal is brighter than muscle everywhere
_DARK_PERCENT: Final = 75
_NEIGHBOURHOOD_PX: Final = 12.0  # SD of the weights with which levels are averaged, 3.6 mm
_TISSUE: Final = 0.5  # of the way from the tissue's level to the metal's: darker is no metal
_AS_BRIGHT: Final = 0.75  # what the rough outline has missed by far must be nearly as bright as the metal is
_FAR_PX: Final = 3
_MANTLE_PX: Final = 20  # 6 mm: the cement round a cup is thinner, a part of an implant that was missed is not
_FLAT: Final = 4.0  # times the square of its thickness: the area of a layer; a missed tip has less
_REACH_PX: Final = 400  # 120 mm: the length of a stem
_ALONG_PX: Final = 200  # 60 mm: no head is as wide
_EDGE: Final = 0.3
"""The level, as `_TISSUE`, of the true edge. A radiograph shows logarithms, but is blurred before they are taken: on the edge
half the metal's shadow lies, whose logarithm is ln 2 of the tissue's, less than half of what any implant takes away."""


def trace_metal(image: NDArray[np.float32], metal: NDArray[np.bool_], frames: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Bring a rough outline of metal to its edges on the radiograph, by a watershed between its core and the tissue beside it.

    Parts that the outline has missed are added where the radiograph goes on as bright and without an edge. A thin layer beside
    the outline is not added: that is cement. Pieces that lie on a white frame, are dark, or are no brighter than their
    surroundings are taken away.

    Args:
        image: (rows, cols), normalised radiograph at 0.3 mm, larger = denser.
        metal: (rows, cols), true in the rough outline.
        frames: (rows, cols), true on the radiograph's white frames, see `scripts.radiograph.exposure.find_white_frames`.

    Returns:
        (rows, cols) bool. ``metal`` itself where it is too small to be an implant. Only the pieces that were kept where they have
        too little contrast for an edge.
    """
    if np.count_nonzero(metal) < _LEAST_CORE_PX:
        return metal
    metal = _brighter(image, metal & ~frames)
    core = ndimage.distance_transform_edt(metal) > _CORE_PX
    if np.count_nonzero(core) < _LEAST_CORE_PX:
        return metal
    rows, cols = (np.flatnonzero(metal.any(axis=axis)) for axis in (1, 0))
    box = tuple(slice(max(line[0] - _REACH_PX, 0), line[-1] + _REACH_PX + 1) for line in (rows, cols))
    part, core, frames = image[box], core[box], frames[box]
    away, nearest = ndimage.distance_transform_edt(~core, return_indices=True)
    level, _ = _average(part, core)
    brighter, weight = _average(part, core & (part >= level))  # what was outlined too far takes no part
    level = np.where(weight > 0, brighter, level)[tuple(nearest)]
    ring = (away > _CORE_PX + _RING_PX[0]) & (away <= _CORE_PX + _RING_PX[1])
    if not ring.any():
        return metal
    contrast = float(np.percentile((level - part)[ring], _DARK_PERCENT))  # some of the ring may be missed metal
    beside, weight = _average(part, ring & (part < level - contrast / 3))
    if contrast < _LEAST_CONTRAST or not (weight > 0).any():
        return metal
    beside = beside[tuple(ndimage.distance_transform_edt(weight <= 0, return_distances=False, return_indices=True))]
    share = (part - beside) / (level - beside).clip(_LEAST_CONTRAST)

    seeds = np.zeros(part.shape, np.int32)
    seeds[core & (share > _TISSUE)] = 1
    seeds[~core & (share < _TISSUE)] = 2
    bright = beside + _AS_BRIGHT * (np.median(part[core]) - beside).clip(_LEAST_CONTRAST)
    seeds[(away > _CORE_PX + _FAR_PX) & ((share < _AS_BRIGHT) | (part < bright))] = 2
    seeds[(away > _CORE_PX + _REACH_PX) | frames] = 2
    found = watershed(ndimage.gaussian_gradient_magnitude(part, 1.0), seeds) == 1
    found |= ndimage.binary_dilation(found) & (share > _EDGE) & ~frames
    found &= ~_mantle(found & ~metal[box], ndimage.distance_transform_edt(~metal[box]))
    sharp = np.zeros_like(metal)
    sharp[box] = found
    return sharp & ~_along_edges(sharp & ~metal)


def _mantle(grown: NDArray[np.bool_], away: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Those pieces of what was joined that are a layer beside the rough outline, ``away`` pixels from it, with their rims."""
    pieces, count = ndimage.label(grown & (away > _FAR_PX))
    reach = np.append(np.inf, ndimage.maximum(away, pieces, np.arange(1, count + 1)))
    layer = ((reach < _MANTLE_PX) & (np.bincount(pieces.ravel()) > _FLAT * reach**2))[pieces]
    if not layer.any():
        return layer
    return grown & (ndimage.distance_transform_edt(~layer) <= _MANTLE_PX)


def _average(image: NDArray[np.float32], where: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The average of the values near every pixel, and the weight of those there are, 0 where there are next to none."""
    weight = ndimage.gaussian_filter(where.astype(np.float32), _NEIGHBOURHOOD_PX)
    weight[weight < 1e-3] = 0.0
    mean = ndimage.gaussian_filter(np.where(where, image, 0.0).astype(np.float32), _NEIGHBOURHOOD_PX)
    return mean / np.maximum(weight, 1e-3), weight


def _along_edges(grown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find joined pieces that run along the radiograph's edge further than metal does: frames that were missed."""
    pieces, count = ndimage.label(grown)
    edges = (pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1])
    along = np.max([np.bincount(edge, minlength=count + 1) for edge in edges], axis=0)
    along[0] = 0
    return np.asarray((along > _ALONG_PX)[pieces])


def _brighter(image: NDArray[np.float32], metal: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those pieces of metal that are bright, and brighter than what lies around them."""
    pieces, count = ndimage.label(metal)
    kept = np.zeros(count + 1, bool)
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        wide = tuple(slice(max(line.start - _RING_PX[1], 0), line.stop + _RING_PX[1]) for line in box)
        away = ndimage.distance_transform_edt(pieces[wide] != number)
        ring = (away > _RING_PX[0]) & (away <= _RING_PX[1])
        level = np.median(image[wide][away == 0])
        beside = np.percentile(image[wide][ring], 100 - _DARK_PERCENT) if ring.any() else 0.0
        kept[number] = level > max(beside + _LEAST_CONTRAST, _LEAST_LEVEL)
    return np.asarray(kept[pieces])
