"""The sections of a study's page: what each says, shows and tabulates, or why it could not be computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from scripts.evaluation.accuracy.decisions import FEWEST_OF_A_CLASS
from scripts.evaluation.accuracy.tables import text
from scripts.evaluation.study.background import describe_limits, describe_methods, describe_provenance, describe_question
from scripts.evaluation.study.cohort import tabulate_cohort
from scripts.evaluation.study.content import Section, Shown, Study, load_words
from scripts.evaluation.study.flow import cross, tabulate_flow
from scripts.evaluation.study.table import Estimate
from scripts.evaluation.study.tables import (
    tabulate_agreement,
    tabulate_calibration,
    tabulate_contours,
    tabulate_decisions,
    tabulate_fifths,
    tabulate_performance,
    tabulate_refusals,
    tabulate_strata,
    tabulate_subgroups,
)

_PAIRS: Final = {
    "bmd_total": ("Total hip BMD", " g/cm²", "hips"),
    "bmd_neck": ("Femoral neck BMD", " g/cm²", "hips"),
    "lowest_t": ("Lowest T-score", "", "patients"),
}
"""Of a figure of agreement: what it is of, its unit, and what the pairs are of."""

Words = Mapping[str, Any]


def make_sections(study: Study) -> list[Section]:
    """All sections but the checklists, in order."""
    words = load_words()
    return [
        describe_question(study, words["question"]),
        describe_methods(words["methods"]),
        Section("flow", words["flow"]["heading"], tables=[tabulate_flow(study.flow)]),
        Section("cohort", words["cohort"]["heading"], tables=[tabulate_cohort(study.cases, study.criteria)]),
        _performance(study, words),
        _calibration(study, words),
        _decision(study, words),
        _agreement(study, words),
        _contours(study, words["contours"]),
        _subgroups(study, words["subgroups"]),
        _sensitivity(study, words),
        Section("failures", words["failures"]["heading"], [words["failures"]["text"]], tables=[study.failures.tabulate()]),
        describe_limits(study, words["limits"]),
        describe_provenance(study, words["provenance"]),
    ]


def _performance(study: Study, words: Words) -> Section:
    own, found = words["performance"], study.overall.get("osteoporosis")
    if found is None:
        return _missing("performance", words, words["not_named"].format(metric="osteoporosis"))
    patients, positive = found["patients_measured"], found["measured_with_osteoporosis"]
    if not patients:
        nobody = words["nobody"].format(with_dxa=found["patients_with_dxa"])
        return Section("performance", own["heading"], tables=[cross(study.patients, study.criteria)], missing=nobody)
    one_class = own["one_class"].format(patients=patients, kind="with" if positive else "without")
    texts = [one_class] if positive in (0, patients) else []
    texts += [own["no_covariates"]] if found["covariates_only"] is None else []
    joint, lowest = (
        Estimate(found[key]["auc"], tuple(found[key]["auc_ci95"])) for key in ("joint_probability", "lowest_t_score")
    )
    figures = _drawn(study, "roc", own["roc"].format(patients=patients, positive=positive, joint=joint, lowest=lowest))
    tables = [tabulate_performance(study.document), cross(study.patients, study.criteria)]
    return Section("performance", own["heading"], texts, figures=figures, tables=tables)


def _calibration(study: Study, words: Words) -> Section:
    own, found, diagnosis = words["calibration"], study.overall.get("calibration"), study.overall.get("osteoporosis")
    if found is None or diagnosis is None:
        return _missing(
            "calibration", words, words["not_named"].format(metric="calibration" if found is None else "osteoporosis")
        )
    patients, positive = found["patients"], found["with_osteoporosis"]
    if not patients:
        return _missing("calibration", words, words["nobody"].format(with_dxa=len(study.patients)))
    few = min(positive, patients - positive) < FEWEST_OF_A_CLASS
    texts = [own["few"].format(fewest=FEWEST_OF_A_CLASS, positive=positive, patients=patients)] if few else []
    says = own["figure"].format(patients=patients, ratio=text(found["observed_over_expected"], 2))
    tables = [tabulate_calibration(found), tabulate_fifths(diagnosis["joint_probability"]["reliability"])]
    return Section("calibration", own["heading"], texts, figures=_drawn(study, "calibration", says), tables=tables)


def _decision(study: Study, words: Words) -> Section:
    own, found = words["decision"], study.overall.get("net_benefit")
    if found is None:
        return _missing("decision", words, words["not_named"].format(metric="net_benefit"))
    if not found["patients"]:
        return _missing("decision", words, words["nobody"].format(with_dxa=len(study.patients)))
    at = found["at_10_percent"]
    benefit = Estimate(at["net_benefit"], tuple(at["net_benefit_ci95"]))
    figures = _drawn(study, "decision", own["figure"].format(benefit=benefit, all=text(at["net_benefit_of_all"])))
    return Section("decision", own["heading"], [own["text"]], figures=figures, tables=[tabulate_decisions(found)])


def _agreement(study: Study, words: Words) -> Section:
    own = words["agreement"]
    density = study.overall.get("bmd", {})
    named = {"bmd_total": density.get("total"), "bmd_neck": density.get("neck"), "lowest_t": study.overall.get("lowest_t")}
    found = {name: one for name, one in named.items() if one}
    if not found:
        return _missing("agreement", words, words["not_named"].format(metric="bmd"))
    table = tabulate_agreement(study.overall)
    if not any(math.isfinite(one["bias"]) for one in found.values()):
        return Section("agreement", own["heading"], tables=[table], missing=own["few"])
    figures = []
    for name, one in found.items():
        title, unit, of = _PAIRS[name]
        low, high = map(text, one["limits_of_agreement"])
        told = {"bias": text(one["bias"]), "low": low, "high": high, "r": text(one["pearson_r"], 2), "unit": unit}
        figures += _drawn(study, name, own["figure"].format(title=title, pairs=one["hips"], of=of, **told))
    return Section("agreement", own["heading"], [own["text"]], figures=figures, tables=[table])


def _contours(study: Study, own: Words) -> Section:
    landmarks = study.overall.get("landmarks", {"landmarks": 0})
    tables = [table for table in (tabulate_contours(study.overall), tabulate_strata(study.strata)) if table.rows]
    if not landmarks["landmarks"] and not any(one["radiographs"] for one in study.overall.get("segmentation", {}).values()):
        return Section("contours", own["heading"], missing=own["nothing"])
    told = {
        "median": text(landmarks["error_median_mm"], 1),
        "p95": text(landmarks["error_p95_mm"], 1),
        "landmarks": landmarks["landmarks"],
        "missed": landmarks["hips_missed"],
        "hips": landmarks["hips_with_landmarks"],
        "swapped": landmarks["hips_swapped"],
    } if landmarks["landmarks"] else {}  # fmt: skip
    texts = [own["landmarks"].format(**told)] if told else []
    return Section("contours", own["heading"], texts, figures=_drawn(study, "dice", own["figure"]), tables=tables)


def _subgroups(study: Study, own: Words) -> Section:
    table = tabulate_subgroups(study.subgroups)
    if not any(math.isfinite(value) for one in study.subgroups for value in (one.auc, one.bias)):
        return Section("subgroups", own["heading"], tables=[table], missing=own["nothing"])
    if len(study.subgroups) == 1:
        return Section("subgroups", own["heading"], tables=[table], missing=own["one"])
    figures = _drawn(study, "subgroups", own["figure"])
    return Section("subgroups", own["heading"], [own["text"]], figures=figures, tables=[table])


def _sensitivity(study: Study, words: Words) -> Section:
    own, found = words["sensitivity"], study.overall.get("refusals")
    if found is None:
        return _missing("sensitivity", words, words["not_named"].format(metric="refusals"))
    if not study.patients:
        return _missing("sensitivity", words, own["nobody"])
    texts = [own["text"].format(unanswered=study.flow.unanswered, patients=len(study.patients))]
    return Section("sensitivity", own["heading"], texts, tables=[tabulate_refusals(found)])


def _missing(anchor: str, words: Words, why: str) -> Section:
    return Section(anchor, words[anchor]["heading"], missing=why)


def _drawn(study: Study, name: str, says: str) -> list[Shown]:
    return [Shown(name, says)] if name in study.figures else []


def summarise_study(study: Study) -> list[tuple[str, str]]:
    """What the page says first: (number, of what)."""
    radiographs, found = study.overall["radiographs"], study.overall.get("osteoporosis")
    tiles = [
        (str(radiographs["patients"]), f"patients, {radiographs['radiographs']} radiographs"),
        (f"{radiographs['rejection_rate']:.0%}", "of the radiographs refused"),
    ]
    if found and math.isfinite(found["joint_probability"]["auc"]):
        joint, (low, high) = found["joint_probability"], found["joint_probability"]["auc_ci95"]
        ends = f" ({low:.2f} to {high:.2f})" if math.isfinite(low) else ""
        of = f"{found['measured_with_osteoporosis']} of {found['patients_measured']} patients with osteoporosis"
        tiles.append((f"{joint['auc']:.2f}", f"AUC{ends}, {of}"))
        tiles.append(
            (f"{joint['sensitivity']:.0%}", f"sensitivity, specificity {joint['specificity']:.0%}, at a probability of 0.5")
        )
    if (total := study.overall.get("bmd", {}).get("total")) and math.isfinite(total["rmse"]):
        tiles.append((f"{total['rmse']:.3f}", f"g/cm² RMSE of total-hip BMD, bias {total['bias']:+.3f}, {total['hips']} hips"))
    return tiles
