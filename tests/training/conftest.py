"""A tiny cohort on disk: films with two drawn femurs, their masks and landmarks, and a manifest."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid
from scripts.clinical.anatomy import HIP
from skimage.draw import disk, polygon

SPACING_MM = 1.0
SHAPE = (190, 270)  # not square
HEADS = ((60, 85), (60, 185))
SPLITS = ("train",) * 5 + ("validation",) * 4


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine patients; the fifth's left hip is implanted. The bone is the brighter, the higher its BMD."""
    folder = tmp_path_factory.mktemp("cohort")
    for name in ("images", "masks", "landmarks"):
        (folder / name).mkdir()
    rows = [write_patient(folder, index, split) for index, split in enumerate(SPLITS)]
    write_manifest(folder, rows)
    return folder


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five films that show no hip: a single bright bar."""
    folder = tmp_path_factory.mktemp("others")
    rows = []
    for index, split in enumerate(("train", "train", "train", "validation", "validation")):
        film = np.random.default_rng(50 + index).normal(1200, 60, SHAPE)
        film[:, 100 + 5 * index : 130 + 5 * index] += 1500
        write_dicom(folder / f"K{index}.dcm", np.clip(film, 0, 4095).astype(np.uint16))
        rows.append({"image": f"K{index}.dcm", "split": split, "kind": "shin"})
    write_manifest(folder, rows)
    return folder


def write_manifest(folder: Path, rows: list[dict[str, object]]) -> None:
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_patient(folder: Path, index: int, split: str) -> dict[str, object]:
    rng = np.random.default_rng(index)
    name, bmd = f"P{index}", 0.5 + 0.08 * index
    film, mask = rng.normal(1200, 60, SHAPE), np.zeros(SHAPE, np.uint8)
    landmarks = {}
    for side, head, mirror in (("right", HEADS[0], 1), ("left", HEADS[1], -1)):
        points = {key: (head[0] + row, head[1] + mirror * col) for key, (row, col) in HIP.template_mm.items()}
        landmarks[side] = points
        femur = np.zeros(SHAPE, bool)
        femur[disk(head, 22, shape=SHAPE)] = True
        shaft = points["shaft"]
        outline = [head, points["greater_trochanter"], (shaft[0], shaft[1] - 14), (shaft[0], shaft[1] + 14)]
        femur[polygon(*np.transpose(outline), shape=SHAPE)] = True
        film[femur] += 1500 * bmd
        mask[femur] = 1
    implanted = index == 4
    if implanted:
        metal = disk(HEADS[1], 24, shape=SHAPE)
        film[metal], mask[metal] = 4000, 2
    write_dicom(folder / "images" / f"{name}.dcm", np.clip(film, 0, 4095).astype(np.uint16))
    Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    (folder / "landmarks" / f"{name}.json").write_text(json.dumps(landmarks))
    return {
        "image": f"images/{name}.dcm", "patient_id": name, "split": split, "age_years": 60 + index,
        "sex": "FM"[index % 2], "weight_kg": "" if index == 1 else 70, "height_cm": 165,
        "right_neck_bmd": bmd - 0.1, "right_total_bmd": bmd,
        "left_neck_bmd": "" if implanted else bmd - 0.1, "left_total_bmd": "" if implanted else bmd,
        "label": f"masks/{name}.png", "landmarks": f"landmarks/{name}.json",
        "view": "AP", "pelvic_turn_deg": index - 4, "right_rotation_deg": 5 * index, "left_rotation_deg": -index,
        "right_fracture": "neck_fracture" if index % 3 == 0 else "none", "left_fracture": "none",
        "right_canal_20_above_mm": 40 + index, "left_canal_20_above_mm": "" if implanted else 40.5 + index,
    }  # fmt: skip


def write_dicom(path: Path, pixels: np.ndarray) -> None:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "DX", "HIP", "AP"
    ds.PatientOrientation = ["L", "F"]
    ds.PixelSpacing, ds.PixelSpacingCalibrationType = [SPACING_MM, SPACING_MM], "GEOMETRY"  # 1.0 alone is not believed
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelData = pixels.tobytes()
    ds.save_as(path, enforce_file_format=True)
