"""The outcome of a study as a DICOM Structured Report: the imaging measurement report of TID 1500."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid
from skimage.measure import approximate_polygon

from scripts.clinical import Criteria, Hip, Screening
from scripts.clinical.anatomy import HIP
from scripts.results.coded import (
    CAUTION,
    HIP_JOINT,
    NOT_MEASURED,
    OUTCOME,
    PROCEDURE,
    REASON,
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
from scripts.results.pictures import contours
from scripts.results.record import to_stored
from scripts.screening.findings import Findings, Seen

Group = hd.sr.MeasurementsAndQualitativeEvaluations | hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations

_REGIONS: Final = {"neck": "neck_box", "total": "total_hip"}
"""What is drawn of each site of DXA."""
_UNITS: Final = {
    "g/cm2": CodedConcept("g/cm2", "UCUM", "gram per square centimeter"),
    "1": CodedConcept("1", "UCUM", "no units"),
}
_TOLERANCE_PX: Final = 0.5  # of a region's outline
_DECIMALS: Final = 4
_MEANING: Final = 64  # characters that a code's meaning may have (VR LO)


def make_report(
    radiographs: Mapping[str, Dataset],
    findings: Findings,
    criteria: Criteria,
    notice: str,
    weights_sha256: str,
    uids: Sequence[str],
) -> Dataset:
    """Make the report of a study: for each site of each hip density, T-score and Z-score with their intervals and where they are,
    of a hip that was not measured why, and of the patient the probability of osteoporosis and what triage says. A break or
    implant on a radiograph is told too where another one measures the hip.

    Every code of a quantity is of the bundle's own scheme, and its meaning says that it is an estimate.

    Args:
        radiographs: by name, headers of those that are DICOM, in the order of the findings.
        findings: of the study.
        criteria: with the coverage of the intervals.
        notice: the sentence that every result carries.
        weights_sha256: of the networks.
        uids: of the series, of the report, and two of each hip's sites and one more, by which later reports may track them.

    Raises:
        ValueError: where none of the radiographs is DICOM, or a header does not allow a report.
    """
    if not radiographs:
        raise ValueError("No radiograph of the study is DICOM; no report was made.")
    algorithm = hd.sr.AlgorithmIdentification(
        name="OsteoXR",
        version=version("osteoxr"),
        parameters=[f"weights {weights_sha256}"],
        family=codes.DCM.ArtificialIntelligence,
    )
    tracked = iter(uids[2:])
    groups = [
        group
        for index, side in enumerate(HIP.sides)
        for group in _of_hip(radiographs, findings, index, side, criteria, algorithm, tracked)
    ]
    if findings.study.screening is not None:
        groups.append(_of_patient(findings.study.screening, criteria, algorithm, uids[-1]))
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=generate_uid(entropy_srcs=["OsteoXR"]), name="OsteoXR", manufacturer_name="OsteoXR", model_name="OsteoXR"
    )
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(
            observer_device_context=hd.sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
        ),
        procedure_reported=_coded(PROCEDURE),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    screenings = [findings.study.screening, *(found.seen.screening for found in findings.radiographs if found.seen)]
    said = [notice, *dict.fromkeys(note for screening in screenings if screening for note in screening.notes)]
    for sentence in said:
        report[0].ContentSequence.append(_comment(sentence))
    document = hd.sr.ComprehensiveSR(
        evidence=list(radiographs.values()),
        content=report,
        series_instance_uid=uids[0],
        series_number=901,
        sop_instance_uid=uids[1],
        instance_number=1,
        manufacturer="OsteoXR",
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description="OsteoXR, report; research use only",
    )
    scheme = Dataset()
    scheme.CodingSchemeDesignator, scheme.CodingSchemeName = SCHEME, "OsteoXR: estimated from radiograph"
    scheme.CodingSchemeResponsibleOrganization = "OsteoXR"
    document.CodingSchemeIdentificationSequence = [scheme]
    return document


def _of_hip(
    radiographs: Mapping[str, Dataset],
    findings: Findings,
    index: int,
    side: str,
    criteria: Criteria,
    algorithm: hd.sr.AlgorithmIdentification,
    tracked: Iterator[str],
) -> Iterator[Group]:
    """The groups of a hip: one of each site, or one that says why there is none."""
    source = findings.study.sources[index]
    if source is None:
        reason = why_not(findings, index)
        next(tracked)
        yield _group(
            f"{side} hip", next(tracked), _place(HIP_JOINT, side), algorithm, finding=NOT_MEASURED,
            evaluations=[(REASON, Concept(str(reason.code), str(reason.code)))], comments=[reason.sentence],
        )  # fmt: skip
        return
    found = findings.radiographs[source]
    seen = found.require()
    screening = findings.study.screening or seen.screening
    hip: Hip = screening.hips[index]
    header = radiographs.get(found.name)
    for site, estimate in hip.estimates.items():
        outline = _outline(seen, index, _REGIONS[site])
        spread = Value(Concept("BMD_SD", "Standard deviation of the estimated bone mineral density"), estimate.bmd_sd, "g/cm2")
        yield _group(
            f"{side} {HIP.site_names[site]}", next(tracked), _place(SITES[site], side), algorithm,
            finding=Concept("DXAREGION", f"Region of DXA, placed on a radiograph: {HIP.site_names[site]}"),
            values=[*_with_ends(of_site(estimate), criteria), spread],
            evaluations=[(CAUTION, Concept(str(caution.code), str(caution.code))) for caution in hip.cautions],
            comments=[*(one.sentence for one in seen_elsewhere(findings, index)), *(one.sentence for one in hip.cautions)],
            region=_region(header, outline) if header is not None and outline is not None else None,
            image=hd.sr.SourceImageForMeasurementGroup.from_source_image(header) if header is not None else None,
        )  # fmt: skip


def _of_patient(screening: Screening, criteria: Criteria, algorithm: hd.sr.AlgorithmIdentification, uid: str) -> Group:
    return _group(
        "patient", uid, hd.sr.FindingSite(_coded(HIP_JOINT)), algorithm, finding=OUTCOME,
        values=_with_ends(of_patient(screening), criteria), evaluations=in_words(screening),
    )  # fmt: skip


def _with_ends(values: Sequence[Value], criteria: Criteria) -> list[Value]:
    """The values, each followed by the ends of its interval, which DICOM has no place for beside it."""
    found = []
    for value in values:
        found.append(value)
        if value.interval is not None:
            what = value.concept.meaning.partition(",")[0]
            for end, word, number in zip(("LOW", "HIGH"), ("Lower", "Upper"), value.interval, strict=True):
                meaning = f"{word} end of the {interval_name(criteria)}: {what}"
                found.append(Value(Concept(f"{value.concept.code}_{end}", meaning), number, value.unit))
    return found


def _group(
    name: str,
    uid: str,
    place: hd.sr.FindingSite,
    algorithm: hd.sr.AlgorithmIdentification,
    finding: Concept,
    values: Sequence[Value] = (),
    evaluations: Sequence[tuple[Concept, Concept]] = (),
    comments: Sequence[str] = (),
    region: hd.sr.ImageRegion | None = None,
    image: hd.sr.SourceImageForMeasurementGroup | None = None,
) -> Group:
    """A group of measurements (TID 1501), or one of a region that is drawn (TID 1410)."""
    shared: dict[str, Any] = {
        "tracking_identifier": hd.sr.TrackingIdentifier(uid=uid, identifier=f"OsteoXR {name}"),
        "finding_type": _coded(finding),
        "finding_sites": [place],
        "algorithm_id": algorithm,
        "measurements": [hd.sr.Measurement(_coded(one.concept), round(one.value, _DECIMALS), _UNITS[one.unit]) for one in values],
        "qualitative_evaluations": [hd.sr.QualitativeEvaluation(_coded(of), _coded(word)) for of, word in evaluations],
    }
    group: Group
    if region is not None:
        group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=region, **shared)
    else:
        group = hd.sr.MeasurementsAndQualitativeEvaluations(source_images=[image] if image is not None else None, **shared)
    for sentence in comments:
        group[0].ContentSequence.append(_comment(sentence))
    return group


def _coded(concept: Concept) -> CodedConcept:
    return CodedConcept(concept.code, concept.scheme, concept.meaning[:_MEANING])


def _place(site: Concept, side: str) -> hd.sr.FindingSite:
    return hd.sr.FindingSite(_coded(site), laterality=_coded(SIDES[side]))


def _comment(sentence: str) -> hd.sr.TextContentItem:
    return hd.sr.TextContentItem(codes.DCM.Comment, sentence, hd.sr.RelationshipTypeValues.CONTAINS)


def _outline(seen: Seen, index: int, region: str) -> NDArray[np.float64] | None:
    """The longest outline of a region, (n, 2), (column, row) of the stored radiograph, from the corner of its first pixel."""
    placed = seen.geometry[index].regions.get(region)
    if placed is None or not placed.mask.any():
        return None
    outline = max(contours(placed.mask), key=len)
    stored = to_stored(approximate_polygon(outline, _TOLERANCE_PX), seen.image.meta) + 0.5
    rows, cols = seen.mask.shape
    return np.clip(stored[:, ::-1], 0, (cols, rows))


def _region(header: Dataset, outline: NDArray[np.float64]) -> hd.sr.ImageRegion:
    closed = outline if np.array_equal(outline[0], outline[-1]) else np.vstack((outline, outline[:1]))
    source = hd.sr.SourceImageForRegion.from_source_image(header)
    return hd.sr.ImageRegion(hd.sr.GraphicTypeValues.POLYLINE, closed, source)
