"""Fits the models on the patients to learn from, and judges each, with networks and single measures, on all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from scipy.special import expit

from scripts.evaluation.experiment.feature_models import LAYERS, MODELS, Floats, fit_models
from scripts.evaluation.experiment.measures import (
    OperatingPoints,
    Scaling,
    Truth,
    choose_operating_points,
    fit_scaling,
    measure,
    net_benefit,
)
from scripts.evaluation.experiment.patients import MEASURES, TRAINING, VALIDATION, Patients
from scripts.evaluation.statistics.discrimination import auc_delong
from scripts.evaluation.statistics.paired import compare_areas

PAIRS: Final = (("DC", "C"), ("DTC", "DC"), ("DTC", "C"), ("D", "T"))
"""Published models of which the first is compared with the second, layer by layer."""
_INTERNAL: Final = "test"
_FEWEST: Final = 5
"""Patients of either class, of whom a group's AUC is told."""


@dataclass(frozen=True)
class Answers:
    """What one model says of every patient, (N,) in the order of the `Patients`.

    kind: "network", "features" or "measure". chosen: by group, how many features were selected.
    """

    title: str
    kind: str
    probability: Floats
    chosen: Mapping[str, int]


def answer(
    patients: Patients, deep: Floats, networks: Mapping[str, Floats], told: Callable[[str], None], seed: int
) -> dict[str, Answers]:
    """Ask every model of every patient, by name.

    Args:
        patients: all of them.
        deep: (N, F), features of the network that validates best.
        networks: by name, the probability (N,) that each says by itself.
        told: called with the name of each model before it is fitted.
        seed: of random numbers.

    Raises:
        ValueError: where there is nobody to learn from, or one class alone.
    """
    learnt = patients.split == TRAINING
    features = {**patients.hand_made, "deep": deep}
    taught = {group: values[learnt] for group, values in features.items()}
    found = {}
    for model, groups in MODELS.items():
        told(model)
        fitted = fit_models(taught, patients.positive[learnt], patients.patient[learnt].tolist(), groups, seed)
        for layer, one in fitted.items():
            counts = {group: len(kept) for group, kept in one.chosen.items()}
            found[f"{model} {layer}"] = Answers(f"{model} {layer}", "features", one.probability(features), counts)
    for name, probability in networks.items():
        found[name] = Answers(name, "network", probability, {})
    for name, title in MEASURES.items():
        if (by_measure := _of_measure(patients.measures[name], patients.positive, learnt)) is not None:
            found[name] = Answers(title, "measure", by_measure, {})
    return found


def judged_sets(patients: Patients) -> dict[str, Truth]:
    """By name, the patients that models are judged on, each once: "internal" (test), "external", and "site NAME" of each external
    one, where there are several."""
    sets = {"internal": patients.split == _INTERNAL, "external": patients.split == "external"}
    sites = sorted(set(patients.site[sets["external"]].tolist()))
    if len(sites) > 1:
        sets |= {f"site {site or 'unnamed'}": sets["external"] & (patients.site == site) for site in sites}
    return {name: chosen & patients.first for name, chosen in sets.items() if (chosen & patients.first).any()}


def compare(patients: Patients, answers: Mapping[str, Answers], seed: int) -> dict[str, Any]:
    """Every figure, as plain data.

    Raises:
        ValueError: where nobody is left to choose operating points on, or to judge on.
    """
    chosen = patients.validating
    sets = judged_sets(patients)
    if not sets:
        raise ValueError("No patient of the split test or external has an answer; expected some to judge on.")
    found: dict[str, Any] = {
        "patients": _counts(patients, sets), "left_out_radiographs": dict(patients.left_out), "models": {},
    }  # fmt: skip
    for name, said in answers.items():
        points = choose_operating_points(said.probability[chosen], patients.positive[chosen])
        scaling = fit_scaling(said.probability[chosen], patients.positive[chosen])
        validation = auc_delong(said.probability[chosen], patients.positive[chosen])
        found["models"][name] = {
            "title": said.title, "kind": said.kind, "selected": dict(said.chosen), "validation_auc": validation.value,
            "operating_points": asdict(points), "scaling": asdict(scaling),
            "sets": _on_sets(patients, said, sets, points, scaling, seed),
        }  # fmt: skip
    found["pairs"] = list(_pairs(patients, answers, sets))
    found["subgroups"] = list(_subgroups(patients, answers, sets))
    return found


def subgroups_of(patients: Patients) -> dict[str, dict[str, Truth]]:
    """By what they are told apart, and by name, (N,) of each."""
    age, sex, bmi = patients.covariates[:, 0], patients.covariates[:, 1], patients.bmi
    return {
        "sex": {"women": sex == 0, "men": sex == 1},
        "age": {"under 65": age < 65, "65 to 75": (age >= 65) & (age < 75), "75 and over": age >= 75},
        "BMI": {"under 25": bmi < 25, "25 to 30": (bmi >= 25) & (bmi < 30), "30 and over": bmi >= 30},
        "site": {site: patients.site == site for site in sorted(set(patients.site.tolist()))},
    }


def _on_sets(
    patients: Patients, said: Answers, sets: Mapping[str, Truth], points: OperatingPoints, scaling: Scaling, seed: int
) -> dict[str, Any]:
    return {
        name: {
            **measure(said.probability[of], patients.positive[of], points, scaling, seed),
            "net_benefit": net_benefit(scaling(said.probability[of]), patients.positive[of]),
        }
        for name, of in sets.items()
    }


def _pairs(patients: Patients, answers: Mapping[str, Answers], sets: Mapping[str, Truth]) -> Iterator[dict[str, Any]]:
    """DeLong's test of the published models, and of the best of them with every network."""
    pairs = [(f"{one} {layer}", f"{other} {layer}") for one, other in PAIRS for layer in LAYERS]
    networks = [name for name, said in answers.items() if said.kind == "network"]
    pairs += [(f"DC {layer}", name) for name in networks for layer in LAYERS]
    for name, of in sets.items():
        if min(patients.positive[of].sum(), (~patients.positive[of]).sum()) < 2:
            continue
        for one, other in pairs:
            told = compare_areas(answers[one].probability[of], answers[other].probability[of], patients.positive[of])
            yield {"set": name, "one": one, "other": other, "difference": told.value, "ci95": told.interval, "p": told.p}


def _subgroups(patients: Patients, answers: Mapping[str, Answers], sets: Mapping[str, Truth]) -> Iterator[dict[str, Any]]:
    wholes = {name: of for name, of in sets.items() if not name.startswith("site ")}
    groups = [(by, group, rows) for by, several in subgroups_of(patients).items() for group, rows in several.items()]
    every = [(whole, *group) for whole in wholes for group in groups]
    for whole, by, group, of in every:
        rows = of & wholes[whole]
        positive = patients.positive[rows]
        if min(positive.sum(), (~positive).sum()) >= _FEWEST:
            for name, said in answers.items():
                auc = auc_delong(said.probability[rows], positive)
                yield {
                    "set": whole, "by": by, "group": group, "model": name, "patients": len(positive),
                    "with_osteoporosis": int(positive.sum()), "auc": auc.value, "ci95": auc.interval,
                }  # fmt: skip


def _counts(patients: Patients, sets: Mapping[str, Truth]) -> dict[str, dict[str, int]]:
    learnt = {TRAINING: (patients.split == TRAINING), VALIDATION: patients.validating}
    return {
        name: {
            "radiographs": int(of.sum()),
            "patients": len(set(patients.patient[of].tolist())),
            "with_osteoporosis": int(patients.positive[of].sum()),
        }
        for name, of in {**learnt, **sets}.items()
    }


def _of_measure(values: Floats, positive: Truth, learnt: Truth) -> Floats | None:
    """A single measure as a probability, by logistic regression on those to learn from; an unknown one is as their mean. None
    where it is known of fewer than two of either class."""
    known = np.isfinite(values)
    taught = learnt & known
    if min(positive[taught].sum(), (~positive[taught]).sum()) < 2:
        return None
    filled = np.where(known, values, values[taught].mean())
    standard = (filled - filled[taught].mean()) / (filled[taught].std() or 1.0)
    probability = np.asarray(expit(standard))
    return fit_scaling(probability[taught], positive[taught])(probability)


def best_network(networks: Mapping[str, Floats], patients: Patients, among: Sequence[str]) -> str:
    """The one whose probability tells patients to validate on apart best."""
    chosen = patients.validating
    return max(among, key=lambda name: auc_delong(networks[name][chosen], patients.positive[chosen]).value)
