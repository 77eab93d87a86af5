"""The quantities that the gate asks for, with its limits in force."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from scripts.clinical import QUANTITIES, Code, Limits, Quantity
from scripts.clinical.findings import Limit

HEAD: Final = "head_diameter_mm"
_HEAD_LIMITS: Final = tuple(
    Limit(f"head_diameter_at_{end}_mm", Code.WRONG_SCALE, 0, "", unknown_passes=True) for end in ("least", "most")
)
"""Asked of both hips together (`Gate.scale_reason`), and so not in the table's row."""


@dataclass(frozen=True)
class Asked:
    """A quantity and what the gate asks of it: limits with their values in force."""

    quantity: Quantity
    limits: tuple[tuple[Limit, float], ...]

    @property
    def label(self) -> str:
        """Its name and unit, for people.

        Example:
            >>> from scripts.clinical import load_gate
            >>> [asked.label for asked in ask(load_gate().limits)][5]
            'Shaft abduction, degrees'
        """
        name = self.quantity.name.removesuffix("_deg").removesuffix("_mm").replace("_", " ").capitalize()
        return f"{name}, {self.quantity.unit}" if self.quantity.unit else name

    @property
    def bounds(self) -> tuple[float, ...]:
        """Where its range of what is allowed ends, in the quantity's own sign, from low to high; infinite ones left out."""
        return tuple(sorted({limit.sign * value for limit, value in self.limits if math.isfinite(value)}))

    def beyond(self, value: float) -> bool:
        """Whether a value is beyond any of the limits."""
        return not all(limit.holds(value, bound) for limit, bound in self.limits)


def ask(limits: Limits) -> tuple[Asked, ...]:
    """All quantities that the gate asks for, in the order of the table.

    Args:
        limits: in force.
    """
    rows = [(quantity, quantity.limits or (_HEAD_LIMITS if quantity.name == HEAD else ())) for quantity in QUANTITIES]
    return tuple(
        Asked(quantity, tuple((limit, float(getattr(limits, limit.name))) for limit in asked))
        for quantity, asked in rows
        if asked
    )
