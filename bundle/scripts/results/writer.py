"""The handler that turns every finished radiograph into files, and the finished run into tables and a report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from scripts.results.document import make_document, write_document
from scripts.results.engine import REFUSAL
from scripts.results.pictures import draw_overlay, write_mask, write_overlay
from scripts.results.postprocessing import radiograph_facts
from scripts.results.record import Record, refused_record, screened_record
from scripts.results.report import write_report
from scripts.results.tables import write_rejected_table, write_results_table


class ResultsWriter:
    """Writes masks and overlays as radiographs are finished, and the tables, results.json and index.html at the end.

    Args:
        output_dir: where to.
        dataset_dir: the folder that was screened; files are named relative to it.
        provenance: see `provenance.describe_run`.
        notice: the sentence that every result carries.
    """

    def __init__(self, output_dir: str | Path, dataset_dir: str | Path, provenance: Mapping[str, Any], notice: str) -> None:
        self.output_dir = Path(output_dir)
        self.dataset_dir = Path(dataset_dir)
        self.provenance = provenance
        self.notice = notice
        self.records: list[Record] = []

    def attach(self, engine: Engine) -> None:
        """Register with the evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.write_iteration)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Forget an earlier run."""
        self.records = []

    def write_iteration(self, engine: Engine) -> None:
        """Write the pictures of the items of this iteration."""
        state: Any = engine.state  # MONAI's evaluator keeps lists of items here
        for item, output in zip(state.batch, state.output, strict=True):
            self.records.append(self._write_item({**item, **output}))

    def finish(self, engine: Engine) -> None:
        """Write the tables, the document and the report, and say what is where."""
        document = make_document(self.records, self.provenance, self.notice)
        write_document(document, self.output_dir / "results.json")
        write_results_table(self.records, self.notice, self.output_dir / "results.csv")
        write_rejected_table(self.records, self.output_dir / "rejected.csv")
        write_report(document, self.output_dir / "index.html")
        summary = document["summary"]
        print(
            f"{summary['radiographs']} radiographs: {summary['hips_measured']} hips measured on {summary['measured']}, "
            f"{summary['refused']} refused. See {self.output_dir / 'index.html'}; numbers in results.csv and "
            "results.json, refusals in rejected.csv beside it."
        )

    def _write_item(self, item: Mapping[str, Any]) -> Record:
        name, file = item["name"], Path(os.path.relpath(item["file"], self.dataset_dir)).as_posix()
        if REFUSAL in item:
            return refused_record(name, file, item[REFUSAL])
        mask_path = f"masks/{name}.png"
        write_mask(item["mask"], self.output_dir / mask_path)
        overlay_path = None
        if (overlay := draw_overlay(item["image"].as_tensor(), item, item["screening"])) is not None:
            overlay_path = f"overlays/{name}.png"
            write_overlay(overlay, self.output_dir / overlay_path)
        meta = item["image"].meta
        facts = radiograph_facts(meta, item["covariates"])
        return screened_record(name, file, item["screening"], facts, meta, {"mask": mask_path, "overlay": overlay_path})
