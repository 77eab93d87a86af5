"""The points that locate a proximal femur on a radiograph."""

from scripts.clinical.channels import SIDES

__all__ = ["LANDMARKS", "LOCATING", "SIDES"]

LANDMARKS = ("head_centre", "neck_base", "greater_trochanter", "lesser_trochanter", "shaft")
"""The order of the landmarks of one hip: centre of the femoral head; where the neck axis meets the shaft axis; tip of the
greater trochanter; tip of the lesser trochanter; centre of the shaft 40 mm below the lesser trochanter."""

LOCATING = 4
"""How many of the landmarks, the first ones, must be seen for a hip to be measured: all but the shaft's, since DXA's total hip
ends above it and many films do too."""
