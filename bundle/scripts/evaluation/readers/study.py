"""The command that compares readers with the screen, and readers with help with readers without."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score, roc_curve

from scripts.clinical import load_criteria, load_reference
from scripts.dataset.truth import is_osteoporosis, read_truth
from scripts.evaluation.accuracy.metrics import data_kind
from scripts.evaluation.accuracy.tables import interval_text, p_text, plain, text
from scripts.evaluation.readers.scores import WAYS, Scores, read_scores
from scripts.evaluation.statistics.discrimination import auc_delong
from scripts.evaluation.statistics.paired import Difference, areas_of, compare_areas, compare_readings
from scripts.files import replacing, write_table
from scripts.screening.ledger import Ledger

_FEWEST: Final = 10
"""Patients of a class."""
_RESAMPLES: Final = 2000
_COLUMNS: Final = (
    "reader", "reading", "auc", "auc_low", "auc_high", "model_less_reader", "difference_low", "difference_high", "p",
)  # fmt: skip

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ReaderStudy:
    """What was found of the patients whom all readers scored and the screen answered.

    positive: (N,) truth by DXA. model: (N,) its probability of osteoporosis. scores: by way, (R, N). readers: their names.
    left_out: patients that some reader scored and who are not compared, by the reason in words. data: kind.
    """

    positive: NDArray[np.bool_]
    model: Floats
    scores: Mapping[str, Floats]
    readers: tuple[str, ...]
    left_out: Mapping[str, int]
    data: str


def study_readers(ledger: Ledger, scores_file: str, output_dir: str, notice: str, seed: int = 0) -> ReaderStudy:
    """Write readers.md, .csv, .json and .png by what a screen found and the readers' table.

    Args:
        ledger: of the screen's finished run; its radiographs carry their rows of the manifest.
        scores_file: see `read_scores`.
        output_dir: where to; it must exist.
        notice: the sentence that every result carries.
        seed: of the bootstrap.

    Raises:
        ValueError: where the table is not as it must be, or fewer than ten patients with or without osteoporosis are left to
            compare.
    """
    patients = {str(item.get("patient_id", "")) for item in ledger.items.values()} - {""}
    found = gather(ledger, read_scores(Path(scores_file), patients))
    document = describe(found, seed)
    page = format_study(found, document, notice)
    folder = Path(output_dir)
    with replacing(folder / "readers.md") as temporary:
        temporary.write_text(page, encoding="utf-8")
    with replacing(folder / "readers.json") as temporary:
        content = {"notice": notice, "data": found.data, **document, "provenance": dict(ledger.provenance)}
        temporary.write_text(json.dumps(plain(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    write_table(folder / "readers.csv", list(_COLUMNS), list(_rows(document)))
    with replacing(folder / "readers.png") as temporary:
        draw(found).savefig(temporary, dpi=120, format="png")
    print(page)
    print(f"{len(found.readers)} readers and {len(found.positive)} patients; written to {folder}: readers.md, .csv, .json, .png.")
    return found


def gather(ledger: Ledger, scores: Scores) -> ReaderStudy:
    """Take the patients together whom all readers scored in every way that there is, and who have DXA and an answer.

    Raises:
        ValueError: where fewer than ten of either class are left.
    """
    model, truth = _answers(ledger), _truths(ledger)
    asked = list(dict.fromkeys(patient for way in scores.by_way.values() for _, patient in way))
    left_out: dict[str, int] = {}
    kept = []
    for patient in asked:
        unread = any((reader, patient) not in way for way in scores.by_way.values() for reader in scores.readers)
        reason = (
            "not scored by every reader" if unread
            else "no DXA of a hip" if patient not in truth
            else "no answer of the screen" if patient not in model
            else ""
        )  # fmt: skip
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            kept.append(patient)
    positive = np.array([truth[patient] for patient in kept], dtype=bool)
    if min(int(positive.sum()), int((~positive).sum())) < _FEWEST:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none left out"
        raise ValueError(
            f"{positive.sum()} patients with and {(~positive).sum()} without osteoporosis can be compared ({reasons}); expected "
            f"{_FEWEST} or more of each. Nothing was compared."
        )
    return ReaderStudy(
        positive=positive,
        model=np.array([model[patient] for patient in kept]),
        scores={
            way: np.array([[given[reader, patient] for patient in kept] for reader in scores.readers], dtype=float)
            for way, given in ((way, scores.by_way[way]) for way in WAYS if way in scores.by_way)
        },
        readers=scores.readers,
        left_out=left_out,
        data=data_kind(str(item.get("site", "")) for item in ledger.items.values()),
    )


def describe(study: ReaderStudy, seed: int) -> dict[str, Any]:
    """Every figure as plain data: "patients", "with_osteoporosis", "left_out", "model" (AUC), of each way the readers' AUC, their
    mean, how far they agree and "model_less_readers", and "aided_less_alone" where there are both ways."""
    model = auc_delong(study.model, study.positive)
    ways = {}
    for way, rows in study.scores.items():
        areas = [auc_delong(row, study.positive) for row in rows]
        ways[way] = {
            "readers": {
                name: {
                    "auc": auc.value,
                    "auc_ci95": auc.interval,
                    "model_less_reader": asdict(compare_areas(study.model, row, study.positive)),
                }
                for name, auc, row in zip(study.readers, areas, rows, strict=True)
            },
            "mean_auc": float(np.mean([auc.value for auc in areas])),
            "agreement": _agreement(rows),
            "model_less_readers": asdict(_model_less_readers(study, way, seed)),
        }
    both = [study.scores[way] for way in WAYS if way in study.scores]
    return {
        "patients": len(study.positive),
        "with_osteoporosis": int(study.positive.sum()),
        "left_out": dict(study.left_out),
        "model": {"auc": model.value, "auc_ci95": model.interval},
        "ways": ways,
        "aided_less_alone": asdict(compare_readings(np.stack(both), study.positive)) if len(both) > 1 else None,
    }


def format_study(study: ReaderStudy, document: Mapping[str, Any], notice: str) -> str:
    """The page, in Markdown."""
    model = document["model"]
    left_out = ", ".join(f"{count} {reason}" for reason, count in study.left_out.items())
    lines = [
        f"# Readers and the screen ({study.data} data)",
        "",
        f"{notice}.",
        "",
        f"{document['patients']} patients, {document['with_osteoporosis']} with osteoporosis by DXA (T <= -2.5)"
        f"{'; left out: ' + left_out if left_out else ''}. The screen's probability: AUC {text(model['auc'])} "
        f"({interval_text(model['auc_ci95'])}).",
        "",
        "| Reader | Reading | AUC (95%) | Screen less reader (95%) | p |",
        "|---|---|---|---|---|",
    ]
    for way, of_way in document["ways"].items():
        lines += [
            f"| {name} | {way} | {text(one['auc'])} ({interval_text(one['auc_ci95'])}) | {_told(one['model_less_reader'])} |"
            for name, one in of_way["readers"].items()
        ]
        lines.append(
            f"| **mean of {len(study.readers)}** | {way} | {text(of_way['mean_auc'])} | {_told(of_way['model_less_readers'])} |"
        )
    for way, of_way in document["ways"].items():
        lines += [
            "",
            f"Readers {way} agree with each other by a weighted kappa of {text(of_way['agreement'], 2)} (mean of all pairs).",
        ]
    if document["aided_less_alone"]:
        difference, _, p = _told(document["aided_less_alone"]).partition(" | ")
        lines += ["", f"With help less without, mean AUC of the readers: {difference}, p = {p}."]
    lines += [
        "",
        "One reader: DeLong's test. The screen less the mean of the readers: a bootstrap of readers and patients. With and "
        "without help: Obuchowski and Rockette's analysis with Hillis's degrees of freedom. So the last two hold for other "
        "readers like these, the first for this reader.",
        "",
    ]
    return "\n".join(lines)


def draw(study: ReaderStudy) -> Figure:
    """ROC curves, one panel a way of reading: each reader thin, the screen thick."""
    figure = Figure(figsize=(5 * len(study.scores), 5), layout="constrained")
    figure.suptitle(f"{len(study.readers)} readers, {len(study.positive)} patients, {study.data} data")
    panels: Sequence[Axes] = np.atleast_1d(figure.subplots(1, len(study.scores), sharey=True)).tolist()
    for axes, (way, rows) in zip(panels, study.scores.items(), strict=True):
        for name, row in zip(study.readers, rows, strict=True):
            false_share, true_share, _ = roc_curve(study.positive, row)
            axes.plot(false_share, true_share, "o-", linewidth=1, markersize=3, alpha=0.7, label=name)
        false_share, true_share, _ = roc_curve(study.positive, study.model)
        axes.plot(false_share, true_share, color="black", linewidth=2.5, label="screen")
        axes.plot((0, 1), (0, 1), color="grey", linewidth=0.5)
        axes.set(xlabel="1 - specificity", title=f"read {way}", aspect="equal")
        axes.legend(fontsize="small", loc="lower right")
    panels[0].set_ylabel("sensitivity")
    return figure


def _answers(ledger: Ledger) -> dict[str, float]:
    """The probability of osteoporosis of each patient's first study that has one."""
    found: dict[str, float] = {}
    for entry in ledger.entries.values():
        study = entry["content"]["study"]
        outcome = study["outcome"]
        if outcome and outcome["lowest_t_score"] is not None:
            for name in study["films"]:
                found.setdefault(str(ledger.items[name].get("patient_id", "")), float(outcome["osteoporosis_probability"]))
    return found


def _truths(ledger: Ledger) -> dict[str, bool]:
    """Whether DXA says osteoporosis, of each patient with DXA of a hip."""
    reference, criteria = load_reference(), load_criteria()
    lowest: dict[str, float] = {}
    for item in ledger.items.values():
        t_score = read_truth(item).lowest_t_score(reference)
        if math.isfinite(t_score):
            patient = str(item.get("patient_id", ""))
            lowest[patient] = min(t_score, lowest.get(patient, math.inf))
    return {patient: bool(is_osteoporosis(t_score, criteria)) for patient, t_score in lowest.items()}


def _model_less_readers(study: ReaderStudy, way: str, seed: int) -> Difference:
    """The screen's area less the mean of the readers': percentiles of a bootstrap of readers, and of patients class by class."""
    random = np.random.default_rng(seed)
    rows = np.vstack((study.model, study.scores[way]))
    areas = areas_of(rows, study.positive)
    classes = [np.flatnonzero(study.positive), np.flatnonzero(~study.positive)]
    drawn = np.empty(_RESAMPLES)
    for index in range(_RESAMPLES):
        chosen = np.concatenate([random.choice(of, len(of)) for of in classes])
        readers = random.integers(1, len(rows), len(rows) - 1)
        again = areas_of(rows[[0, *readers]][:, chosen], study.positive[chosen])
        drawn[index] = again[0] - again[1:].mean()
    low, high = np.percentile(drawn, (2.5, 97.5))
    share = min(np.mean(drawn <= 0), np.mean(drawn >= 0))
    return Difference(
        float(areas[0] - areas[1:].mean()), (float(low), float(high)), min(1.0, 2 * max(float(share), 1 / _RESAMPLES))
    )


def _agreement(rows: Floats) -> float:
    pairs = [cohen_kappa_score(one, other, weights="quadratic") for one, other in combinations(rows.astype(int), 2)]
    return float(np.nanmean(pairs)) if not np.isnan(pairs).all() else math.nan


def _rows(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for way, of_way in document["ways"].items():
        for name, one in of_way["readers"].items():
            less = one["model_less_reader"]
            numbers = (one["auc"], *one["auc_ci95"], less["value"], *less["interval"], less["p"])
            told = (f"{number:.4f}" if math.isfinite(number) else "" for number in numbers)
            yield dict(zip(_COLUMNS, (name, way, *told), strict=True))


def _told(difference: Mapping[str, Any]) -> str:
    value, p = difference["value"], difference["p"]
    return f"{value:+.3f} ({interval_text(difference['interval'])}) | {p_text(p)}"
