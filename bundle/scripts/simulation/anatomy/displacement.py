"""How far apart a radiograph shows the fragments of a broken femur."""

from collections.abc import Iterator

import torch
from torch import Tensor

from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.fragments import Fragment

_SPACING_MM = 2.5
_BESIDE_MM = 2.0
"""How near to two fragments a point of the unbroken bone lies on the surface where they broke apart."""
_FEWEST = 6
_LARGEST = 0.9
"""Quantile over a broken surface: a reader judges the widest gap or step, not the hinge."""


def displacement_mm(femur: Femur) -> float:
    """Measure the projected displacement of a fracture, in mm in the patient, without magnification.

    Points on the surface where two fragments broke apart were one before the fracture. How far they are from each other now, seen
    along the rays of an AP radiograph (parallel ones), is the gap, step or overlap there. The value is the 90th percentile of it
    over the surface, and the largest of all pairs of fragments; 0 for a whole femur.

    Args:
        femur: with its fragments and its pose.
    """
    largest = 0.0
    for first, second, surface in broken_surfaces(femur):
        largest = max(largest, widest(femur.to_patient(first.moved(surface)) - femur.to_patient(second.moved(surface))))
    return largest


def widest(apart: Tensor) -> float:
    """Measure the widest part of a gap, without its hinge: vectors (n, 3) across it, patient, as an AP radiograph shows them."""
    return float(apart[:, [0, 2]].norm(dim=-1).quantile(_LARGEST))


def broken_surfaces(femur: Femur) -> Iterator[tuple[Fragment, Fragment, Tensor]]:
    """Find each pair of fragments that broke apart, and points (n, 3) of the unbroken bone on the surface between them."""
    if not femur.fragments:
        return
    low, high = femur.own_box()
    axes = [torch.arange(float(a), float(b), _SPACING_MM) for a, b in zip(low, high, strict=True)]
    points = torch.cartesian_prod(*axes)
    points = points[femur.outline(femur.bent(points)) < 0]
    near = [fragment.distance(points) < _BESIDE_MM for fragment in femur.fragments]
    for index, first in enumerate(femur.fragments):
        for other in range(index):
            surface = points[near[index] & near[other]]
            if len(surface) >= _FEWEST:
                yield first, femur.fragments[other], surface
