"""The experiment as a page, a table and figures, beside the published figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from scripts.evaluation.accuracy.tables import interval_text, p_text, plain, text
from scripts.evaluation.experiment.compare import Answers, judged_sets
from scripts.evaluation.experiment.measures import THRESHOLDS, Scaling
from scripts.evaluation.experiment.patients import Patients
from scripts.evaluation.statistics.discrimination import reliability
from scripts.files import replacing, write_table

PUBLISHED: Final[Mapping[str, float]] = {"T": 0.77, "D": 0.92, "DC": 0.95, "DTC": 0.95}
"""External AUC that Kim et al. (Radiology: AI 2022, ryai.210212) tell of their models."""
_CLEAR: Final = "of patients, of one country; not comparable with simulated ones"
_SHOWN: Final = ("C linear", "T linear", "D linear", "DC linear", "DTC linear")
_COLUMNS: Final = (
    "model", "set", "patients", "with_osteoporosis", "auc", "auc_ci95_low", "auc_ci95_high", "auprc", "auprc_ci95_low",
    "auprc_ci95_high", "rule_in_sensitivity", "rule_in_specificity", "rule_out_sensitivity", "rule_out_specificity", "brier",
    "brier_scaled", "calibration_slope", "calibration_offset", "calibration_slope_scaled", "calibration_offset_scaled",
)  # fmt: skip
_GROUP_COLUMNS: Final = (
    "set", "by", "group", "model", "patients", "with_osteoporosis", "auc", "auc_ci95_low", "auc_ci95_high",
)  # fmt: skip
FILES: Final = (
    "experiment.md",
    "experiment.csv",
    "subgroups.csv",
    "experiment.json",
    "roc.png",
    "calibration.png",
    "decision.png",
)


def write_experiment(
    folder: Path,
    patients: Patients,
    answers: Mapping[str, Answers],
    found: Mapping[str, Any],
    heading: str,
    provenance: Mapping[str, Any],
    notice: str,
) -> None:
    """Write all `FILES`.

    Args:
        folder: where to.
        patients, answers, found: of `compare`.
        heading: what the page begins with: which data, which network.
        provenance: plain data on what made it.
        notice: the sentence that every result carries.
    """
    with replacing(folder / "experiment.md") as temporary:
        temporary.write_text("\n".join(_page(found, heading, notice)) + "\n", encoding="utf-8")
    write_table(folder / "experiment.csv", _COLUMNS, list(_rows(found)))
    with replacing(folder / "experiment.json") as temporary:
        content = plain({**found, "notice": notice, "provenance": provenance})
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    write_table(folder / "subgroups.csv", _GROUP_COLUMNS, list(_group_rows(found)))
    sets = {name: of for name, of in judged_sets(patients).items() if name in ("internal", "external")}
    for name, draw in (("roc.png", _draw_roc), ("calibration.png", _draw_calibration)):
        figure = Figure(figsize=(5.5 * len(sets), 5), layout="constrained")
        for axes, (title, of) in zip(_panels(figure, len(sets)), sets.items(), strict=True):
            draw(axes, answers, found, patients, title, of)
        with replacing(folder / name) as temporary:
            figure.savefig(temporary, dpi=120, format="png")
    with replacing(folder / "decision.png") as temporary:
        _draw_decision(found, list(sets)).savefig(temporary, dpi=120, format="png")


def _page(found: Mapping[str, Any], heading: str, notice: str) -> Iterator[str]:
    yield from ("# Classifiers of osteoporosis", "", f"{notice}.", "", heading, "")
    yield from ("| | Radiographs | Patients | With osteoporosis |", "|---|---|---|---|")
    for name, count in found["patients"].items():
        yield f"| {name} | {count['radiographs']} | {count['patients']} | {count['with_osteoporosis']} |"
    yield ""
    for reason, count in found["left_out_radiographs"].items():
        yield f"Left out: {count} radiographs, {reason}."
    yield ""
    sets = [name for name in ("internal", "external") if name in found["patients"]]
    columns = [f"AUC {name} (95%)" for name in sets] + [f"AUPRC {name}" for name in sets]
    last = sets[-1]
    columns += [f"sensitivity, specificity {last}: rule in", "rule out", f"calibration slope {last}", "after scaling"]
    yield "| Model | " + " | ".join([*columns, "published AUC"]) + " |"
    yield "|---|" + "---|" * (len(columns) + 1)
    for name, model in found["models"].items():
        measured = [model["sets"][one] for one in sets]
        cells = [f"{text(one['auc'])} ({interval_text(one['auc_ci95'])})" for one in measured]
        cells += [text(one["auprc"]) for one in measured]
        cells += [f"{text(point['sensitivity'], 2)}, {text(point['specificity'], 2)}" for point in _points(measured[-1])]
        cells += [text(measured[-1][key], 2) for key in ("calibration_slope", "calibration_slope_scaled")]
        published = PUBLISHED.get(name.partition(" ")[0])
        cells.append(f"{published:.2f}" if published and name in _SHOWN else "")
        yield f"| {model['title']} | {' | '.join(cells)} |"
    yield ""
    yield f"Published AUC: on external patients, Kim et al., Radiology: AI 2022, ryai.210212; {_CLEAR}."
    yield from ("", "| Compared | On | Difference of AUC (95%) | p |", "|---|---|---|---|")
    for pair in found["pairs"]:
        if pair["set"] in sets:
            told = f"{pair['difference']:+.3f} ({interval_text(pair['ci95'])})"
            yield f"| {pair['one']} less {pair['other']} | {pair['set']} | {told} | {p_text(pair['p'])} |"
    yield from ("", "| Model | Selected features: clinical | radiomics | deep |", "|---|---|---|---|")
    for model in found["models"].values():
        if model["kind"] == "features":
            counts = (str(model["selected"].get(group, "-")) for group in ("clinical", "radiomics", "deep"))
            yield f"| {model['title']} | {' | '.join(counts)} |"
    yield ""
    yield (
        "Intervals of AUC: DeLong; differences: DeLong's paired test. Rule in: specificity of 95% on the validation set; rule "
        "out: sensitivity of 95% there. Calibration slope: 1 is right; scaling is fitted on the validation set. Groups by sex, "
        "age, BMI and site: `subgroups.csv`. The tests are not adjusted for their number."
    )


def _rows(found: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for name, model in found["models"].items():
        for of, one in model["sets"].items():
            rule_in, rule_out = _points(one)
            numbers = (
                one["auc"], *one["auc_ci95"], one["auprc"], *one["auprc_ci95"], rule_in["sensitivity"], rule_in["specificity"],
                rule_out["sensitivity"], rule_out["specificity"], *(one[key] for key in _COLUMNS[14:]),
            )  # fmt: skip
            cells = (name, of, str(one["patients"]), str(one["with_osteoporosis"]), *map(_number, numbers))
            yield dict(zip(_COLUMNS, cells, strict=True))


def _group_rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in found["subgroups"]:
        numbers = (_number(value) for value in (one["auc"], *one["ci95"]))
        yield dict(zip(_GROUP_COLUMNS, (*(one[key] for key in _GROUP_COLUMNS[:6]), *numbers), strict=True))


def _points(one: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return one["rule_in"], one["rule_out"]


def _drawn(found: Mapping[str, Any]) -> list[str]:
    """The published models, and the network that validates best."""
    networks = [name for name, model in found["models"].items() if model["kind"] == "network"]
    best = sorted(networks, key=lambda name: -float(np.nan_to_num(found["models"][name]["validation_auc"])))[:1]
    return [*_SHOWN, *best]


def _draw_roc(
    axes: Axes, answers: Mapping[str, Answers], found: Mapping[str, Any], patients: Patients, title: str, of: Any
) -> None:
    for name in _drawn(found):
        false_share, true_share, _ = roc_curve(patients.positive[of], answers[name].probability[of])
        auc = found["models"][name]["sets"][title]["auc"]
        axes.plot(false_share, true_share, label=f"{answers[name].title}, {text(auc)}")
    axes.plot((0, 1), (0, 1), color="grey", linewidth=0.5)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", aspect="equal", title=f"{title}, {int(of.sum())} patients")
    axes.legend(fontsize="small", loc="lower right")


def _draw_calibration(
    axes: Axes, answers: Mapping[str, Answers], found: Mapping[str, Any], patients: Patients, title: str, of: Any
) -> None:
    for name in _drawn(found):
        scaled = Scaling(**found["models"][name]["scaling"])(answers[name].probability[of])
        parts = reliability(scaled, patients.positive[of]).values()
        axes.plot([part["expected"] for part in parts], [part["observed"] for part in parts], "o-", label=answers[name].title)
    axes.plot((0, 1), (0, 1), color="grey", linewidth=0.5)
    axes.set(xlabel="expected share (scaled on validation)", ylabel="observed share", title=title)
    axes.legend(fontsize="small", loc="upper left")


def _draw_decision(found: Mapping[str, Any], sets: Sequence[str]) -> Figure:
    figure = Figure(figsize=(5.5 * len(sets), 4), layout="constrained")
    for axes, title in zip(_panels(figure, len(sets)), sets, strict=True):
        for name in _drawn(found):
            axes.plot(
                THRESHOLDS, found["models"][name]["sets"][title]["net_benefit"]["model"], label=found["models"][name]["title"]
            )
        everybody = found["models"][_SHOWN[0]]["sets"][title]["net_benefit"]["all"]
        axes.plot(THRESHOLDS, everybody, color="grey", linestyle="--", label="DXA for all")
        axes.axhline(0.0, color="black", linewidth=0.5, label="DXA for nobody")
        axes.set(xlabel="probability from which DXA is asked for", title=title, ylim=(-0.05, max(everybody) + 0.03))
        axes.legend(fontsize="small")
    figure.axes[0].set_ylabel("net benefit")
    return figure


def _panels(figure: Figure, count: int) -> list[Axes]:
    panels: list[Axes] = np.atleast_1d(figure.subplots(1, count)).tolist()
    return panels


def _number(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else ""
