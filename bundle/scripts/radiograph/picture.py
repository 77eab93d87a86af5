"""Reading radiographs that were exported as pictures (PNG, JPEG) or as 2D NIfTI, which carry pixels and little else."""

from __future__ import annotations

import warnings
import zlib
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from scripts.clinical import Code
from scripts.radiograph.admission import admit_size, refused
from scripts.radiograph.dicom import unreadable
from scripts.radiograph.geometry import Orientation, Spacing, believable_spacing
from scripts.radiograph.header import Header
from scripts.radiograph.photometric import grey

_ASSUMED: Final = "The file has no header of a radiograph: a human hip, bone bright, the patient's right on the left was assumed."
_MM_PER_UNIT: Final = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}


def read_picture(path: Path) -> tuple[NDArray[np.float32], Spacing, Orientation, Header]:
    """Read a grey PNG or JPEG of 8 or 16 bits; black to white of the format maps to 0..1.

    Its dots per inch are those of a screen or a printer, never the film's, so it has no spacing.

    Returns:
        As `read_dicom`.

    Raises:
        RefusedError: UNREADABLE; NOT_A_RADIOGRAPH if it is coloured, black and white only, or of no plausible size;
            MULTIFRAME if animated.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit follows
            opened = Image.open(path)
        with opened as image:
            admit_size(image.height, image.width)
            if getattr(image, "n_frames", 1) > 1:
                raise refused(
                    Code.MULTIFRAME, "The picture is animated, but one single radiograph is measured; it was not analysed."
                )
            pixels, kind = _grey_pixels(image), image.format or ""
    except Image.DecompressionBombError as error:
        raise refused(
            Code.NOT_A_RADIOGRAPH,
            "The picture has far more pixels than a radiograph; it was not analysed. Export the original film.",
        ) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise unreadable("a picture") from error
    notes = [_ASSUMED, f"A {kind} has no pixel spacing."]
    values = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return values, Spacing(), Orientation(), Header(modality=kind, assumptions=notes)


def read_nifti(path: Path) -> tuple[NDArray[np.float32], Spacing, Orientation, Header]:
    """Read a 2D NIfTI, or a volume of one slice.

    NIfTI stores (x, y): x runs along a row of the displayed film and y down a column, so it is transposed to (row, col).
    The signs of its affine are not followed: writers disagree on them for radiographs, and none means another display.
    The display range is cal_min to cal_max where given, else the type's for 8 bits, else least to greatest value.

    Returns:
        As `read_dicom`; the displayed values are clipped to 0..1, and NaN counts as least.

    Raises:
        RefusedError: UNREADABLE; MULTIFRAME if it is a volume; NOT_A_RADIOGRAPH if it is complex, coloured, without any
            contrast, or of no plausible size.
    """
    try:
        image: Any = nib.load(path)
        sizes = [size for size in image.shape if size > 1]
        if len(sizes) > 2:
            raise refused(
                Code.MULTIFRAME,
                f"The NIfTI holds a volume of {' x '.join(map(str, image.shape))} values, but one single radiograph is "
                "measured; it was not analysed. Export the radiograph as a film of its own.",
            )
        admit_size(*(sizes[::-1] if len(sizes) == 2 else (0, 0)))
        stored_type = image.get_data_dtype()
        if stored_type.fields is not None or np.issubdtype(stored_type, np.complexfloating):
            raise refused(
                Code.NOT_A_RADIOGRAPH,
                "The NIfTI holds colours or complex numbers, but a radiograph is grey; it was not analysed.",
            )
        pixels = np.asarray(image.dataobj, dtype=np.float64).reshape(sizes).T
        zooms = [zoom for zoom, size in zip(image.header.get_zooms(), image.shape, strict=False) if size > 1]
        units = image.header.get_xyzt_units()[0]
        calibrated = float(image.header["cal_min"]), float(image.header["cal_max"])
    except (
        nib.filebasedimages.ImageFileError,
        nib.spatialimages.HeaderDataError,
        OSError,
        EOFError,
        ValueError,
        zlib.error,
    ) as error:
        raise unreadable("a NIfTI image") from error

    if calibrated[1] > calibrated[0]:
        low, high = calibrated
    elif stored_type == np.uint8:
        low, high = 0.0, 255.0
    else:
        finite = pixels[np.isfinite(pixels)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if not high > low:
        raise blank()
    values = np.clip((np.nan_to_num(pixels, nan=low) - low) / (high - low), 0.0, 1.0).astype(np.float32)

    mm = _MM_PER_UNIT.get(units, 1.0)
    patient = believable_spacing((zooms[1] * mm, zooms[0] * mm), values.shape)
    notes = [_ASSUMED]
    if patient is None:
        notes.append("The NIfTI's pixel size is impossible for a film of this size, so it was not used.")
        return values, Spacing(), Orientation(), Header(modality="NIFTI", assumptions=notes)
    notes.append("The NIfTI's pixel size was taken as measured in the patient.")
    return values, Spacing(None, patient, "PixelSpacing"), Orientation(), Header(modality="NIFTI", assumptions=notes)


def blank() -> Exception:
    """Return the refusal of an image without contrast."""
    return refused(
        Code.NOT_A_RADIOGRAPH,
        "All pixels of the image have the same value, so it shows nothing; it was not analysed. Export it again.",
    )


def _grey_pixels(image: Image.Image) -> NDArray[Any]:
    """Return (rows, cols) uint8 or uint16, as displayed (cameras and scanners record a rotation)."""
    if image.mode == "1":
        raise refused(Code.NOT_A_RADIOGRAPH, "The picture is black and white without greys, like a mask; it was not analysed.")
    shown = ImageOps.exif_transpose(image)
    if shown.mode.startswith("I") or shown.mode == "L":
        pixels = np.asarray(shown)
        return pixels if pixels.dtype in (np.uint8, np.uint16) else np.clip(pixels, 0, 65535).astype(np.uint16)
    if shown.mode in ("LA", "La"):
        return np.asarray(shown)[..., 0]
    return grey(np.asarray(shown.convert("RGB")))
