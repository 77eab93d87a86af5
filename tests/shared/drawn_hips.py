"""A hip drawn from a circle, a bar and a tube of known measures, on a radiograph turned by any angle, of either side."""

from typing import NamedTuple

import numpy as np
from scripts.clinical.anatomy import HIP
from scripts.measurement.outline import Outline

SPACING = 0.3
SIZE = 1000
HEAD_RADIUS, NECK_LENGTH, NECK_WIDTH, SHAFT_WIDTH, CANAL, ANGLE = 23.0, 52.0, 32.0, 28.0, 14.0, 125.0
LESSER_BELOW = 26.0  # the base of the neck
SHAFT_BELOW = 150.0
LATERAL = 22.0  # of the shaft's axis, on the axis of the neck
CROP_SPACING = 0.55


class Drawn(NamedTuple):
    image: np.ndarray
    outline: Outline
    landmarks: np.ndarray
    canonical: np.ndarray
    to_radiograph: object


def draw_hip(turn_deg: float = 0.0, left: bool = False, shaft_below: float = SHAFT_BELOW, centre=(400.0, 500.0)) -> Drawn:
    """Own coordinates are (down, medial) mm from the base of the neck; the radiograph shows them turned about `centre`."""
    turn = np.radians(turn_deg)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    mirror = np.diag([1.0, -1.0 if left else 1.0])  # a right hip's medial side is the viewer's right
    matrix = rotation @ mirror

    def to_radiograph(points):
        return np.asarray(points) @ matrix.T / SPACING + centre

    rows, cols = np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij")
    own = (np.stack([rows, cols], axis=-1) - centre) * SPACING @ matrix
    down, medial = own[..., 0], own[..., 1]
    lean = np.radians(180.0 - ANGLE)
    to_head = np.array([-np.cos(lean), np.sin(lean)])
    head = NECK_LENGTH * to_head
    along = (own - head) @ -to_head
    up = (own - head) @ np.array([-to_head[1], to_head[0]])
    # The neck is narrowest in its middle, so that there is a narrowest place.
    half = NECK_WIDTH / 2 + 0.004 * (along - 30.0) ** 2
    neck = (np.abs(up) <= half) & (along >= 0) & (along <= NECK_LENGTH + LATERAL)
    shaft = (np.abs(medial) <= SHAFT_WIDTH / 2) & (down >= 0) & (down <= shaft_below)
    femur = (np.hypot(*(own - head).transpose(2, 0, 1)) <= HEAD_RADIUS) | neck | shaft

    def wall(radius):
        return 2 * np.sqrt(np.maximum(radius**2 - medial**2, 0.0))

    tube = (wall(SHAFT_WIDTH / 2) - wall(CANAL / 2)) * shaft
    image = np.where(femur, 0.2, 0.0) + tube / 40.0
    points = dict.fromkeys(HIP.landmarks, (np.nan, np.nan)) | {
        "head_centre": head, "neck_base": (0, 0), "greater_trochanter": (-30, -12), "lesser_trochanter": (LESSER_BELOW, 14),
    }  # fmt: skip
    landmarks = to_radiograph([points[name] for name in HIP.landmarks])
    crop = matrix * CROP_SPACING / SPACING
    canonical = np.column_stack([crop, to_radiograph([-60.0, -60.0])])
    return Drawn(image.astype(np.float32), Outline(femur, (SPACING, SPACING)), landmarks, canonical, to_radiograph)
