"""The flow of radiographs and patients through a study, as SVG: narrow enough for a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup, escape

_WIDTH: Final = 460
_MAIN, _SIDE = (6, 214), (258, 196)
"""Left edge and width of what goes on, and of what leaves."""
_LINE, _PAD, _GAP = 16, 9, 14
_FONTS: Final = "system-ui, DejaVu Sans, sans-serif"
_INK, _SOFT, _LINE_COLOUR = "#16212e", "#4a5563", "#66758a"
_FILLS: Final = {"main": "#e8eff7", "side": "#f6f1e4", "end": "#e6f1e9"}

Lines = Sequence[str]


def draw_flow(flow: Any) -> Markup:
    """Draw it: boxes from above to below, with what leaves at each step beside.

    Args:
        flow: of `scripts.evaluation.study.flow`, or what has the same attributes.
    """
    left_out = {"no DXA, mask or landmarks": flow.without_truth, "of another split": flow.other_split}
    not_analysed = {"without DXA of a hip": flow.without_dxa, "too young for a T-score": flow.too_young}
    steps: list[tuple[Lines, Lines]] = [
        (_counted("Found in the folder", flow.found), _some("Not evaluated", left_out)),
        (_counted("Evaluated", flow.evaluated), _codes("Not readable", flow.unread)),
        (_counted("Read", flow.read), _codes("Refused by the gate", flow.refused)),
        (_counted("Measured", flow.measured), _some("Patients not analysed", not_analysed)),
    ]
    parts: list[str] = []
    top = 4
    for step, leaving in steps:
        bottom = _box(parts, _MAIN, top, step, "main")
        fork = bottom + _GAP
        below = fork
        if leaving:
            below = _box(parts, _SIDE, fork - _PAD, leaving, "side")
            _arrow(parts, _MAIN[0] + _MAIN[1] // 2, fork + 6, _SIDE[0], fork + 6)
        following = max(below + _GAP, bottom + 2 * _GAP)
        _arrow(parts, _MAIN[0] + _MAIN[1] // 2, bottom, _MAIN[0] + _MAIN[1] // 2, following)
        top = following
    unanswered = f"{flow.unanswered} more have DXA and no answer"
    bottom = _box(parts, _MAIN, top, ("Analysed against DXA", f"{flow.analysed} patients", unanswered), "main")
    halves = {True: (6, 214), False: (240, 214)}
    middle = _MAIN[0] + _MAIN[1] // 2
    fork = bottom + _GAP
    last = fork
    for flagged, place in halves.items():
        lines = (
            f"Test {'positive' if flagged else 'negative'}: {flow.crossed[flagged, True] + flow.crossed[flagged, False]}",
            f"osteoporosis by DXA: {flow.crossed[flagged, True]}",
            f"no osteoporosis: {flow.crossed[flagged, False]}",
        )
        end = fork + _GAP
        last = _box(parts, place, end, lines, "end")
        centre = place[0] + place[1] // 2
        parts.append(f'<path d="M{middle} {bottom}V{fork}H{centre}" fill="none" stroke="{_LINE_COLOUR}"/>')
        _arrow(parts, centre, fork, centre, end)
    return Markup(
        f'<svg role="img" viewBox="0 0 {_WIDTH} {last + 4}" xmlns="http://www.w3.org/2000/svg" font-family="{_FONTS}">'
        f"<title>{escape(_in_words(flow))}</title>{''.join(parts)}</svg>"
    )


def _counted(what: str, count: Any) -> Lines:
    return (what, f"{count.radiographs} radiographs, {count.patients} patients")


def _some(heading: str, reasons: Mapping[str, int]) -> Lines:
    lines = [f"{count} {reason}" for reason, count in reasons.items() if count]
    return [heading, *lines] if lines else []


def _codes(heading: str, counts: Mapping[str, Any]) -> Lines:
    return [heading, *(f"{code}: {count.radiographs} ({count.patients})" for code, count in counts.items())] if counts else []


def _in_words(flow: Any) -> str:
    refused = sum(count.radiographs for count in (*flow.unread.values(), *flow.refused.values()))
    return (
        f"Flow: {flow.found.radiographs} radiographs found, {flow.evaluated.radiographs} evaluated, {refused} refused, "
        f"{flow.measured.radiographs} measured; {flow.analysed} patients analysed against DXA. The table below has every number."
    )


def _box(parts: list[str], place: tuple[int, int], top: int, lines: Lines, kind: str) -> int:
    """Draw a box with its lines, the first one bold; returns its lower edge."""
    left, width = place
    height = 2 * _PAD + _LINE * len(lines) - 3
    parts.append(
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="4" fill="{_FILLS[kind]}" stroke="{_LINE_COLOUR}"/>'
    )
    for index, line in enumerate(lines):
        style = f'font-weight="600" fill="{_INK}"' if not index else f'fill="{_SOFT}"'
        size = 12 if len(line) <= 30 else 10.5
        y = top + _PAD + _LINE * index + 11
        parts.append(f'<text x="{left + 9}" y="{y}" font-size="{size}" {style}>{escape(line)}</text>')
    return top + height


def _arrow(parts: list[str], x: int, y: int, to_x: int, to_y: int) -> None:
    head = "l-4 -6h8z" if x == to_x else "l-6 -4v8z"  # points down, or to the right
    parts.append(
        f'<path d="M{x} {y}L{to_x} {to_y}" stroke="{_LINE_COLOUR}"/><path d="M{to_x} {to_y}{head}" fill="{_LINE_COLOUR}"/>'
    )
