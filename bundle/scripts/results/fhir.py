"""The outcome of a study as FHIR: a DiagnosticReport and its Observations, in one Bundle."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fhir.resources.R4B.bundle import Bundle

from scripts.clinical import Criteria, load_criteria
from scripts.clinical.anatomy import HIP
from scripts.files import replacing
from scripts.radiograph import quiet
from scripts.results.coded import (
    HIP_JOINT,
    OUTCOME,
    PROCEDURE,
    SCHEME,
    SIDES,
    SITES,
    Concept,
    Value,
    in_words,
    interval_name,
    of_patient,
    of_site,
    seen_elsewhere,
    why_not,
)
from scripts.results.headers import identify, identify_run, read_headers
from scripts.screening.findings import Findings
from scripts.screening.ledger import Ledger

FOLDER: Final = "fhir"
_SCHEMES: Final = {
    "SCT": "http://snomed.info/sct",
    SCHEME: "urn:oid:2.25.232402364158325106386480104152870937041",
}
"""The bundle's own scheme goes by an OID made of a UUID."""
_UCUM: Final = "http://unitsofmeasure.org"
_RADIOLOGY: Final = {"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD", "display": "Radiology"}
_IMAGING: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
    "code": "imaging",
    "display": "Imaging",
}
_URI: Final = "urn:ietf:rfc3986"
_UNKNOWN: Final = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "not-performed"}
_LATERALITY: Final = "272741003"
_DECIMALS: Final = 4
_NAMESPACE: Final = uuid.UUID("aed7d2ac-3b5c-4b2e-9a13-6ec4f5c39d61")
"""Of the UUIDs by which the resources of a bundle name each other; the same of the same results in every run."""

Plain = dict[str, Any]


class FhirWriter:
    """Writes `fhir/STUDY.json` of each study: a transaction Bundle, valid as R4B.

    Patient and study go by identifiers, the header's Patient ID and Study Instance UID, where it is DICOM; else by pseudonyms.

    Args:
        ledger: of the run; items are taken from it.
        notice: the sentence that every result carries.
        criteria: cut points; those that ship if None.
    """

    def __init__(self, ledger: Ledger, notice: str, criteria: Criteria | None = None) -> None:
        self.ledger, self.notice, self.criteria = ledger, notice, criteria or load_criteria()
        self.run = identify_run(ledger, notice)

    def __call__(
        self, findings: Findings, pictures: Mapping[str, Mapping[str, str | None]], folder: Path
    ) -> tuple[dict[str, dict[str, str | None]], dict[str, str | None]]:
        """Write the bundle of one study.

        Args:
            findings: of it.
            pictures: of no use here.
            folder: of the run's results.

        Returns:
            Nothing of each radiograph; of the study its path, relative to ``folder``, by "fhir"; None where nothing was read.
        """
        with quiet():
            return {}, {"fhir": self._write(findings, folder)}

    def _write(self, findings: Findings, folder: Path) -> str | None:
        items = [self.ledger.items[found.name] for found in findings.radiographs]
        found_headers = read_headers(findings, self.ledger.items)
        # Without the header of what is DICOM the patient would go by a pseudonym, which no server knows.
        if not found_headers or len(found_headers) < sum(found.seen is not None for found in findings.radiographs):
            return None
        headers = [header for header in found_headers.values() if header is not None]
        patient, issuer, uid = (
            str(headers[0].get(attribute) or "") if headers else ""
            for attribute in ("PatientID", "IssuerOfPatientID", "StudyInstanceUID")
        )
        identifier: Plain = {"value": patient or str(items[0]["patient"])}
        if issuer:
            identifier["assigner"] = {"display": issuer}
        subject = {"type": "Patient", "identifier": identifier}
        date = next((str(item["date"]) for item in items if item.get("date")), None)
        identity = identify(self.run, self.ledger, findings, found_headers)
        plain = make_bundle(findings, self.criteria, self.notice, subject, uid, date, identity)
        bundle = Bundle.model_validate(plain)
        path = f"{FOLDER}/{items[0]['study']}.json"
        with replacing(folder / path) as temporary:
            temporary.write_text(bundle.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return path


def make_bundle(
    findings: Findings,
    criteria: Criteria,
    notice: str,
    subject: Mapping[str, Any],
    study_uid: str,
    date: str | None,
    identity: str,
) -> Plain:
    """Make the Bundle of a study, as plain data.

    Args:
        findings: of it.
        criteria: with the coverage of the intervals.
        notice: the sentence that every result carries.
        subject: the Reference to the patient.
        study_uid: DICOM's, "" where there is none.
        date: of the study, YYYY-MM-DD; None where it is unknown.
        identity: of the results, see `headers.identify`; other results are other resources.
    """
    shared: Plain = {"status": "preliminary", "subject": dict(subject)}
    if date:
        shared["effectiveDateTime"] = date
    maker = {"device": {"display": f"OsteoXR {version('osteoxr')}"}, "method": {"text": "Estimated from a radiograph"}}
    observations: dict[str, Plain] = {}
    for index, side in enumerate(HIP.sides):
        source = findings.study.sources[index]
        if source is None:
            reason = why_not(findings, index)
            observations[f"{side} hip"] = {
                "code": _concept(PROCEDURE),
                "bodySite": _place(HIP_JOINT, side),
                "dataAbsentReason": {"coding": [_UNKNOWN], "text": f"{reason.code}: {reason.sentence}"},
            }
            continue
        screening = findings.study.screening or findings.radiographs[source].require().screening
        hip = screening.hips[index]
        for site, estimate in hip.estimates.items():
            density, *scores = of_site(estimate)
            said = [*(one.sentence for one in seen_elsewhere(findings, index)), *(one.sentence for one in hip.cautions)]
            one: Plain = {"code": _concept(density.concept), "bodySite": _place(SITES[site], side)}
            one["valueQuantity"] = _quantity(density.value, density.unit)
            one["component"] = [*_interval(density, criteria), *_components(scores, criteria)]
            one["note"] = [{"text": told} for told in said]
            observations[f"{side} {site}"] = {key: value for key, value in one.items() if value}
    conclusion = []
    if findings.study.screening is not None:
        words = in_words(findings.study.screening)
        conclusion = [f"{of.meaning}: {word.meaning}." for of, word in words]
        told = [{"code": _concept(of), "valueCodeableConcept": _concept(word)} for of, word in words]
        observations["patient"] = {
            "code": _concept(OUTCOME),
            "component": [*told, *_components(of_patient(findings.study.screening), criteria)],
        }
        if findings.study.screening.notes:
            observations["patient"]["note"] = [{"text": note} for note in findings.study.screening.notes]
    urls = {name: f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{identity} {name}')}" for name in (*observations, "report")}
    report: Plain = {
        "resourceType": "DiagnosticReport",
        **shared,
        "category": [{"coding": [_RADIOLOGY]}],
        "code": _concept(PROCEDURE),
        "issued": datetime.now(UTC).isoformat(timespec="seconds"),
        "result": [{"reference": urls[name]} for name in observations],
        "conclusion": " ".join([*conclusion, f"{notice}."]),
    }
    if study_uid:
        report["imagingStudy"] = [{"identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{study_uid}"}}]
    entries = [_entry(urls["report"], report)]
    for name, one in observations.items():
        kind = {"category": [{"coding": [_IMAGING]}]}
        entries.append(_entry(urls[name], {"resourceType": "Observation", **shared, **kind, **maker, **one}))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _entry(url: str, resource: Plain) -> Plain:
    """What a server makes unless it has it: sent twice, it is there once."""
    asked = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": f"identifier={_URI}|{url}"}
    return {"fullUrl": url, "resource": {**resource, "identifier": [{"system": _URI, "value": url}]}, "request": asked}


def _concept(concept: Concept) -> Plain:
    coding = {"system": _SCHEMES[concept.scheme], "code": concept.code, "display": concept.meaning}
    return {"coding": [coding], "text": concept.meaning}


def _place(site: Concept, side: str) -> Plain:
    """The site of one side, as one expression of SNOMED CT."""
    code = f"{site.code}:{_LATERALITY}={SIDES[side].code}"
    name = site.meaning.removeprefix("Structure of ").removesuffix(" structure").lower()
    return {"coding": [{"system": _SCHEMES["SCT"], "code": code}], "text": f"{side} {name}"}


def _quantity(value: float, unit: str) -> Plain:
    return {"value": round(value, _DECIMALS), "unit": unit, "system": _UCUM, "code": unit}


def _components(values: list[Value], criteria: Criteria) -> list[Plain]:
    found = []
    for one in values:
        found += [{"code": _concept(one.concept), "valueQuantity": _quantity(one.value, one.unit)}, *_interval(one, criteria)]
    return found


def _interval(value: Value, criteria: Criteria) -> list[Plain]:
    if value.interval is None:
        return []
    low, high = (_quantity(end, value.unit) for end in value.interval)
    name = f"{interval_name(criteria)}: {value.concept.meaning.partition(',')[0]}"
    return [{"code": _concept(Concept(f"{value.concept.code}_INTERVAL", name)), "valueRange": {"low": low, "high": high}}]
