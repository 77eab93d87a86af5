"""study.html: what reporting guidelines ask of an evaluation, on one page that stands by itself and has no date."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.files import replacing
from scripts.results.flow_diagram import draw_flow
from scripts.results.templates import template_environment


def write_study_page(content: Mapping[str, Any], path: Path) -> None:
    """Write the page, and its flow diagram as flow.svg beside it: of the same content the same bytes.

    Args:
        content: of `scripts.evaluation.study.report.write_study`.
        path: of the page.
    """
    diagram = draw_flow(content["flow"])
    headings = {section["anchor"]: section["heading"] for section in content["sections"]} | {"summary": "The page's head"}
    page = template_environment().get_template("study.html.jinja").render(**content, diagram=diagram, headings=headings)
    for file, written in ((path, page), (path.with_name("flow.svg"), f"{diagram}\n")):
        with replacing(file) as temporary:
            temporary.write_text(written, encoding="utf-8")
