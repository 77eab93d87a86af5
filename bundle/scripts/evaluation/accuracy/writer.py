"""The handler that compares every finished radiograph with its truth, and writes the evaluation at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from PIL import Image

from scripts.clinical import Reason, load_criteria, load_reference
from scripts.dataset.manifest import find_manifest
from scripts.dataset.truth import ALL, HELD_OUT, read_truth
from scripts.evaluation.accuracy.cases import Case, make_refused_case, make_screened_case
from scripts.evaluation.accuracy.estimates import write_estimates
from scripts.evaluation.accuracy.figures import draw_figures, write_figures
from scripts.evaluation.accuracy.metrics import Metric, data_kind, summarise
from scripts.evaluation.accuracy.patients import group_patients
from scripts.evaluation.accuracy.strata import stratify
from scripts.evaluation.accuracy.strata_tables import draw_strata, format_strata, write_strata
from scripts.evaluation.accuracy.subgroup_figure import draw_subgroups
from scripts.evaluation.accuracy.subgroups import find_subgroups
from scripts.evaluation.accuracy.tables import format_report, write_metrics_json, write_metrics_table
from scripts.evaluation.accuracy.worst import WorstRadiographs
from scripts.evaluation.study.content import Study
from scripts.evaluation.study.failures import Failures
from scripts.evaluation.study.flow import follow
from scripts.evaluation.study.report import Content, write_study
from scripts.files import place_in, sha256
from scripts.screening.findings import Seen

SCHEMA_VERSION = "1.1"


class EvaluationWriter:
    """Writes metrics.json, metrics.csv, metrics.md, estimates.csv, strata.csv, strata.md, the worst radiographs, figures, and the
    page of the study with its tables.

    Args:
        radiographs: the items evaluated, see `held_out_radiographs`.
        dataset_dir: the folder that they lie in.
        output_dir: where to; it must exist.
        provenance: plain data on what made the results.
        notice: the sentence that every result carries.
        metrics: by the name that they get in metrics.json.
        found: all items of the folder, of which these were chosen.
        draw: the picture of what was seen, as the screen draws it, for failures; see `Failures`.
        write_page: of a study's content, see `write_study`.
        split: what was chosen; None for the splits held out from training.
        seed: of the bootstrap.
        sex_specific: whether T-scores of men are from young men, as those of the screen.
    """

    def __init__(
        self,
        radiographs: Sequence[Mapping[str, Any]],
        dataset_dir: str | Path,
        output_dir: str | Path,
        provenance: Mapping[str, Any],
        notice: str,
        metrics: Mapping[str, Metric],
        found: Sequence[Mapping[str, Any]],
        draw: Callable[[Seen], Image.Image | None],
        write_page: Callable[[Content, Path], None],
        split: str | None = None,
        seed: int = 0,
        sex_specific: bool = False,
    ) -> None:
        self.files = {item["name"]: place_in(Path(dataset_dir), item["image"]) for item in radiographs}
        self.truths = {item["name"]: read_truth(item) for item in radiographs}
        self.found = found
        manifest = find_manifest(Path(dataset_dir))
        self.manifest_sha256 = sha256(manifest) if manifest else ""
        self.output_dir = Path(output_dir)
        self.provenance = provenance
        self.notice = notice
        self.metrics, self.split = metrics, split
        self.seed, self.sex_specific = seed, sex_specific
        self.reference, self.criteria = load_reference(), load_criteria()
        self.cases: list[Case] = []
        self.worst = WorstRadiographs()
        self.failures = Failures(self.criteria, draw)
        self.write_page = write_page

    def attach(self, engine: Engine) -> None:
        """Register with the evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.compare)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def compare(self, engine: Engine) -> None:
        """Compare the radiographs of this iteration with their truth."""
        findings: Any = engine.state.output  # MONAI types it for dictionaries
        for found in findings.radiographs:
            truth = self.truths[found.name]
            if isinstance(found.outcome, Reason):
                self.cases.append(make_refused_case(truth, found.outcome, self.reference))
            else:
                self.cases.append(make_screened_case(truth, found.outcome, self.reference))
                self.worst.add(self.cases[-1], truth, found.outcome)
            self.failures.add(self.cases[-1], found)

    def finish(self, engine: Engine) -> None:
        """Write everything, metrics.json last, and print the table; of several processes, the first does so for all."""
        shares: Any = idist.all_gather((self.cases, self.worst, self.failures))
        if idist.get_rank() > 0:
            return
        place = {name: index for index, name in enumerate(self.truths)}
        cases, worst, failures = zip(*shares, strict=True)
        self.cases = sorted((case for share in cases for case in share), key=lambda case: place[case.name])
        self.worst = WorstRadiographs.join(worst, place)
        self.failures = Failures.join(failures, place)
        kind = data_kind(case.site for case in self.cases)
        held_out = ", ".join(name or "none" for name in HELD_OUT)
        document = {
            "schema_version": SCHEMA_VERSION,
            "notice": self.notice,
            "data": kind,
            "split": held_out if self.split is None else ("all" if self.split == ALL else self.split),
            "manifest_sha256": self.manifest_sha256,
            "provenance": dict(self.provenance),
            **summarise(self.cases, self.criteria, self.seed, self.metrics),
        }
        strata = stratify([hip for case in self.cases for hip in case.hips])
        subgroups = find_subgroups(self.cases, self.criteria, self.seed)
        document |= {name: [asdict(one) for one in found] for name, found in (("strata", strata), ("subgroups", subgroups))}
        report = format_report(document)
        figures = draw_figures(self.cases, self.criteria)
        figures |= {"strata": draw_strata(strata, kind)} if strata else {}
        figures |= {"subgroups": drawn} if (drawn := draw_subgroups(subgroups, kind)) else {}
        write_figures(figures, self.output_dir)
        write_strata(strata, self.output_dir / "strata.csv")
        (self.output_dir / "strata.md").write_text(format_strata(strata, kind, self.notice), encoding="utf-8")
        self.worst.write(self.output_dir, kind, self.notice)
        write_estimates(self.cases, self.files, self.reference, self.sex_specific, self.output_dir / "estimates.csv")
        study = Study(
            document=document,
            cases=self.cases,
            patients=group_patients(self.cases, self.criteria),
            flow=follow(self.cases, self.found, self.split, self.criteria),
            subgroups=subgroups,
            strata=strata,
            failures=self.failures,
            criteria=self.criteria,
            reference=self.reference,
            figures=list(figures),
        )
        write_study(study, self.output_dir, self.write_page)
        write_metrics_table(document, self.output_dir / "metrics.csv")
        (self.output_dir / "metrics.md").write_text(report, encoding="utf-8")
        write_metrics_json(document, self.output_dir / "metrics.json")
        print(report)
        print(
            f"{len(self.cases)} radiographs ({kind}) evaluated; see study.html, metrics.md (.csv, .json), estimates.csv, "
            f"strata.md, worst.md and figures in {self.output_dir}."
        )
