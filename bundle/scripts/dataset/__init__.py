"""The data folder: its manifest, the files in it, studies and pseudonyms, labels, and what a row knows of the truth."""

from scripts.dataset.labels import LoadLabeld, LoadLandmarksd, read_label, read_landmarks
from scripts.dataset.listing import NoRadiographsError, list_radiographs
from scripts.dataset.manifest import read_manifest
from scripts.dataset.studies import share_of_studies, sort_studies
from scripts.dataset.truth import Truth, calibration_radiographs, held_out_radiographs, read_truth

__all__ = [
    "LoadLabeld",
    "LoadLandmarksd",
    "NoRadiographsError",
    "Truth",
    "calibration_radiographs",
    "held_out_radiographs",
    "list_radiographs",
    "read_label",
    "read_landmarks",
    "read_manifest",
    "read_truth",
    "share_of_studies",
    "sort_studies",
]
