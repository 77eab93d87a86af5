"""Radiographs: reading and refusing them, their geometry, and the preprocessing as MONAI transforms."""

from scripts.radiograph.geometry import Orientation, Spacing
from scripts.radiograph.isolation import REFUSAL, IsolatedReader
from scripts.radiograph.quiet import quiet
from scripts.radiograph.reader import read_dicom_header, read_radiograph
from scripts.radiograph.sampling import to_displayed_points, to_resampled_points
from scripts.radiograph.transforms import LoadRadiographd, NormaliseRadiographd, ResampleRadiographd

__all__ = [
    "REFUSAL",
    "IsolatedReader",
    "LoadRadiographd",
    "NormaliseRadiographd",
    "Orientation",
    "ResampleRadiographd",
    "Spacing",
    "quiet",
    "read_dicom_header",
    "read_radiograph",
    "to_displayed_points",
    "to_resampled_points",
]
