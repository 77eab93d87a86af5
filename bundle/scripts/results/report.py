"""index.html: all radiographs of a run on one page, for reading in a browser without a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts.clinical import Quantity, load_criteria, load_reference
from scripts.files import replacing
from scripts.results.document import Document
from scripts.results.overview import count_codes, draw_t_scores, make_rows
from scripts.results.pictures import AXIS_COLOUR, BOX_COLOUR, CONTOUR_COLOURS, FRACTURE_COLOUR, LANDMARK_COLOUR, REGION_COLOUR
from scripts.results.record import counting_estimates
from scripts.results.templates import template_environment

_SCALE_T = (-5.0, 2.0)
"""The T-scores at both ends of the scale that is drawn beside each number."""


def write_report(document: Document, quantities: Sequence[Quantity], folder: Path) -> None:
    """Write index.html; overlays are linked, relative to its folder."""
    criteria = load_criteria()
    rows = make_rows(document, folder)
    page = (
        template_environment()
        .get_template("report.html.jinja")
        .render(
            document=document,
            rows=rows,
            codes=count_codes(rows),
            drawn_scores=draw_t_scores(rows, criteria),
            radiographs={record["name"]: record for record in document["radiographs"]},
            reference=load_reference(),
            criteria=criteria,
            scale=scale_percent,
            duration=in_words,
            counting_estimates=counting_estimates,
            scale_ends=_SCALE_T,
            css_colour=lambda rgb: "rgb({}, {}, {})".format(*rgb),
            colours={
                "contours": CONTOUR_COLOURS,
                "box": BOX_COLOUR,
                "landmark": LANDMARK_COLOUR,
                "region": REGION_COLOUR,
                "axis": AXIS_COLOUR,
                "fracture": FRACTURE_COLOUR,
            },
            site_names={"neck": "Femoral neck", "total": "Total hip"},
        )
    )
    with replacing(folder / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def scale_percent(t_score: float) -> float:
    """Where a T-score lies on the drawn scale, 0 (left end) to 100 (right end); what lies beyond is put on the end."""
    low, high = _SCALE_T
    return round(100 * min(max((t_score - low) / (high - low), 0.0), 1.0), 2)


def in_words(seconds: float) -> str:
    """A duration as people say it: "0.4 s", "12 s", "3 min 20 s", "2 h 05 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
