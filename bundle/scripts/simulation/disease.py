"""What disease does to a hip: osteoarthritis, bony spurs and displaced fractures."""

from dataclasses import dataclass
from enum import StrEnum


class Fracture(StrEnum):
    """A displaced fracture of the proximal femur."""

    NONE = "none"
    NECK = "neck_fracture"
    INTERTROCHANTERIC = "intertrochanteric_fracture"


@dataclass(frozen=True)
class Disease:
    """State of one hip.

    ``osteoarthritis`` runs from 0 (none) to 1 (bone on bone: joint space gone, osteophytes, sclerosis), ``enthesophytes`` from
    0 to 1 (spurs at the tendon insertions of 6 mm).
    """

    osteoarthritis: float = 0.0
    enthesophytes: float = 0.0
    fracture: Fracture = Fracture.NONE
