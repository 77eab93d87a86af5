"""The data folder: its manifest, the files in it, studies and pseudonyms, labels, and what a row knows of the truth."""

from scripts.dataset.labels import read_label, read_landmarks
from scripts.dataset.listing import NoRadiographsError, list_radiographs
from scripts.dataset.manifest import read_manifest
from scripts.dataset.studies import share_of_studies, sort_studies
from scripts.dataset.truth import LoadLabeld, LoadLandmarksd, held_out_radiographs

__all__ = [
    "LoadLabeld",
    "LoadLandmarksd",
    "NoRadiographsError",
    "held_out_radiographs",
    "list_radiographs",
    "read_label",
    "read_landmarks",
    "read_manifest",
    "share_of_studies",
    "sort_studies",
]
