"""The handler that turns every finished study into files, and the finished run into tables and a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator

from scripts.clinical import Precision, Quantity, Reason
from scripts.files import in_utf8
from scripts.radiograph import REFUSAL
from scripts.results.document import make_document
from scripts.results.record import (
    Record,
    make_passed_over_record,
    make_refused_record,
    make_screened_record,
    make_study_record,
)
from scripts.screening.findings import Findings, RadiographFindings, Seen
from scripts.screening.ledger import Ledger
from scripts.screening.study import unmeasured


class PictureWriter(Protocol):
    """Writes a picture of one radiograph: from its name, what was seen and the output folder to a path in that folder."""

    key: str

    def __call__(self, name: str, seen: Seen, folder: Path) -> str | None:
        """Write it."""


class StudyWriter(Protocol):
    """Writes what belongs to a study: from its findings, what was written of its radiographs by name and kind, and the output
    folder, to further paths in that folder: of each radiograph by name and kind, and of the study by kind."""

    def __call__(
        self, findings: Findings, pictures: Mapping[str, Mapping[str, str | None]], folder: Path
    ) -> tuple[Mapping[str, Mapping[str, str | None]], Mapping[str, str | None]]:
        """Write it."""


RunWriter = Callable[[Mapping[str, Any], Sequence[Quantity], Path], None]
"""Writes something of the whole run: from results.json's content, the quantities in it and the output folder."""


class ResultsWriter:
    """Writes pictures as studies are finished, and tables, results.json and index.html at the end.

    Every file is named by the radiograph's pseudonym. A study's pictures are written before the ledger gets its entry, so that
    what is entered is whole.

    Args:
        ledger: what the run has to do; open before the evaluator runs.
        quantities: of which the screen gives values, see `Channels.table`.
        notice: the sentence that every result carries.
        pictures: writers of each radiograph that was seen; None stands for one that the configuration disables.
        tables: writers of the whole run, in the order of writing.
        precision: of repeated radiographs, for patients with several studies; None where it was not measured.
        studies: writers of each study; None as among pictures.
    """

    def __init__(
        self,
        ledger: Ledger,
        quantities: Sequence[Quantity],
        notice: str,
        pictures: Sequence[PictureWriter | None],
        tables: Sequence[RunWriter],
        precision: Precision | None = None,
        studies: Sequence[StudyWriter | None] = (),
    ) -> None:
        self.ledger = ledger
        self.output_dir = ledger.output_dir
        self.quantities, self.notice = quantities, notice
        self.pictures = [writer for writer in pictures if writer is not None]
        self.studies = [writer for writer in studies if writer is not None]
        self.tables, self.precision = tables, precision
        self._begun = time.monotonic()

    def attach(self, engine: Engine) -> None:
        """Register with the evaluator, of which one iteration is one study."""
        engine.add_event_handler(Events.GET_BATCH_STARTED, self.begin_study)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.write_study)

    def begin_study(self) -> None:
        """Note when the evaluator begins to wait for the next study."""
        self._begun = time.monotonic()

    def write_study(self, engine: SupervisedEvaluator) -> None:
        """Write the pictures of the study of this iteration, and enter it."""
        findings: Any = engine.state.output  # MONAI types it for dictionaries
        self.write(findings)

    def write(self, findings: Findings) -> None:
        """Write the pictures of a study, and enter it in the ledger."""
        names = [found.name for found in findings.radiographs]
        records = [self._write_radiograph(found) for found in findings.radiographs]
        outputs: dict[str, str | None] = {}
        for writer in self.studies:
            pictures = {record["name"]: record["outputs"] for record in records}
            further, of_study = writer(findings, pictures, self.output_dir)
            outputs |= of_study
            for record in records:
                record["outputs"] |= further.get(record["name"], {})
        study = make_study_record([self.ledger.items[name] for name in names], findings.study, outputs)
        self.ledger.add(names, {"radiographs": records, "study": study}, time.monotonic() - self._begun)

    def finish(self) -> None:
        """Write the tables, the document and the report from the ledger, and say what is where."""
        records, studies = [], []
        for study, items in self.ledger.studies.items():
            entry = self.ledger.entries.get(study)
            by_name = {record["name"]: record for record in entry["content"]["radiographs"]} if entry else {}
            for item in items:
                name = item["name"]
                records.append(by_name.get(name) or make_refused_record(item, self.ledger.place(name), item[REFUSAL]))
            # A study without an entry has no radiograph that was read.
            record = entry["content"]["study"] if entry else make_study_record(items, unmeasured(items[0][REFUSAL]), {})
            studies.append({**record, "films": [item["name"] for item in items]})

        passed_over = [make_passed_over_record(in_utf8(one.file), one.reason) for one in self.ledger.passed_over]
        seconds = [float(entry["seconds"]) for entry in self.ledger.entries.values()]
        took = {
            "studies": len(seconds),
            "seconds": round(sum(seconds), 1),
            "longest_seconds": round(max(seconds, default=0.0), 1),
        }
        provenance = {**self.ledger.provenance, "took": took}
        document = make_document(records, studies, passed_over, provenance, self.notice, self.precision)
        for write in self.tables:
            write(document, self.quantities, self.output_dir)
        self.ledger.finish([path for record in (*records, *studies) for path in record["outputs"].values() if path])
        summary = document["summary"]
        count = len(passed_over)
        others = f" {count} other {'file or folder was' if count == 1 else 'files or folders were'} passed over." if count else ""
        print(
            f"{summary['radiographs']} radiographs: {summary['hips_measured']} hips measured on {summary['measured']}, "
            f"{summary['refused']} refused.{others} See {self.output_dir / 'index.html'}; numbers in results.csv and "
            "results.json, refusals and what was passed over in rejected.csv beside it."
        )

    def _write_radiograph(self, found: RadiographFindings) -> Record:
        item, file, seen = self.ledger.items[found.name], self.ledger.place(found.name), found.outcome
        if isinstance(seen, Reason):
            return make_refused_record(item, file, seen)
        outputs = {writer.key: writer(found.name, seen, self.output_dir) for writer in self.pictures}
        return make_screened_record(item, file, seen, outputs, self.quantities)
