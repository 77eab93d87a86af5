"""The familiar curve of bone density against age, with a patient's hips on it, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from scripts.clinical import Criteria, Reference

_WIDTH, _HEIGHT = 340, 215
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 6, 6, 30
_AGES: Final = (20.0, 90.0)
_SPREAD_T: Final = (-5.0, 2.5)  # T-scores at the lower and the upper edge
_APART: Final = 5.0  # pixels between the two hips
_BANDS: Final = (("osteoporosis", "#f6c9c2"), ("low bone mass", "#fbeab8"), ("normal", "#cfe6d3"))
_INK, _SOFT = "#16212e", "#4a5563"


@dataclass(frozen=True)
class Point:
    """One hip: side, density and interval, g/cm²."""

    side: str
    bmd: float
    interval: tuple[float, float]


def draw_chart(
    points: Sequence[Point], site: str, age_years: float, sex: str, reference: Reference, criteria: Criteria,
    words: Mapping[str, str], described: str,
) -> Markup:  # fmt: skip
    """Draw it: bands of the WHO's categories, the mean of a sex by age with a standard deviation to either side, and the hips.

    A right hip is a disc, a left one an open square, each with its letter, so that no colour is needed.

    Args:
        points: of the hips.
        site: "neck" or "total".
        age_years: of the patient.
        sex: "F" or "M", of the curve.
        reference: with young women and the sex by age.
        criteria: cut points of the bands.
        words: of the page's language.
        described: the whole in words, for those who do not see it.
    """
    low, high = (reference.bmd(t_score, site) for t_score in _SPREAD_T)
    across = (_WIDTH - _LEFT - _RIGHT) / (_AGES[1] - _AGES[0])
    up = (_HEIGHT - _TOP - _BOTTOM) / (high - low)

    def x(age: float) -> float:
        return _LEFT + (min(max(age, _AGES[0]), _AGES[1]) - _AGES[0]) * across

    def y(bmd: float) -> float:
        return _TOP + (high - min(max(bmd, low), high)) * up

    edges = [low, *(reference.bmd(cut, site) for cut in (criteria.osteoporosis_at_most, criteria.normal_at_least)), high]
    parts = []
    for (name, colour), below, above in zip(_BANDS, edges[:-1], edges[1:], strict=True):
        parts.append(f'<rect x="{_LEFT}" y="{y(above):.1f}" width="{_WIDTH - _LEFT - _RIGHT}" '
                     f'height="{y(below) - y(above):.1f}" fill="{colour}"/>')  # fmt: skip
        parts.append(_text(_LEFT + 4, y(below) - 5, words[name], "start", _SOFT))
    ageing = reference.by_age[sex][site]
    peers = [(age, ageing.at(age)) for age in range(int(_AGES[0]), int(_AGES[1]) + 1, 2)]
    for sds, style in ((-1, 'stroke-dasharray="4 3"'), (0, 'stroke-width="1.8"'), (1, 'stroke-dasharray="4 3"')):
        line = " ".join(f"{x(age):.1f},{y(people.mean + sds * people.sd):.1f}" for age, people in peers)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{_SOFT}" {style}/>')
    for tenth in range(int(low * 10) + 1, int(high * 10) + 1, 2):
        parts.append(_text(_LEFT - 4, y(tenth / 10) + 4, f"{tenth / 10:.1f}", "end", _SOFT))
    for age in range(int(_AGES[0]), int(_AGES[1]) + 1, 10):
        parts.append(_text(x(age), _HEIGHT - _BOTTOM + 13, str(age), "middle", _SOFT))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 3, words["age"], "middle", _SOFT))
    for point in points:
        shift = -_APART if point.side == "right" else _APART
        parts += _hip(point, x(age_years) + shift, y, words)
    return Markup(
        f'<svg role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" xmlns="http://www.w3.org/2000/svg"><title>{escape(described)}</title>'
        f"{''.join(parts)}</svg>"
    )


def _hip(point: Point, middle: float, y: Callable[[float], float], words: Mapping[str, str]) -> list[str]:
    at, low, high = (y(value) for value in (point.bmd, *point.interval))
    path = f"M{middle:.1f} {low:.1f}V{high:.1f}M{middle - 3:.1f} {low:.1f}h6M{middle - 3:.1f} {high:.1f}h6"
    bar = f'<path d="{path}" stroke="{_INK}" stroke-width="1.6"/>'
    if point.side == "right":
        mark = f'<circle cx="{middle:.1f}" cy="{at:.1f}" r="4" fill="{_INK}"/>'
    else:
        corner = f'x="{middle - 3.5:.1f}" y="{at - 3.5:.1f}"'
        mark = f'<rect {corner} width="7" height="7" fill="#fff" stroke="{_INK}" stroke-width="1.8"/>'
    anchor, aside = ("end", -7) if point.side == "right" else ("start", 7)
    return [bar, mark, _text(middle + aside, at + 4, words[point.side][0], anchor, _INK, bold=True)]


def _text(x: float, y: float, text: str, anchor: str, colour: str, bold: bool = False) -> str:
    weight = ' font-weight="700"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(text)}</text>'
