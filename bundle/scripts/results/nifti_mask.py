"""Masks as NIfTI, for viewers and programs that take no DICOM."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from scripts.files import replacing
from scripts.screening.findings import Seen


class NiftiMaskWriter:
    """Writes masks/NAME.nii.gz: the classes on the grid of the file, values of `HIP.classes`, stored as (column, row).

    The affine has the pixel size that the file itself tells (of an imager's pixel size, that at the detector), so that the mask
    lies on the radiograph where a viewer shows both; where the file tells none, the one that was measured. As of a DICOM image
    without a place in the patient, columns run to the patient's left and rows to the back: LPS, which NIfTI tells as -, -.
    """

    key = "nifti"

    def __call__(self, name: str, seen: Seen, folder: Path) -> str | None:
        """Write the mask of one radiograph, and return its path, relative to ``folder``."""
        row, col = _file_spacing(seen.image.meta)
        image = nib.Nifti1Image(np.ascontiguousarray(seen.mask.T), np.diag([-col, -row, 1.0, 1.0]))
        image.header.set_xyzt_units("mm")
        path = f"masks/{name}.nii.gz"
        with replacing(folder / path) as temporary:
            temporary.write_bytes(gzip.compress(image.to_bytes(), mtime=0))
        return path


def _file_spacing(meta: Mapping[str, Any]) -> tuple[float, float]:
    """(row, column) mm of the file's pixels, as it stores them."""
    shown = [size / scale for size, scale in zip(meta["spacing_mm"], meta["resample_scale"], strict=True)]
    if meta["spacing_detector_mm"] is not None and "magnification" in str(meta["spacing_source"]):
        shown = list(meta["spacing_detector_mm"])
    row, col = shown
    return (col, row) if meta["orientation"].transpose else (row, col)
