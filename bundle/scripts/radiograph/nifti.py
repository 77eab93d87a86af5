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
from scripts.radiograph.geometry import PLACEHOLDER_MM, Orientation, Spacing, orient, parse_spacing
from scripts.radiograph.header import Header
from scripts.radiograph.picture import NO_HEADER, blank, refuse_mask

_TOWARDS: Final = (("L", "R"), ("P", "A"), ("F", "H"))
"""Where an axis of the patient (NIfTI: to the right, the front and the head) runs, backward and forward."""

_MM_PER_UNIT: Final = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}


def read_nifti(file: BinaryIO) -> DecodedRadiograph:
    """Read a 2D NIfTI, or a volume of one slice.

    NIfTI stores (x, y): x runs along a row of the stored radiograph and y along a column, so it is transposed to (row, col).
    Where its affine says to which parts of the patient they run, the radiograph is turned by it (see `_oriented`).
    The display range is cal_min to cal_max where given, else the type's for 8 bits, else least to greatest value.

    Returns:
        The radiograph, its values clipped to 0..1; NaN counts as the lowest.

    Raises:
        RefusedError: UNREADABLE; TOO_LARGE; MULTIFRAME if it is a volume; NOT_A_RADIOGRAPH if it is complex, coloured,
            without any contrast, or too small.
    """
    try:
        pixels, stored_type, zooms, calibrated, (orientation, lateral, turned) = _loaded(file)
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
    if patient == PLACEHOLDER_MM:
        spacing, note = Spacing(), "The NIfTI's pixel size is 1.0 mm, which stands for an unknown size, so it was not used."
    elif patient is not None:
        spacing = Spacing(None, patient, "PixelSpacing", patient[0] / patient[1])
        note = "The NIfTI's pixel size was taken as measured in the patient."
    else:
        told = " x ".join(f"{zoom:g}" for zoom in zooms)
        note = f"The NIfTI's pixel size of {told} mm is impossible for a radiograph of this size, so it was not used."
        spacing = Spacing()
    header = Header(modality="NIFTI", view="LATERAL" if lateral else "", assumptions=[NO_HEADER, turned, note])
    shown = np.ascontiguousarray(orientation.to_display(values))
    return DecodedRadiograph(shown, spacing.transposed() if orientation.transpose else spacing, orientation, header)


def _loaded(
    file: BinaryIO,
) -> tuple[NDArray[Any], np.dtype[Any], tuple[float, float], tuple[float, float], tuple[Orientation, bool, str]]:
    """Return the values (rows, cols), their stored type, the (row, column) size in mm, cal_min and cal_max, and `_oriented`."""
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
    across, down = (axis for axis, size in enumerate(image.shape) if size != 1)
    return pixels, stored_type, (zooms[1], zooms[0]), calibrated, _oriented(image, across, down)


def _oriented(image: Any, across: int, down: int) -> tuple[Orientation, bool, str]:
    """Find how a NIfTI is to be turned by its affine: by the sform, else the qform, else what stands in either without a code.

    An affine says nothing where its axes all run the positive way from the origin, as software writes it that knows none. Where
    they do, but rows begin below the origin, it is that of an image whose rows were turned over (dcm2niix, of a radiograph): its
    columns run to the viewer's right. A plane that lies across the body is meant for one along it, seen from the front.

    Args:
        image: with shape, header and affine.
        across: which of its axes runs along a row.
        down: which runs along a column.

    Returns:
        The orientation; whether the radiograph is a lateral one; and what was assumed.
    """
    header = image.header
    coded = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    affine = image.affine if coded else header.get_sform()
    unsaid = (
        "The NIfTI's affine does not say how the radiograph lies: its first row was taken for the upper one, and the patient's "
        "right was assumed to be on the left."
    )
    if across > 2 or down > 2 or not np.isfinite(affine).all() or not np.any(affine[:3, [across, down]]):
        return Orientation(), False, unsaid
    main = [int(np.argmax(np.abs(affine[:3, axis]))) for axis in (across, down)]
    if main[0] == main[1]:
        return Orientation(), False, unsaid
    forward = [affine[row, axis] > 0 for row, axis in zip(main, (across, down), strict=True)]
    origin = [affine[row, 3] for row in main]
    if all(forward) and origin == [0, 0]:
        return Orientation(), False, unsaid
    ends = [_TOWARDS[row][int(positive)] for row, positive in zip(main, forward, strict=True)]
    if all(forward) and origin[0] == 0 > origin[1]:
        ends[0] = "L"
    if {*ends} <= {"R", "L", "A", "P"}:
        ends = [{"A": "H", "P": "F"}.get(end, end) for end in ends]
    orientation = orient(*ends)
    if orientation is None:
        return Orientation(), False, unsaid
    told = f"By the NIfTI's affine, its columns run to {ends[0]} and its rows to {ends[1]} of the patient"
    return (
        orientation,
        bool({"A", "P"} & {*ends}),
        f"{told}: the radiograph was {'turned' if orientation != Orientation() else 'left'} so.",
    )
