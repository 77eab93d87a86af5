"""What the fracture risk tool FRAX can be given of the estimates: the T-score of a femoral neck."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from scripts.clinical.reference import Reference

FRAX_FILE: Final = Path(__file__).with_name("frax.json")


@dataclass(frozen=True)
class FraxNeck:
    """The femoral neck for FRAX.

    side: "right" or "left". t_score, t_interval: against young women, whatever the patient's sex. expects: what FRAX takes,
    and how this number differs from it, in a sentence or two for the report's reader.
    """

    side: str
    t_score: float
    t_interval: tuple[float, float]
    expects: str


def choose_frax_neck(
    necks: Mapping[str, tuple[float, float, float]], age_years: float | None, reference: Reference
) -> FraxNeck | None:
    """The lower of the femoral necks that were measured; None where none was, or FRAX does not take the age.

    Args:
        necks: by side, the areal BMD of the neck and both ends of its interval, g/cm²; only of measured hips.
        age_years: of the patient; None where unknown. FRAX takes whole years, 40 to 90.
        reference: its women serve both sexes.

    Example:
        >>> from scripts.clinical.reference import load_reference
        >>> neck = choose_frax_neck({"right": (0.7, 0.6, 0.8), "left": (0.618, 0.5, 0.7)}, 64, load_reference())
        >>> neck.side, round(neck.t_score, 2)
        ('left', -2.0)
    """
    content = _content()
    taken = age_years is not None and content["youngest_age_years"] <= math.floor(age_years) <= content["oldest_age_years"]
    if not necks or not taken:
        return None
    side = min(necks, key=lambda side: necks[side][0])
    t_score, low, high = (reference.t_score(bmd, "neck") for bmd in necks[side])
    return FraxNeck(side, t_score, (low, high), content["expects"])


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FRAX_FILE.read_text(encoding="utf-8"))
    return content
