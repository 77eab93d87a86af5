"""Estimates as another maker's DXA would have given them, for hospitals that compare them with their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from monai.transforms import Transform

from scripts.clinical import OURS, Hip, convert_bmd, quantities_on_scale


class AddScaledBmdd(Transform):
    """Adds to "screening" what its estimates are on the scale of a maker of DXA; estimates and T-scores stay as they are.

    The values of each measured hip get `scripts.clinical.quantities_on_scale`, g/cm²; none where the scale is that of the
    estimates.

    Args:
        maker: see `scripts.clinical.Maker`.

    Raises:
        ValueError: for an unknown maker.
    """

    def __init__(self, maker: str) -> None:
        self.maker, self.quantities = maker, quantities_on_scale(maker)

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Add them to one item."""
        screening = data["screening"]
        return {**data, "screening": replace(screening, hips=tuple(map(self._add, screening.hips)))}

    def _add(self, hip: Hip) -> Hip:
        scaled = {
            quantity.name: convert_bmd(hip.estimates[site].bmd, site, OURS, self.maker)
            for site, quantity in self.quantities.items()
            if site in hip.estimates
        }
        return replace(hip, values={**hip.values, **scaled})
