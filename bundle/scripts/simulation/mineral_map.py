"""The mineral that a radiograph shows, pixel by pixel, and which of it DXA reads: the truth behind its grey values."""

import numpy as np
import torch

from scripts.dataset.minerals import MINERAL_STEP, REGION_BITS
from scripts.simulation.anatomy.dxa import regions
from scripts.simulation.anatomy.trabeculae import on_mid_plane
from scripts.simulation.imaging import BONE_MM, State, Traced


def map_mineral(traced: Traced, state: State) -> np.ndarray:
    """Return an image (rows, columns, 3) of uint8 in steps of `MINERAL_STEP`: mineral along the rays in the femurs' cortex, in
    their spongy bone, and in pelvis and spine; none of a collimator, a style or noise."""
    mineral = torch.stack(traced.bones.compartments(state), dim=-1)
    return (mineral / MINERAL_STEP).round().clamp(0, 255).to(torch.uint8).numpy()


def map_regions(traced: Traced) -> np.ndarray:
    """Return an image (rows, columns) of uint8 of the `REGION_BITS`: where the rays meet DXA's regions of an unbroken
    femur. They are those of its mid-plane, as it lies."""
    plane = traced.plane
    found = torch.zeros(plane.rows, plane.columns, dtype=torch.uint8)
    x = plane.left + torch.arange(plane.columns) * plane.spacing
    z = plane.top + torch.arange(plane.rows) * plane.spacing
    for femur in traced.femurs.values():
        if femur.fragments:
            continue
        window = plane.window(*femur.box())
        points, within = on_mid_plane(femur, plane, x[window[1]], z[window[0]])
        own = (within > 0.5) & (traced.bones.femur[window] > BONE_MM)
        for bit, region in zip(REGION_BITS, regions(femur, points), strict=True):
            found[window] |= (own & region) * bit
    return found.numpy()
