"""Where a radiograph shows that a femur is broken: what a reader would point at."""

from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image, ImageDraw

from scripts.dataset.truth import VISIBLE_MM
from scripts.simulation.anatomy.displacement import broken_surfaces, widest
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.physics.projection import ImagePlane

_RADIUS_MM = 2.5
"""How far round a point of a broken surface; these lie as far apart from each other, so that the zone closes."""


def fracture_zone(femurs: Iterable[Femur], plane: ImagePlane) -> np.ndarray:
    """Draw where fragments broke apart, on both of them, as far as that shows: those apart by `VISIBLE_MM` or more.

    Args:
        femurs: each in its pose.
        plane: of the image.

    Returns:
        (rows, columns) bool.
    """
    canvas = Image.new("1", (plane.columns, plane.rows))
    pen, radius = ImageDraw.Draw(canvas), _RADIUS_MM / plane.spacing
    for femur in femurs:
        for first, second, surface in broken_surfaces(femur):
            ends = [femur.to_patient(fragment.moved(surface)) for fragment in (first, second)]
            if widest(ends[0] - ends[1]) >= VISIBLE_MM:
                for row, col in plane.pixel_of(torch.cat(ends)).tolist():
                    pen.ellipse((col - radius, row - radius, col + radius, row + radius), fill=1)
    return np.asarray(canvas)
