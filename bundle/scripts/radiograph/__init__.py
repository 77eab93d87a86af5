"""Radiographs: finding, reading and refusing them, their geometry, and the preprocessing as MONAI transforms."""

from scripts.radiograph.geometry import Orientation, Spacing
from scripts.radiograph.isolation import REFUSAL, IsolatedReader
from scripts.radiograph.labels import CLASSES, read_label, read_landmarks
from scripts.radiograph.landmarks import LANDMARKS, SIDES
from scripts.radiograph.listing import NoRadiographsError, list_radiographs
from scripts.radiograph.manifest import read_manifest
from scripts.radiograph.reader import read_radiograph
from scripts.radiograph.sampling import to_film_points, to_resampled_points
from scripts.radiograph.studies import sort_studies
from scripts.radiograph.transforms import (
    COVARIATES,
    NETWORK_SPACING_MM,
    LoadLabeld,
    LoadLandmarksd,
    LoadRadiographd,
    NormaliseRadiographd,
    ResampleRadiographd,
)

__all__ = [
    "CLASSES",
    "COVARIATES",
    "LANDMARKS",
    "NETWORK_SPACING_MM",
    "REFUSAL",
    "SIDES",
    "IsolatedReader",
    "LoadLabeld",
    "LoadLandmarksd",
    "LoadRadiographd",
    "NoRadiographsError",
    "NormaliseRadiographd",
    "Orientation",
    "ResampleRadiographd",
    "Spacing",
    "list_radiographs",
    "read_label",
    "read_landmarks",
    "read_manifest",
    "read_radiograph",
    "sort_studies",
    "to_film_points",
    "to_resampled_points",
]
