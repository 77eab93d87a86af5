"""Cleaning the outlines that the networks drew on a whole radiograph, before anything is measured on them.

`remove_strays` takes away what is no femur, `fill_holes` adds marrow that was left out, `trim_spurs` cuts off what is too thin
for bone, `sharpen_metal` brings implants to their visible edges, and `classify_pixels` makes one mask of classes of it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import binary_fill_holes, distance_transform_edt, label, maximum
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.measurement.cement import JOINT_PX, measure_thickness, remove_cement
from scripts.measurement.metal import trace_metal
from scripts.measurement.quality import measure_exposure

_STRAY_PIXELS = 15_000  # 13.5 cm² at 0.3 mm: less than the part of a femur that a radiograph's edge leaves
NOTHING = -20.0  # logit of a pixel that is certainly none
_HOLE_PIXELS = 2_000  # 1.8 cm² at 0.3 mm: more, and what is enclosed may be what lies between two bones
_THIN_PX = 9.0  # 2.7 mm: the radius of a disc that fits into every part of a femur but the tip of its lesser trochanter
_SPUR_PX = 8.0  # 2.4 mm beyond what such discs cover; a right angle has 1.1 mm
_LESSER_PX = 27.0  # 8 mm: what so little lies apart from the lesser trochanter may be its tip
_MOST_GROWN = 1.5  # times the area of an implant as it was drawn: more is another thing beside it
_BALL_PX = 54  # 16 mm: the largest radius of a calibration ball
_ROUND = 1.2  # times a disc's area: a head is larger, by its neck at least
_EDGE = 0.1  # of its own contrast a piece of bone is brighter than what surrounds it; most whole femurs are by 0.3 or more
_CERTAIN = 4.0  # logit either side of an outline that is brought to an edge


def remove_strays(mask_logits: Tensor, landmarks: Tensor, found: tuple[bool, bool], image: Tensor) -> Tensor:
    """Take away pieces of "femur" that belong to no hip: other bones, gas, folds of skin.

    Bone and metal that touch count as one piece, since metal cuts the picture of a bone in several. Of a hip that was found, the
    pieces that hold one of its landmarks are kept. Of a hip that was not found, such as one at the edge of the radiograph, large
    pieces on its side are kept that are metal or brighter than what surrounds them, as bone is and as a femur that was only
    expected there is not.

    Args:
        mask_logits: (3, H, W) femur, prosthesis, fixation, at 0.3 mm.
        landmarks: (2, 5, 2), (row, col) in pixels, of the right and the left hip.
        found: whether each of these two was found.
        image: (H, W) normalised radiograph, larger = denser.

    Returns:
        (3, H, W), a copy.
    """
    pieces, count = label((mask_logits > 0).any(dim=0).numpy())
    size = np.bincount(pieces.ravel(), minlength=count + 1)
    stray = np.full(count + 1, all(found)) | (size < _STRAY_PIXELS)
    if any(found) and not all(found):
        head, outward = landmarks[found.index(True), HIP.landmarks.index("head_centre")], 1 if found[1] else -1
        columns = np.broadcast_to(np.arange(pieces.shape[1]), pieces.shape)
        middles = np.bincount(pieces.ravel(), columns.ravel(), count + 1) / np.maximum(size, 1)
        stray |= (middles - float(head[1])) * outward > 0
    metal = np.bincount(pieces.ravel(), (mask_logits[1:] > 0).any(dim=0).numpy().ravel(), count + 1) > 0
    stray[0] = True  # the background, until the pieces are judged
    for piece in np.flatnonzero(~stray & ~metal):
        stray[piece] = measure_exposure(image.numpy(), pieces == piece)["exposure_edge"] < _EDGE
    rows, cols = landmarks[torch.tensor(found)].reshape(-1, 2).round().long().T.numpy()
    inside = (rows >= 0) & (rows < pieces.shape[0]) & (cols >= 0) & (cols < pieces.shape[1])
    stray[pieces[rows[inside], cols[inside]]] = False
    stray[0] = False
    kept = mask_logits.clone()
    kept[0][torch.from_numpy(stray[pieces])] = NOTHING
    return kept


def fill_holes(mask_logits: Tensor) -> Tensor:
    """Take to the femur what it surrounds, up to 1.8 cm²: dark marrow, or what a thing that lies across has hidden.

    Args:
        mask_logits: (3, H, W) femur, prosthesis, fixation, at 0.3 mm.

    Returns:
        (3, H, W); the same tensor where there is no hole.
    """
    drawn = (mask_logits > 0).any(dim=0).numpy()
    pieces, count = label(binary_fill_holes(drawn) & ~drawn)
    if not count:
        return mask_logits
    small = np.bincount(pieces.ravel()) <= _HOLE_PIXELS
    small[0] = False
    filled = mask_logits.clone()
    filled[0][torch.from_numpy(small[pieces])] = _CERTAIN
    return filled


def trim_spurs(mask_logits: Tensor, landmarks: Tensor) -> Tensor:
    """Cut off the thin loops of an outline that follow a fold of skin, a rim or the edge of the film and not the femur.

    Metal counts as bone here, since a cortex that covers a stem is thin. At its edge a film is taken to go on as its mirror
    image.

    Args:
        mask_logits: (3, H, W) femur, prosthesis, fixation, at 0.3 mm.
        landmarks: (2, 5, 2), (row, col) in pixels, of the right and the left hip.

    Returns:
        (3, H, W); the same tensor where there is no such loop.
    """
    drawn = (mask_logits > 0).any(dim=0).numpy()
    rows, cols = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return mask_logits
    # One pixel more than what is drawn, which is empty unless the film ends there.
    box = (slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(cols[0] - 1, 0), cols[-1] + 2))
    around = math.ceil(2 * _THIN_PX)
    extended = np.pad(drawn[box], around, mode="symmetric")
    beyond = distance_transform_edt(distance_transform_edt(extended) <= _THIN_PX) - _THIN_PX
    pieces, count = label(extended & (beyond > 0), np.ones((3, 3)))
    pieces, beyond = (values[around:-around, around:-around] for values in (pieces, beyond))
    spur = maximum(beyond, pieces, np.arange(count + 1)) > _SPUR_PX
    spur[0] = False
    for row, col in landmarks[:, HIP.landmark("lesser_trochanter")].tolist():
        down, across = (np.arange(part.start, part.start + size) for part, size in zip(box, pieces.shape, strict=True))
        near = (down[:, None] - row) ** 2 + (across - col) ** 2 <= _LESSER_PX**2
        spur[np.unique(pieces[near])] = False
    if not spur.any():
        return mask_logits
    trimmed = mask_logits.clone()
    trimmed[0][box][torch.from_numpy(spur[pieces])] = NOTHING
    return trimmed


def sharpen_metal(mask_logits: Tensor, image: Tensor, frames: Tensor) -> Tensor:
    """Bring the outlines of metal to their edges on the radiograph (`trace_metal`), and take cement out of them
    (`remove_cement`).

    Metal that is connected is one implant: a prosthesis where it is as thick as a head or a cup, else the class that most of it
    was drawn as. A round piece of such thickness is a calibration ball, so not an implant. Pixels that are no longer metal take
    the class of their nearest neighbours that never were.

    Args:
        mask_logits: (3, H, W) femur, prosthesis, fixation, at 0.3 mm.
        image: (H, W) normalised radiograph.
        frames: (H, W), true on its white frames.

    Returns:
        (3, H, W); the same tensor where there is no metal.
    """
    best = classify_pixels(mask_logits, (image.shape[0], image.shape[1]))
    rough = best > 1
    sharp = trace_metal(image.numpy(), rough, frames.numpy())
    if sharp is rough:
        return mask_logits
    pieces, count = label(sharp)
    areas = np.stack([np.bincount(pieces[best == value], minlength=count + 1) for value in (2, 3)])
    size = np.bincount(pieces.ravel())
    thick = maximum(measure_thickness(sharp), pieces, np.arange(count + 1))  # radius of the largest disc inside
    grown = size > _MOST_GROWN * areas.sum(axis=0)
    kind = np.where((thick >= JOINT_PX) & ~grown, 2, 2 + areas.argmax(axis=0))
    kind[(thick >= JOINT_PX) & (thick <= _BALL_PX) & (size < _ROUND * np.pi * thick**2)] = 0
    kind[areas.sum(axis=0) == 0] = 0  # no metal was drawn there
    kind[0] = 0
    # Of a joint the half may have been missed; screws that grow so much have run into what is as bright as they are.
    sharp = np.where(((kind == 3) & grown)[pieces], rough, sharp)
    metal = np.where(sharp, kind[pieces], 0)
    for joint in np.flatnonzero(kind == 2):
        outline = pieces == joint
        metal[outline] = 0
        metal[remove_cement(image.numpy(), outline)] = 2
    nearest = distance_transform_edt(rough, return_distances=False, return_indices=True)
    settled = torch.from_numpy(np.where(metal > 0, metal, best[tuple(nearest)]))
    changed = torch.from_numpy(distance_transform_edt((metal == 0) & ~(sharp | rough)) <= 2)
    drawn = torch.stack([torch.where(settled == value, _CERTAIN, -_CERTAIN) for value in (1, 2, 3)])
    return torch.where(changed, drawn, mask_logits)


def classify_pixels(mask_logits: Tensor, shape: tuple[int, int]) -> np.ndarray:
    """Find the likeliest class of every pixel: background where all probabilities are below 0.5.

    Args:
        mask_logits: (3, H, W) femur, prosthesis, fixation.
        shape: (rows, cols) of the wanted grid over the same field.

    Returns:
        (rows, cols) uint8: 0 background, 1 femur, 2 prosthesis, 3 fixation.
    """
    best = torch.zeros(shape)
    classes_found = torch.zeros(shape, dtype=torch.uint8)
    # One class at a time, since a radiograph has tens of megapixels. Interpolated logits, unlike labels, keep edges smooth.
    for index, logits in enumerate(mask_logits, start=1):
        resized = F.interpolate(logits[None, None], size=shape, mode="bilinear", align_corners=False)[0, 0]
        classes_found[resized > best] = index
        best = torch.maximum(best, resized)
    return classes_found.numpy()
