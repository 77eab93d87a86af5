"""Reading radiographs that were stored as 2D NIfTI, which carries pixels, their size and little else."""

from __future__ import annotations

from typing import Any, BinaryIO, Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from scripts.clinical import Code, RefusedError
from scripts.radiograph.admission import admit_size, refused
from scripts.radiograph.decoded import DecodedRadiograph
from scripts.radiograph.dicom import unreadable
from scripts.radiograph.geometry import Orientation, Spacing, parse_spacing
from scripts.radiograph.header import Header
from scripts.radiograph.picture import ASSUMED, blank, refuse_mask

_MM_PER_UNIT: Final = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}


def read_nifti(file: BinaryIO) -> DecodedRadiograph:
    """Read a 2D NIfTI, or a volume of one slice.

    NIfTI stores (x, y): x runs along a row of the displayed radiograph and y down a column, so it is transposed to (row, col).
    The signs of its affine are ignored: writers disagree on them for radiographs, and none means another display.
    The display range is cal_min to cal_max where given, else the type's for 8 bits, else least to greatest value.

    Returns:
        The radiograph, its values clipped to 0..1; NaN counts as the lowest.

    Raises:
        RefusedError: UNREADABLE; TOO_LARGE; MULTIFRAME if it is a volume; NOT_A_RADIOGRAPH if it is complex, coloured,
            without any contrast, or too small.
    """
    try:
        pixels, stored_type, zooms, calibrated = _loaded(file)
    except RefusedError:
        raise
    except Exception as error:  # in a damaged header anything may fail in nibabel, which has no error of its own for all
        raise unreadable("a NIfTI image") from error

    if calibrated[1] > calibrated[0]:
        low, high = calibrated
    elif stored_type == np.uint8:
        low, high = 0.0, 255.0
    else:
        finite = pixels[np.isfinite(pixels)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if not 0 < high - low < np.inf:
        raise blank()
    refuse_mask(pixels)
    values = np.clip((np.nan_to_num(pixels, nan=low) - low) / (high - low), 0.0, 1.0).astype(np.float32)

    patient = parse_spacing(zooms, values.shape)
    if patient is not None:
        spacing = Spacing(None, patient, "PixelSpacing", patient[0] / patient[1])
        note = "The NIfTI's pixel size was taken as measured in the patient."
    else:
        spacing, note = Spacing(), "The NIfTI's pixel size is impossible for a radiograph of this size, so it was not used."
    return DecodedRadiograph(values, spacing, Orientation(), Header(modality="NIFTI", assumptions=[ASSUMED, note]))


def _loaded(file: BinaryIO) -> tuple[NDArray[Any], np.dtype[Any], tuple[float, float], tuple[float, float]]:
    """Return the values (rows, cols), their stored type, the (row, column) size in mm, and cal_min and cal_max."""
    content = file.read()
    image: Any = nib.Nifti1Image.from_bytes(content) if content[344:348] == b"n+1\0" else nib.Nifti2Image.from_bytes(content)
    sizes = [size for size in image.shape if size != 1]
    if len(sizes) > 2:
        raise refused(
            Code.MULTIFRAME,
            f"The NIfTI holds a volume of {' x '.join(map(str, image.shape))} values, but one single radiograph is "
            "measured; it was not analysed. Export the radiograph as a file of its own.",
        )
    admit_size(*(sizes[::-1] if len(sizes) == 2 else (0, 0)))
    stored_type = image.get_data_dtype()
    if stored_type.fields is not None or np.issubdtype(stored_type, np.complexfloating):
        raise refused(
            Code.NOT_A_RADIOGRAPH,
            "The NIfTI holds colours or complex numbers, but a radiograph is grey; it was not analysed.",
        )
    # Single precision holds 16 bits exactly, at half the memory.
    kind = np.float32 if stored_type.itemsize <= 2 else np.float64
    pixels = np.asarray(image.dataobj, dtype=kind).reshape(sizes).T
    mm = _MM_PER_UNIT.get(image.header.get_xyzt_units()[0], 1.0)
    zooms = [zoom * mm for zoom, size in zip(image.header.get_zooms(), image.shape, strict=False) if size != 1]
    calibrated = float(image.header["cal_min"]), float(image.header["cal_max"])
    return pixels, stored_type, (zooms[1], zooms[0]), calibrated
