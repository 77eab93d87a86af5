"""The pictures of a radiograph's findings: its mask, and contours, regions, axes and landmarks drawn on it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFont
from skimage.measure import find_contours

from scripts.clinical import Code, Screening
from scripts.clinical.anatomy import HIP
from scripts.files import replacing
from scripts.measurement.hip_geometry import HipGeometry
from scripts.screening.findings import Seen

CONTOUR_COLOURS = ((64, 196, 255), (255, 145, 0), (224, 64, 251))
"""Of femur, prosthesis and fixation. The HTML report's legend repeats them."""
BOX_COLOUR = (255, 214, 0)
LANDMARK_COLOUR = (118, 255, 3)
REGION_COLOUR = (255, 138, 128)
AXIS_COLOUR = (178, 235, 242)
FRACTURE_COLOUR = (255, 23, 68)

_MARGIN_PX = 25  # round what is drawn; 7.5 mm at 0.3 mm
_WIDTH_PX = 1200  # of the finished overlay: sharp in a report, and about 1 MB
_DISPLAY_GAMMA = 0.9
_LEVEL_MM = 20.0  # to either side of the shaft's axis, where its cortex was measured


class MaskWriter:
    """Writes masks/NAME.png: the classes on the grid of the file, (rows, cols) uint8 values of `HIP.classes`."""

    key = "mask"

    def __call__(self, name: str, seen: Seen, folder: Path) -> str | None:
        """Write the mask of one radiograph, and return its path, relative to ``folder``."""
        path = f"masks/{name}.png"
        save_picture(Image.fromarray(seen.mask), folder / path)
        return path


class OverlayWriter:
    """Writes overlays/NAME.png: what was found, drawn onto the radiograph; without any metadata."""

    key = "overlay"

    def __call__(self, name: str, seen: Seen, folder: Path) -> str | None:
        """Write the overlay of one radiograph, and return its path, relative to ``folder``; None where there is none to draw."""
        overlay = draw_seen(seen)
        if overlay is None:
            return None
        path = f"overlays/{name}.png"
        save_picture(overlay, folder / path)
        return path


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture whole or not at all."""
    with replacing(path) as temporary:
        picture.save(temporary)


def embedded(path: Path, size: tuple[int, int], quality: int) -> Markup:
    """A picture as an address that holds it, made to fit into (width, height) pixels, as JPEG of a quality of 1 to 95."""
    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail(size)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=quality)
    return Markup("data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode())


def displayed(grey: torch.Tensor) -> np.ndarray:
    """A normalised radiograph, or a part of it, as pictures show it: of the same shape, 0 to 255."""
    shown: np.ndarray = grey.clamp(0, 1).pow(_DISPLAY_GAMMA).mul(255).numpy()
    return shown


def draw_seen(seen: Seen) -> Image.Image | None:
    """The picture of what was seen on a radiograph, see `draw_overlay`."""
    return draw_overlay(seen.image.as_tensor(), seen.prediction, seen.screening, seen.geometry, seen.image.meta["spacing_mm"])


def draw_overlay(
    image: torch.Tensor,
    prediction: Mapping[str, Any],
    screening: Screening,
    geometry: Sequence[HipGeometry],
    spacing_mm: tuple[float, float],
) -> Image.Image | None:
    """Draw what the cascade saw onto the part of the radiograph that it used.

    Only the field around the hips is shown: the margins of a radiograph are where names and dates are burned in.

    Args:
        image: (1, H, W) normalised radiograph.
        prediction: one item's outputs of `ScreeningNetwork.predict`: "mask_logits" (3, H, W), "landmarks" (2, 5, 2)
            (row, col), "crops" (2, h, w), "crop_transforms" (2, 2, 3) from crop to image (row, col), "fracture_logits"
            (2, h, w) and "fracture_transforms" (2, 2, 3).
        screening: which hips are shown; those refused are drawn too, and of one refused for a fracture where it looks broken.
        geometry: of both hips; regions, axes and the narrowest width of the neck are drawn thinly.
        spacing_mm: of the image, along (rows, cols).

    Returns:
        an RGB picture, or None where there is neither a hip nor a mask to draw.
    """
    masks = [logits > 0 for logits in prediction["mask_logits"]]
    drawn = [index for index, hip in enumerate(screening.hips) if hip.shown]
    boxes = {index: _box(prediction, index) for index in drawn}
    field = _field(masks, list(boxes.values()), image.shape[-2:])
    if field is None:
        return None
    top, left, bottom, right = field
    zoom = _WIDTH_PX / (right - left)

    grey = displayed(image[0, top:bottom, left:right]).astype(np.uint8)
    size = (_WIDTH_PX, max(1, round((bottom - top) * zoom)))
    picture = Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    pen = ImageDraw.Draw(picture)

    def place(points: np.ndarray) -> list[tuple[float, float]]:
        """Image pixels (row, col) -> picture pixels (x, y)."""
        return [((col - left + 0.5) * zoom - 0.5, (row - top + 0.5) * zoom - 0.5) for row, col in points]

    for index, box in boxes.items():
        pen.line(place(box[[0, 1, 2, 3, 0]]), fill=BOX_COLOUR, width=2)
        _label(picture, HIP.sides[index][0].upper(), place(box)[1 if index else 0], right_aligned=index == 1)
    for hip in geometry:
        for line, colour in _thin_lines(hip, spacing_mm):
            pen.line(place(line), fill=colour, width=2)
    for mask, colour in zip(masks, CONTOUR_COLOURS, strict=True):
        for contour in contours(mask.numpy()):
            pen.line(place(contour), fill=colour, width=3, joint="curve")
    for index in drawn:
        reason = screening.hips[index].reason
        if reason is not None and reason.code is Code.FRACTURE:
            for contour in contours((prediction["fracture_logits"][index] > 0).numpy()):
                pen.line(place(_on_image(contour, prediction["fracture_transforms"][index])), fill=FRACTURE_COLOUR, width=4)
    for index in drawn:
        for x, y in place(prediction["landmarks"][index].numpy()):
            pen.ellipse((x - 6, y - 6, x + 6, y + 6), outline=(0, 0, 0), fill=LANDMARK_COLOUR)
    return picture


def field_of_view(prediction: Mapping[str, Any], hips: Iterable[int], shape: torch.Size) -> tuple[int, int, int, int]:
    """The rectangle (top, left, bottom, right), in image pixels, that holds all masks and the crops of these hips; all of the
    image where there are none."""
    masks = [logits > 0 for logits in prediction["mask_logits"]]
    boxes = [_box(prediction, index) for index in hips if prediction["valid"][index] > 0]
    return _field(masks, boxes, shape) or (0, 0, shape[0], shape[1])


def _thin_lines(hip: HipGeometry, spacing_mm: tuple[float, float]) -> list[tuple[np.ndarray, tuple[int, int, int]]]:
    """Lines (n, 2), (row, col) in image pixels, of a hip's regions, of its axes and where it was measured, with their colours."""
    if hip.axes is None:
        return []
    axes, morphometry = hip.axes, hip.morphometry
    lines = [region.corners[[0, 1, 2, 3, 0]] for name, region in hip.regions.items() if name in ("neck_box", "medial_cortex")]
    drawn = [(line, REGION_COLOUR) for line in lines]
    drawn.append((axes.on_neck(np.array([-axes.head_radius, axes.neck_length]), np.zeros(2)), AXIS_COLOUR))
    drawn.append((axes.on_shaft(np.array([-axes.lesser, max(axes.lowest, 0.0)]), np.zeros(2)), AXIS_COLOUR))
    half = axes.neck_width / 2
    drawn.append((axes.on_neck(np.full(2, axes.narrowest), np.array([-half, half])), AXIS_COLOUR))
    if np.isfinite(morphometry.shaft_level_mm):
        drawn.append((axes.on_shaft(np.full(2, morphometry.shaft_level_mm), np.array([-_LEVEL_MM, _LEVEL_MM])), AXIS_COLOUR))
    pixels = [(line / np.array(spacing_mm) - 0.5, colour) for line, colour in drawn]
    if "total_hip" in hip.regions:
        pixels += [(contour, REGION_COLOUR) for contour in contours(hip.regions["total_hip"].mask)]
    return pixels


def _box(prediction: Mapping[str, Any], index: int) -> np.ndarray:
    """The corners (4, 2), (row, col) in image pixels, of a hip's crop, from the viewer's upper left clockwise."""
    rows, cols = prediction["crops"].shape[-2:]
    corners = np.array([[0, 0], [0, cols - 1], [rows - 1, cols - 1], [rows - 1, 0]], dtype=float)
    box = _on_image(corners, prediction["crop_transforms"][index])
    return box[[1, 0, 3, 2]] if box[0, 1] > box[1, 1] else box  # the crop of a left hip is mirrored


def _on_image(points: np.ndarray, transform: torch.Tensor) -> np.ndarray:
    """Points (n, 2) of a crop on the image, by its transform (2, 3)."""
    matrix = transform.double().numpy()
    return points @ matrix[:, :2].T + matrix[:, 2]


def _field(masks: list[torch.Tensor], boxes: list[np.ndarray], shape: torch.Size) -> tuple[int, int, int, int] | None:
    """The rectangle (top, left, bottom, right), in image pixels, that holds all masks and boxes, and a margin."""
    points = [torch.nonzero(mask).numpy() for mask in masks] + boxes
    points = [found for found in points if len(found)]
    if not points:
        return None
    low = np.min([found.min(axis=0) for found in points], axis=0) - _MARGIN_PX
    high = np.max([found.max(axis=0) for found in points], axis=0) + _MARGIN_PX + 1
    top, left = np.maximum(np.floor(low), 0).astype(int)
    bottom, right = np.minimum(np.ceil(high), shape).astype(int)
    return (int(top), int(left), int(bottom), int(right)) if bottom > top and right > left else None


def contours(mask: np.ndarray) -> list[np.ndarray]:
    """Outlines of a mask, each (n, 2) (row, col); the mask is padded so that one at the radiograph's edge is closed there."""
    return [contour - 1 for contour in find_contours(np.pad(mask.astype(np.float32), 1), 0.5)]


def _label(picture: Image.Image, text: str, corner: tuple[float, float], right_aligned: bool) -> None:
    """Write a side's letter into the upper lateral corner of its box, or as near to it as the picture goes."""
    x, y = corner
    inset, anchor = (-12, "ra") if right_aligned else (12, "la")
    place = (min(max(x + inset, 12), picture.width - 12), max(y + 6, 6))
    ImageDraw.Draw(picture).text(place, text, fill=BOX_COLOUR, font=ImageFont.load_default(size=40), anchor=anchor)
