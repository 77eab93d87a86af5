"""Small DICOM films, made anew."""

import io
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)
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


def make_clouds(seed: int, **attributes: Any) -> Dataset:
    """A small film of clouds at 0.6 mm, which the networks see in little time; two seeds a study."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    ds.SOPInstanceUID = generate_uid(entropy_srcs=["film", str(seed)])
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["study", str(seed // 2)])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=["series", str(seed // 2)])
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition, ds.PatientAge, ds.PatientSex = "DX", "HIP", "AP", "070Y", "F"
    ds.PixelSpacing = ds.ImagerPixelSpacing = [0.6, 0.6]
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 140, 130, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    rows, cols = np.mgrid[:140, :130]
    ds.PixelData = np.round(2000 + 1000 * np.sin(rows / 40 + seed) + 1000 * np.cos(cols / 30)).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def write_film(path: Path, seed: int, **attributes: Any) -> None:
    """Write one of clouds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    make_clouds(seed, **attributes).save_as(path, enforce_file_format=True)
