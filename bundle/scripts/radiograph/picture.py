"""Reading radiographs that were exported as pictures (PNG, JPEG, TIFF), which carry pixels and little else."""

from __future__ import annotations

import struct
import zlib
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from scripts.clinical import Code, RefusedError
from scripts.radiograph.admission import admit_size, refused
from scripts.radiograph.bounds import LARGEST_PIXELS, too_large
from scripts.radiograph.decoded import DecodedRadiograph
from scripts.radiograph.dicom import unreadable
from scripts.radiograph.geometry import Orientation, Spacing
from scripts.radiograph.header import Header
from scripts.radiograph.photometric import convert_to_grey

NO_HEADER: Final = "The file has no header of a radiograph: a human hip, bone bright, was assumed."

_FORMATS: Final = ("PNG", "JPEG", "TIFF")
_PHOTOMETRIC, _BITS_PER_SAMPLE = 262, 258  # TIFF tags
_WHITE_IS_ZERO: Final = 0

_MOST_LABELS: Final = 8
"""Values of a mask, the background's among them. A radiograph of 4 bits has 16."""

_SPARSELY: Final = 16
"""Pixels between those that are looked at first."""


def read_picture(file: BinaryIO) -> DecodedRadiograph:
    """Read a grey PNG, JPEG or TIFF of 8 or 16 bits; black to white of the format maps to 0..1.

    The dots per inch of a picture are those of a screen or a printer, so they are not used and there is no spacing.

    Raises:
        RefusedError: UNREADABLE; TOO_LARGE; NOT_A_RADIOGRAPH if it is coloured, black and white only, or too small;
            UNSUPPORTED_ENCODING for other numbers than 8 or 16 bits; MULTIFRAME if animated or of several pages.
    """
    try:
        with Image.open(file, formats=_FORMATS) as image:
            admit_size(image.height, image.width)
            pages = getattr(image, "n_frames", 1)
            if pages > 1:
                raise refused(
                    Code.MULTIFRAME,
                    f"The picture holds {pages} images, but one single radiograph is measured; it was not analysed. "
                    "Export the radiograph as a picture of its own.",
                )
            kind = image.format or ""
            pixels = _grey_values(image)
            if pixels.min() < pixels.max():
                refuse_mask(pixels)
    except Image.DecompressionBombError as error:
        limit = f"{LARGEST_PIXELS // 1_000_000} million pixels"
        raise too_large("The picture", f"more than {limit}", limit) from error
    except RefusedError:
        raise
    # What Pillow raises on damaged files.
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        EOFError,
        OverflowError,
        struct.error,
        zlib.error,
    ) as error:
        raise unreadable("a picture") from error
    sides = "The patient's right was assumed to be on the left."
    notes = [NO_HEADER, sides, f"A {kind} has no pixel spacing."]
    return DecodedRadiograph(pixels, Spacing(), Orientation(), Header(modality=kind, assumptions=notes))


def blank() -> RefusedError:
    """Return the refusal of an image without contrast."""
    return refused(
        Code.NOT_A_RADIOGRAPH,
        "All pixels of the image have the same value, so it shows nothing; it was not analysed. Export it again.",
    )


def refuse_mask(pixels: NDArray[Any]) -> None:
    """Refuse an image without a header that holds as few values as a mask of labels, as NOT_A_RADIOGRAPH.

    Args:
        pixels: all its values.
    """
    few = np.unique(pixels[::_SPARSELY, ::_SPARSELY])
    if few.size <= _MOST_LABELS and (count := np.unique(pixels).size) <= _MOST_LABELS:
        raise refused(
            Code.NOT_A_RADIOGRAPH,
            f"The image has only {count} different values, like a mask, but a radiograph has many shades of grey; it was not "
            "analysed. If it is the mask of a radiograph, name it in the manifest's column 'label'.",
        )


def _grey_values(image: Image.Image) -> NDArray[np.float32]:
    """Return (rows, cols) in 0..1, as displayed (cameras and scanners record a rotation)."""
    if image.mode == "1":
        raise refused(Code.NOT_A_RADIOGRAPH, "The picture is black and white without greys, like a mask; it was not analysed.")
    if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
        raise refused(
            Code.UNSUPPORTED_ENCODING,
            "The picture's values are floating-point numbers or have 32 bits, but 8 or 16 bits are expected; it was not "
            "analysed. Export it again with 16 bits.",
        )
    # Pillow turns white-is-zero round for 8 bits only.
    tags: Any = getattr(image, "tag_v2", {})
    inverted = image.mode.startswith("I") and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    shown = ImageOps.exif_transpose(image)
    if shown.mode.startswith("I") or shown.mode == "L":
        pixels = np.asarray(shown)
        full = 255 if pixels.dtype == np.uint8 else 65535
        bits = tags.get(_BITS_PER_SAMPLE)
        if full == 65535 and bits and 8 < bits[0] < 16:
            full = 2 ** bits[0] - 1
        values = np.clip(pixels.astype(np.float32) / np.float32(full), 0.0, 1.0)
        return 1.0 - values if inverted else values
    if shown.mode in ("LA", "La"):
        return np.asarray(shown)[..., 0].astype(np.float32) / np.float32(255)
    return convert_to_grey(np.asarray(shown.convert("RGB")), 255.0)
