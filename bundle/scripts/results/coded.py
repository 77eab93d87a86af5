"""What is told of a study in coded form, by whatever standard: codes, meanings, values and units of DICOM and FHIR alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from scripts.clinical import FOREMOST, Criteria, Estimate, Reason, Screening
from scripts.screening.findings import Findings

SCHEME: Final = "99OSTEOXR"
"""Of what is estimated from a radiograph: LOINC's codes of density and T-score are DXA's."""


@dataclass(frozen=True)
class Concept:
    """A code of SNOMED CT ("SCT") or of the bundle's own scheme, and its meaning."""

    code: str
    meaning: str
    scheme: str = SCHEME


@dataclass(frozen=True)
class Value:
    """A number by what it is; unit by UCUM, "1" for none. low, high: of its interval, None where it has none."""

    concept: Concept
    value: float
    unit: str = "1"
    interval: tuple[float, float] | None = None


SITES: Final = {
    "neck": Concept("29627003", "Structure of neck of femur", "SCT"),
    "total": Concept("310651003", "Structure of proximal femur", "SCT"),
}
SIDES: Final = {"right": Concept("24028007", "Right", "SCT"), "left": Concept("7771000", "Left", "SCT")}
HIP_JOINT: Final = Concept("24136001", "Hip joint structure", "SCT")
OUTCOME: Final = Concept("OUTCOME", "Outcome of both hips, estimated from radiograph")
PROCEDURE: Final = Concept("HIPDENSITY", "Bone density of hips, estimated from radiograph")
NOT_MEASURED: Final = Concept("NOTMEASURED", "Not measured")
REASON: Final = Concept("REASON", "Reason why it was not measured")
CAUTION: Final = Concept("CAUTION", "Caution")
DENSITY: Final = Concept("BMD", "Areal bone mineral density, estimated from radiograph")


def of_site(estimate: Estimate) -> list[Value]:
    """What is told of one site of a hip; the density first."""
    found = [Value(DENSITY, estimate.bmd, "g/cm2", estimate.bmd_interval)]
    if estimate.t_score is not None:
        found.append(Value(Concept("T", "T-score, estimated from radiograph"), estimate.t_score, interval=estimate.t_interval))
    if estimate.z_score is not None:
        found.append(Value(Concept("Z", "Z-score, estimated from radiograph"), estimate.z_score, interval=estimate.z_interval))
    return found


def of_patient(screening: Screening) -> list[Value]:
    """What is told of the patient by numbers."""
    found = []
    for concept, value in (
        (
            Concept("P_OSTEOPOROSIS", "Estimated probability of a lowest T-score to -2.5"),
            screening.osteoporosis_probability,
        ),
        (Concept("P_LOW_BONE_MASS", "Estimated probability of a lowest T-score below -1.0"), screening.low_bone_mass_probability),
    ):
        if value is not None:
            found.append(Value(concept, value))
    if screening.lowest:
        lowest = Concept("LOWEST_T", "Lowest T-score, estimated from radiograph")
        found.append(Value(lowest, screening.lowest.t_score, interval=screening.lowest.t_interval))
    if screening.frax:
        neck = Concept("FRAX_NECK_T", "T-score of the neck for FRAX, estimated from radiograph")
        found.append(Value(neck, screening.frax.t_score, interval=screening.frax.t_interval))
    return found


def in_words(screening: Screening) -> list[tuple[Concept, Concept]]:
    """What is told of the patient by words: what of, and which."""
    said = (
        (Concept("TRIAGE", "Triage"), screening.triage),
        (Concept("CATEGORY", "WHO category of the lowest T-score"), screening.category),
        (Concept("EXPECTATION", "Lowest Z-score"), screening.expectation),
    )
    return [(of, Concept(word.name, str(word))) for of, word in said if word is not None]


def interval_name(criteria: Criteria) -> str:
    """Such as "90% interval of the estimate"."""
    return f"{criteria.coverage:.0%} interval of the estimate"


def why_not(findings: Findings, index: int) -> Reason:
    """Why a study's hip was not measured: breaks, implants and children first, then by the first radiograph that tells."""
    reasons = [found.seen.screening.hips[index].reason for found in findings.radiographs if found.seen]
    told = [one for one in reasons if one] or [one for one in (findings.study.reason,) if one]
    told = told or [found.reason for found in findings.radiographs if found.reason]
    return min(told, key=lambda reason: reason.code not in FOREMOST)


def seen_elsewhere(findings: Findings, index: int) -> list[Reason]:
    """Breaks and implants that a radiograph shows of a hip which another one measures."""
    reasons = [found.seen.screening.hips[index].reason for found in findings.radiographs if found.seen]
    return list(dict.fromkeys(one for one in reasons if one and one.code in FOREMOST))
