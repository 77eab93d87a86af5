"""Reading a radiograph of any supported format into the one form that everything downstream knows."""

from __future__ import annotations

import os
import stat
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Final

import torch
from monai.data import MetaTensor
from pydicom.dataset import Dataset

from scripts.clinical import Code
from scripts.radiograph.admission import is_object, refused
from scripts.radiograph.archives import ArchiveOpener, read_whole, source_of
from scripts.radiograph.bounds import admit_file_size
from scripts.radiograph.decoded import DecodedRadiograph, LazyImage, Pixels
from scripts.radiograph.dicom import read_dicom, unreadable
from scripts.radiograph.mapping import MappedWords
from scripts.radiograph.nifti import read_nifti
from scripts.radiograph.parsing import MAGIC, parse_header
from scripts.radiograph.picture import blank, read_picture
from scripts.radiograph.quiet import quiet

_PICTURES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PICTURE_ENDINGS: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_NIFTI_ENDING: Final = ".nii"
_GZIP_ENDING: Final = ".gz"


def open_radiograph(path: str | os.PathLike[str]) -> LazyImage:
    """Read a radiograph as `read_radiograph` does, but leave its values to be computed when they are needed.

    The words of an uncompressed DICOM stay in its file until then, which must not be cut short meanwhile.

    Raises:
        RefusedError: as `read_radiograph`.
    """
    path = Path(path)
    try:
        # Opening a named pipe would wait for ever.
        if not stat.S_ISREG(source_of(path).stat().st_mode):
            raise refused(Code.UNREADABLE, "This is no ordinary file, but one is needed; it was not analysed.")
        with ArchiveOpener() as opener, opener.open(path) as file, quiet():
            decoded = _read(read_whole(file), path.name.lower().removesuffix(_GZIP_ENDING))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid path"
        raise refused(
            Code.UNREADABLE, f"The file cannot be opened ({reason}); it was not analysed. Check that it may be read."
        ) from error
    if _is_blank(decoded.pixels):
        raise blank()

    meta = {
        "filename_or_obj": str(path),
        "spacing_detector_mm": decoded.spacing.detector_mm,
        "spacing_mm": decoded.spacing.patient_mm,
        "spacing_source": decoded.spacing.source,
        "pixel_aspect": decoded.spacing.aspect,
        "displayed_shape": decoded.pixels.shape,
        "orientation": decoded.orientation,
        "background": decoded.background,
        **asdict(decoded.header),
    }
    row, col = decoded.spacing.patient_mm or (1.0, 1.0)
    affine = torch.diag(torch.tensor([row, col, 1.0, 1.0], dtype=torch.float64))
    return LazyImage(decoded.pixels, affine, meta)


def read_radiograph(path: str | os.PathLike[str]) -> MetaTensor:
    """Read a radiograph: DICOM (CR, DX and their single-frame relatives), PNG, JPEG, TIFF or 2D NIfTI, plain or in gzip.

    The content decides, not the name (except for NIfTI).

    Args:
        path: of the file; of a member of a zip archive: ARCHIVE.zip/MEMBER.

    Returns:
        (1, H, W) float32 in 0..1, larger = denser (bone bright), the display range mapped to 0..1. Rows run toward the
        patient's feet, columns toward the patient's left. `meta` holds:

        - filename_or_obj: the path; affine: (4, 4) with the patient-plane spacing in mm (1 where unknown);
        - spacing_detector_mm, spacing_mm (patient plane): (row, col) or None; spacing_source, pixel_aspect: see `Spacing`;
        - displayed_shape: (H, W) of the displayed radiograph; orientation: the `Orientation` that made it from the stored one;
        - background: None, or a coarse grid over the radiograph, true where the header says that nothing was exposed;
        - modality, view, laterality, age_years, sex, weight_kg, height_cm, study_uid, series_uid, sop_uid, assumptions:
          see `Header`.

        Unknown values are None, which MONAI's default collate cannot stack: a training chain ends with
        `EnsureTyped(track_meta=False)`.

    Raises:
        RefusedError: with a code and a sentence for the user, if the file is missing, damaged, of another kind, beyond a
            bound (see `scripts.radiograph.bounds`), or shows something other than one human hip radiograph.

    Example:
        >>> from pathlib import Path
        >>> import scripts
        >>> examples = Path(scripts.__file__).parents[1] / "examples"
        >>> image = read_radiograph(examples / "images" / "normal.dcm")
        >>> image.shape, image.meta["view"], image.meta["spacing_source"]
        (torch.Size([1, 1262, 1228]), 'AP', 'ImagerPixelSpacing/magnification')
    """
    return open_radiograph(path).compute()


def read_dicom_header(path: str | os.PathLike[str]) -> Dataset | None:
    """Read what a DICOM radiograph says before its pixels; None of a file that is no DICOM.

    Args:
        path: as for `read_radiograph`, of a file that it has read.

    Raises:
        RefusedError, OSError or another: where it cannot be read any more.
    """
    with ArchiveOpener() as opener, opener.open(Path(path)) as file, quiet():
        whole = read_whole(file)
        start = whole.read(132)
        whole.seek(0)
        name = str(path).lower().removesuffix(_GZIP_ENDING)
        if start[128:] != MAGIC and (start.startswith(_PICTURES) or name.endswith((_NIFTI_ENDING, *_PICTURE_ENDINGS))):
            return None
        dataset, _, _ = parse_header(whole)
        return dataset if is_object(dataset) else None


def _read(file: BinaryIO, name: str) -> DecodedRadiograph:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if not size:
        raise unreadable("a radiograph")
    admit_file_size(size)
    start = file.read(132)
    file.seek(0)
    if start[128:] == MAGIC:
        return read_dicom(file)
    if start.startswith(_PICTURES):
        return read_picture(file)
    if name.endswith(_NIFTI_ENDING):
        return read_nifti(file)
    if name.endswith(_PICTURE_ENDINGS):
        raise unreadable("a picture")
    return read_dicom(file)


def _is_blank(pixels: Pixels) -> bool:
    return pixels.is_one_value() if isinstance(pixels, MappedWords) else bool(pixels.min() == pixels.max())
