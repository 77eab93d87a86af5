"""Radiographs for the tests: small DICOM files with exactly known pixels, not square, so that no axis can be mistaken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

ROWS, COLS = 80, 96


def ramp() -> np.ndarray:
    """(80, 96) uint16 of 12 bits, different in every row and column, from 0 to 4095."""
    values = np.arange(ROWS * COLS).reshape(ROWS, COLS)
    return np.round(values * 4095 / values.max()).astype(np.uint16)


def dataset(pixels: np.ndarray | None = None, **attributes: Any) -> Dataset:
    """A CR of a hip at 0.15 mm at the detector; `attributes` replace or, if None, remove elements."""
    pixels = ramp() if pixels is None else pixels
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.PatientName, ds.PatientID, ds.PatientSex, ds.PatientAge = "Secret^Person", "ID-4711", "F", "063Y"
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "CR", "HIP", "AP"
    ds.PatientOrientation = ["L", "F"]
    ds.ImagerPixelSpacing = [0.15, 0.15]
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    ds.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = pixels.dtype.itemsize * 8
    ds.BitsStored = 12 if ds.BitsAllocated == 16 else 8
    ds.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    ds.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.HighBit = ds.BitsStored - 1
    return ds


def write(folder: Path, pixels: np.ndarray | None = None, name: str = "film.dcm", **attributes: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset(pixels, **attributes).save_as(path, enforce_file_format=True)
    return path


def lut(first: int, bits: int, entries: np.ndarray, vr: str = "US") -> Sequence:
    item = Dataset()
    item.add_new(0x00283002, "US", [len(entries) % 65536, first, bits])
    data = entries.astype("u1").tobytes() if vr == "packed" else entries.astype("<u2").tobytes()
    item.add_new(0x00283006, "US" if vr == "US" else "OW", [int(entry) for entry in entries] if vr == "US" else data)
    return Sequence([item])


def coded(value: str, meaning: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return Sequence([item])


def with_words(change: Callable[[np.ndarray], np.ndarray], bits: int | None = None, **numbers: Any) -> dict[str, Any]:
    """Store other words, of 16 bits."""

    def alter(ds: Dataset) -> None:
        stored = change(ds.pixel_array.astype(np.uint16)).astype(np.uint16)
        ds.PixelData, ds.BitsAllocated, ds.BitsStored, ds.HighBit = stored.tobytes(), 16, bits or 12, (bits or 12) - 1
        ds["PixelData"].VR = "OW"
        for keyword, number in numbers.items():
            setattr(ds, keyword, number)

    return {"words": alter}


def with_table(name: str, *descriptors: tuple[int, ...], data: bool = True, entries: int = 256) -> dict[str, Any]:
    """A look-up table that shows each value as it is, with another descriptor."""

    def alter(ds: Dataset) -> None:
        sequence = []
        for descriptor in descriptors:
            item = lut(0, 8, np.arange(entries))[0]
            item.add_new(0x00283002, "US", list(descriptor))
            if descriptor == ():
                del item[0x00283002]
            if not data:
                del item[0x00283006]
            sequence.append(item)
        setattr(ds, name, Sequence(sequence))

    return {name: alter}
