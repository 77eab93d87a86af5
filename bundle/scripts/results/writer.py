"""The handler that turns every finished study into files, and the finished run into tables and a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator

from scripts.clinical import Reason
from scripts.radiograph.isolation import REFUSAL
from scripts.results.document import make_document, write_document
from scripts.results.pictures import draw_overlay, write_mask, write_overlay
from scripts.results.record import Record, refused_record, screened_record, study_record
from scripts.results.report import write_report
from scripts.results.tables import write_rejected_table, write_results_table
from scripts.screening.interpretation import Interpretd, radiograph_facts
from scripts.screening.ledger import Ledger
from scripts.screening.study import interpret_study, unmeasured


class ResultsWriter:
    """Writes masks and overlays as studies are finished, and the tables, results.json and index.html at the end.

    Every file is named by the film's pseudonym. A study's pictures are written before the ledger gets its entry, so that what
    is entered is whole.

    Args:
        ledger: what the run has to do; open before the evaluator runs.
        interpretation: the one that the evaluator's postprocessing gives each film.
        notice: the sentence that every result carries.
    """

    def __init__(self, ledger: Ledger, interpretation: Interpretd, notice: str) -> None:
        self.ledger = ledger
        self.output_dir = ledger.output_dir
        self.interpretation = interpretation
        self.notice = notice

    def attach(self, engine: Engine) -> None:
        """Register with the evaluator, of which one iteration is one study."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.write_study)

    def write_study(self, engine: SupervisedEvaluator) -> None:
        """Write the pictures of the study of this iteration, and enter it."""
        state: Any = engine.state  # MONAI's evaluator keeps lists of items here
        films = [{**item, **output} for item, output in zip(state.batch, state.output, strict=True)]
        items = [self.ledger.items[film["name"]] for film in films]
        records = [self._write_film(film) for film in films]
        reasons = [_reason(film) for film in films]
        outcome = interpret_study(films, reasons, self.interpretation, engine.network)
        content = {"radiographs": records, "study": study_record(items, outcome)}
        self.ledger.add([film["name"] for film in films], content)

    def finish(self) -> None:
        """Write the tables, the document and the report from the ledger, and say what is where."""
        records, studies = [], []
        for study, items in self.ledger.studies.items():
            entry = self.ledger.entries.get(study)
            by_name = {record["name"]: record for record in entry["content"]["radiographs"]} if entry else {}
            for item in items:
                name = item["name"]
                records.append(by_name.get(name) or refused_record(item, self.ledger.place(name), item[REFUSAL]))
            # A study without an entry has no film that was read.
            record = entry["content"]["study"] if entry else study_record(items, unmeasured(items[0][REFUSAL]))
            studies.append({**record, "films": [item["name"] for item in items]})

        document = make_document(records, studies, self.ledger.provenance, self.notice)
        write_results_table(records, studies, self.notice, self.output_dir / "results.csv")
        write_rejected_table(records, self.output_dir / "rejected.csv")
        write_report(document, self.output_dir / "index.html")
        write_document(document, self.output_dir / "results.json")
        self.ledger.finish([path for record in records for path in record["outputs"].values() if path])
        summary = document["summary"]
        print(
            f"{summary['radiographs']} radiographs: {summary['hips_measured']} hips measured on {summary['measured']}, "
            f"{summary['refused']} refused. See {self.output_dir / 'index.html'}; numbers in results.csv and "
            "results.json, refusals in rejected.csv beside it."
        )

    def _write_film(self, film: Mapping[str, Any]) -> Record:
        name = film["name"]
        item, file = self.ledger.items[name], self.ledger.place(name)
        if REFUSAL in film:
            return refused_record(item, file, film[REFUSAL])
        mask_path = f"masks/{name}.png"
        write_mask(film["mask"], self.output_dir / mask_path)
        overlay_path = None
        image = film["image"]
        overlay = draw_overlay(image.as_tensor(), film, film["screening"], film["geometry"], image.meta["spacing_mm"])
        if overlay is not None:
            overlay_path = f"overlays/{name}.png"
            write_overlay(overlay, self.output_dir / overlay_path)
        meta = film["image"].meta
        facts = radiograph_facts(meta, film["covariates"])
        outputs = {"mask": mask_path, "overlay": overlay_path}
        return screened_record(item, file, film["screening"], facts, meta, outputs, film["geometry"])


def _reason(film: Mapping[str, Any]) -> Reason | None:
    reason: Reason | None = film[REFUSAL] if REFUSAL in film else film["screening"].reason
    return reason
