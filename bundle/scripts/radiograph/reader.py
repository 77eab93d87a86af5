"""Reading a radiograph of any supported format into the one form that everything downstream knows."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import torch
from monai.data import MetaTensor

from scripts.clinical import Code
from scripts.radiograph.admission import refused
from scripts.radiograph.dicom import is_dicom, read_dicom, unreadable
from scripts.radiograph.picture import blank, read_nifti, read_picture

LARGEST_BYTES: Final = 1 << 30
"""Of one file: 100 million pixels of 16 bits take a fifth of it."""

_PICTURES: Final = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}


def read_radiograph(path: str | os.PathLike[str]) -> MetaTensor:
    """Read a radiograph: DICOM (CR, DX and single-frame relatives), PNG or JPEG, or 2D NIfTI. The content decides, not the name.

    Args:
        path: of the file.

    Returns:
        (1, H, W) float32 in 0..1, larger = denser (bone bright), the display range mapped to 0..1. Rows run toward the
        patient's feet, columns toward the patient's left. `meta` holds:

        - filename_or_obj: the path; affine: (4, 4) with the patient-plane spacing in mm (1 where unknown);
        - spacing_detector_mm, spacing_mm (patient plane): (row, col) or None; spacing_source: see `Spacing`;
        - film_shape: (H, W) of the displayed film; orientation: the `Orientation` that made it from the stored one;
        - modality, view, laterality, age_years, sex, weight_kg, height_cm, study_uid, series_uid, sop_uid, assumptions:
          see `Header`.

        Unknown values are None, which MONAI's default collate cannot stack: a training chain ends with
        `EnsureTyped(track_meta=False)`.

    Raises:
        RefusedError: with a code and a sentence for the user, if the file is missing, damaged, of another kind, or shows
            something other than one human hip radiograph.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(348)
        size = path.stat().st_size
        dicom = is_dicom(path)
    except OSError as error:
        raise refused(
            Code.UNREADABLE, f"The file cannot be opened ({error.strerror}); it was not analysed. Check that it may be read."
        ) from error
    if not size:
        raise unreadable("a radiograph")
    if size > LARGEST_BYTES:
        raise refused(
            Code.NOT_A_RADIOGRAPH,
            f"The file has {size >> 20} MiB, but a radiograph has at most {LARGEST_BYTES >> 20}; it was not analysed.",
        )

    name = path.name.lower()
    if not dicom and any(start.startswith(magic) for magic in _PICTURES):
        pixels, spacing, orientation, header = read_picture(path)
    elif not dicom and name.endswith((".nii", ".nii.gz")):
        pixels, spacing, orientation, header = read_nifti(path)
    elif not dicom and name.endswith((".png", ".jpg", ".jpeg")):
        raise unreadable("a picture")
    else:
        pixels, spacing, orientation, header = read_dicom(path)
    if pixels.min() == pixels.max():
        raise blank()

    shown = np.ascontiguousarray(orientation.to_display(pixels))
    if orientation.transpose:
        spacing = spacing.transposed()
    meta = {
        "filename_or_obj": str(path),
        "spacing_detector_mm": spacing.detector_mm,
        "spacing_mm": spacing.patient_mm,
        "spacing_source": spacing.source,
        "film_shape": shown.shape,
        "orientation": orientation,
        **asdict(header),
    }
    row, col = spacing.patient_mm or (1.0, 1.0)
    affine = torch.diag(torch.tensor([row, col, 1.0, 1.0], dtype=torch.float64))
    return MetaTensor(torch.from_numpy(shown)[None], affine=affine, meta=meta)
