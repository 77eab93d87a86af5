"""The cascade's output: names and order of the channels of `ScreeningNetwork`, which `interpret` reads."""

from __future__ import annotations

from typing import Final

from scripts.clinical.anatomy import HIP

HIP_CHANNELS: Final = (
    "present",
    "femur",
    "implant",
    "fracture",
    "shaft_angle",
    "rotation",
    "agreement",
    "neck_bmd",
    "neck_bmd_sd",
    "total_bmd",
    "total_bmd_sd",
)
"""Of one hip.

present: confidence that the proximal femur is shown, 0..1 (the least of its landmarks' peak probabilities).
femur: probability that what was found is an adult's proximal femur, seen from the front and clearly, 0..1.
implant: fraction of metal in the proximal-femur mask, 0..1.
fracture: probability that the proximal femur is broken or deformed, 0..1.
shaft_angle: abduction of the shaft axis from the image's vertical, degrees; positive = knee lateral.
rotation: by how much the femur is turned outward from the pose in which its neck lies in the film's plane, degrees; negative =
    inward.
agreement: Dice of two drawings of the femur's contour, the second a little turned and enlarged, 0..1; 0 where none was found.
neck_bmd, total_bmd: areal bone mineral density, g/cm²; 0 where the hip is masked out (absent or implanted).
neck_bmd_sd, total_bmd_sd: standard deviation of that estimate, g/cm²; 0 where masked out.
"""

OSTEOPOROSIS: Final = "osteoporosis_probability"
"""The classifier's probability, 0..1, that the lowest T-score of the radiograph's hips is <= -2.5."""

PICTURE_CHANNELS: Final = ("hip_view", "novelty", "pelvic_turn")
"""Of the whole radiograph.

hip_view: probability that this is an upright AP view of an adult's hip or pelvis, 0..1.
novelty: distance of the encoder's features from those of simulated AP hips, 0 or more; it means something only beside the
    threshold that belongs to the weights.
pelvic_turn: rotation of the pelvis about the body's long axis, degrees; 0 = facing the tube, or where not both hips are seen.
"""

CHANNELS: Final = (*(f"{side}_{channel}" for side in HIP.sides for channel in HIP_CHANNELS), OSTEOPOROSIS, *PICTURE_CHANNELS)
"""All 26 channel names, in the order of the second axis of the cascade's (B, 26) output."""
