"""The sections of a study's page that hold no result: what was asked and how, what limits it, and what made it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from scripts.evaluation.study.content import Section, Study
from scripts.evaluation.study.table import Table

_FEW: Final = 100
"""Patients of each class that an external evaluation should have (Collins GS et al., Stat Med 2016;35:214)."""

_HASH: Final = 16
"""Digits of a hash, where the whole is in metrics.json."""

Words = Mapping[str, Any]


def describe_question(study: Study, own: Words) -> Section:
    """Intended use, index test, reference standard and cut-offs."""
    uncertainty = study.document["provenance"].get("uncertainty") or {}
    likely, unlikely, patients = (uncertainty.get(key) for key in ("likely_at_least", "unlikely_below", "patients"))
    told = {
        "at_most": study.criteria.osteoporosis_at_most,
        "normal": study.criteria.normal_at_least,
        "reference": study.reference.name,
        "triage": f"likely {'never' if likely is None else f'from {likely:.3f} on'}, "
        f"unlikely {'never' if unlikely is None else f'below {unlikely:.3f}'}",
        "measured": f"were measured for these weights, on {patients} patients"
        if patients
        else "were not measured for these weights",
    }
    return Section("question", own["heading"], terms=[(word, meaning.format(**told)) for word, meaning in own["terms"]])


def describe_methods(own: Words) -> Section:
    """How it was done."""
    return Section("methods", own["heading"], terms=[(word, meaning) for word, meaning in own["terms"]])


def describe_limits(study: Study, own: Words) -> Section:
    """What the numbers do not tell, by what is known of the study."""
    return Section("limits", own["heading"], list(_limits(study, own)))


def _limits(study: Study, own: Words) -> Iterator[str]:
    flow, radiographs = study.flow, study.overall["radiographs"]
    yield own["simulated"] if study.simulated else own["patients"]
    if _trainings(study):
        yield own["trainings"]
    if radiographs["refused"]:
        yield own["refused"].format(**radiographs, share=radiographs["rejection_rate"])
    positive = sum(flow.crossed[flagged, True] for flagged in (True, False))
    if min(positive, flow.analysed - positive) < _FEW:
        yield own["few"].format(positive=positive, negative=flow.analysed - positive, fewest=_FEW)
    if len(study.document["sites"]) < 2:
        yield own["one_site"]
    if found := study.overall.get("refusals"):
        unknown = found["answered"]["patients"] - found["known_covariates"]["patients"]
        if unknown:
            yield own["covariates"].format(unknown=unknown)
    yield own["baseline"]
    yield own["fairness"]


def describe_provenance(study: Study, own: Words) -> Section:
    """What made the numbers, without paths, names or dates."""
    made = study.document["provenance"]
    files = "; ".join(f"{file['file']} {file['sha256'][:_HASH]}" for file in made["configuration"]["files"])
    overrides = made["configuration"]["overrides"]
    told = "; ".join(f"{key} {'(a file)' if os.sep in value else value}" for key, value in sorted(overrides.items()))
    uncertainty, calibration = made.get("uncertainty") or {}, made.get("calibration")
    fitted = f"SHA-256 {uncertainty.get('sha256')}, by {uncertainty.get('patients')} patients"
    manifest = study.document.get("manifest_sha256") or "unknown"
    terms = [
        ("Data", f"{study.document['data']}, split {study.document['split']}; manifest.csv, SHA-256 {manifest}"),
        ("Weights", f"SHA-256 {made['weights']['sha256']}"),
        ("Software", ", ".join(f"{name} {version}" for name, version in made["software"].items())),
        ("Configuration", f"SHA-256, shortened: {files}{f'; set by the command: {told}' if told else ''}"),
        ("Meaning of numbers", "; ".join(f"{file['file']} version {file['version']}" for file in made["reference"])),
        ("Intervals and triage", fitted if uncertainty.get("sha256") else "as of a normal distribution"),
        ("Local calibration", f"by {calibration['patients']} patients" if calibration else "none"),
        ("Seed, device", f"{made['seed']}, {made['device']}"),
        ("Kept", own["kept"]),
    ]
    rows = [
        (
            name,
            one.get("training_radiographs"),
            one.get("validation_radiographs"),
            one.get("seed"),
            str(one.get("data_hash"))[:_HASH],
        )
        for name, one in _trainings(study).items()
    ]
    columns = {
        "network": "Network",
        "training": "Radiographs learnt from",
        "validation": "To choose the epoch by",
        "seed": "Seed",
        "data": "SHA-256 of manifests",
    }
    tables = [Table("trainings", "What the weights learnt from", columns, rows)] if rows else []
    return Section("provenance", own["heading"], terms=terms, tables=tables)


def _trainings(study: Study) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (study.document["provenance"]["weights"].get("provenance") or {}).get("trainings", {})
    return found
