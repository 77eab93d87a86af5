"""Small DICOM films, made anew."""

import io
from datetime import date
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from scripts.development.made import BUNDLE

TODAY = f"{date.today():%Y%m%d}"


def make_film(syntax: UID = ExplicitVRLittleEndian, **attributes: Any) -> Dataset:
    """A small one, of a study and a series of its own, from today."""
    film = pydicom.dcmread(BUNDLE / "examples" / "images" / "normal.dcm", stop_before_pixels=True)
    film.Rows, film.Columns, film.StudyDate = 80, 64, TODAY
    film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID = (generate_uid() for _ in range(3))
    for name, value in attributes.items():
        setattr(film, name, value)
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pixels = np.random.default_rng(5).integers(0, 4096, (80, 64), dtype=np.uint16)
    film.add_new("PixelData", "OW", pixels.tobytes())
    if syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        film.file_meta.TransferSyntaxUID = syntax
    elif syntax != ExplicitVRLittleEndian:
        film.compress(syntax, generate_instance_uid=False)
    return film


def content_of(film: Dataset) -> bytes:
    written = io.BytesIO()
    film.save_as(written, enforce_file_format=True)
    return written.getvalue()
