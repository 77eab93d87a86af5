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
from skimage.measure import approximate_polygon, find_contours

from scripts.clinical import Criteria, Estimate, Hip, Reason, Screening
from scripts.clinical.anatomy import HIP
from scripts.results.record import to_stored
from scripts.screening.findings import Findings, Seen

Group = hd.sr.MeasurementsAndQualitativeEvaluations | hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations

SCHEME: Final = "99OSTEOXR"
"""Of codes of what is estimated from a radiograph: LOINC's of density and T-score are DXA's."""

_SITES: Final = {
    "neck": (CodedConcept("29627003", "SCT", "Structure of neck of femur"), "neck_box"),
    "total": (CodedConcept("310651003", "SCT", "Structure of proximal femur"), "total_hip"),
}
"""By site of DXA: SNOMED CT's, and the region that is drawn."""
_SIDES: Final = {"right": CodedConcept("24028007", "SCT", "Right"), "left": CodedConcept("7771000", "SCT", "Left")}
_HIP_JOINT: Final = CodedConcept("24136001", "SCT", "Hip joint structure")
_OSTEOPOROSIS: Final = CodedConcept("64859006", "SCT", "Osteoporosis")
_G_CM2: Final = CodedConcept("g/cm2", "UCUM", "gram per square centimeter")
_ONE: Final = CodedConcept("1", "UCUM", "no units")
_TOLERANCE_PX: Final = 0.5  # of a region's outline
_DECIMALS: Final = 4


def make_report(
    radiographs: Mapping[str, Dataset],
    findings: Findings,
    criteria: Criteria,
    notice: str,
    weights_sha256: str,
    uids: Sequence[str],
) -> Dataset:
    """Make the report of a study: for each site of each hip density, T-score and Z-score with their intervals and where they are,
    of a hip that was not measured why, and of the patient the probability of osteoporosis and what triage says.

    Every code of a quantity is of the bundle's own scheme, and its meaning says that it is estimated from a radiograph.

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
        procedure_reported=CodedConcept("HIPDENSITY", SCHEME, "Bone density of hips, estimated from radiograph"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    said = [notice, *dict.fromkeys(findings.study.screening.notes if findings.study.screening else ())]
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
        reason = _why(findings, index)
        next(tracked)
        yield _group(
            f"{side} hip", next(tracked), _place(_HIP_JOINT, side), algorithm,
            finding=CodedConcept("NOTMEASURED", SCHEME, "Not measured"),
            evaluations=[(("REASON", "Reason why it was not measured"), (str(reason.code), str(reason.code)))],
            comments=[reason.sentence],
        )  # fmt: skip
        return
    found = findings.radiographs[source]
    seen = found.require()
    screening = findings.study.screening or seen.screening
    hip: Hip = screening.hips[index]
    for site, estimate in hip.estimates.items():
        finding_site, region = _SITES[site]
        outline = _outline(seen, index, region)
        header = radiographs.get(found.name)
        yield _group(
            f"{side} {HIP.site_names[site]}", next(tracked), _place(finding_site, side), algorithm,
            finding=CodedConcept("DXAREGION", SCHEME, f"Region of DXA, placed on a radiograph: {HIP.site_names[site]}"[:64]),
            values=_values(estimate, criteria.coverage),
            evaluations=[(("CAUTION", "Caution"), (str(caution.code), str(caution.code))) for caution in hip.cautions],
            comments=[caution.sentence for caution in hip.cautions],
            region=_region(header, outline) if header is not None and outline is not None else None,
            image=hd.sr.SourceImageForMeasurementGroup.from_source_image(header) if header is not None else None,
        )  # fmt: skip


def _of_patient(screening: Screening, criteria: Criteria, algorithm: hd.sr.AlgorithmIdentification, uid: str) -> Group:
    values: list[tuple[str, str, float | None, CodedConcept]] = [
        ("P_OSTEOPOROSIS", "Probability that the lowest T-score is -2.5 or less", screening.osteoporosis_probability, _ONE),
        ("P_LOW_BONE_MASS", "Probability that the lowest T-score is below -1.0", screening.low_bone_mass_probability, _ONE),
    ]
    if screening.lowest:
        values += [
            ("LOWEST_T", "Lowest T-score, estimated from radiograph", screening.lowest.t_score, _ONE),
            *_interval("LOWEST_T", "lowest T-score", screening.lowest.t_interval, criteria.coverage, _ONE),
        ]
    if screening.frax:
        values.append(("FRAX_NECK_T", "T-score of the neck for FRAX, estimated from radiograph", screening.frax.t_score, _ONE))
    said = (
        ("TRIAGE", "Triage", screening.triage),
        ("CATEGORY", "WHO category of the lowest T-score", screening.category),
        ("EXPECTATION", "Lowest Z-score", screening.expectation),
    )
    return _group(
        "patient", uid, hd.sr.FindingSite(_HIP_JOINT), algorithm, finding=_OSTEOPOROSIS, values=values,
        evaluations=[((code, meaning), (value.name, str(value))) for code, meaning, value in said if value is not None],
    )  # fmt: skip


def _values(estimate: Estimate, coverage: float) -> list[tuple[str, str, float | None, CodedConcept]]:
    return [
        ("BMD", "Areal bone mineral density, estimated from radiograph", estimate.bmd, _G_CM2),
        ("BMD_SD", "Standard deviation of the estimated bone mineral density", estimate.bmd_sd, _G_CM2),
        *_interval("BMD", "estimated bone mineral density", estimate.bmd_interval, coverage, _G_CM2),
        ("T", "T-score, estimated from radiograph", estimate.t_score, _ONE),
        *_interval("T", "estimated T-score", estimate.t_interval, coverage, _ONE),
        ("Z", "Z-score, estimated from radiograph", estimate.z_score, _ONE),
        *_interval("Z", "estimated Z-score", estimate.z_interval, coverage, _ONE),
    ]


def _interval(
    code: str, name: str, ends: tuple[float, float] | None, coverage: float, unit: CodedConcept
) -> list[tuple[str, str, float | None, CodedConcept]]:
    low, high = ends or (None, None)
    return [
        (f"{code}_LOW", f"Lower end of the {coverage:.0%} interval, {name}", low, unit),
        (f"{code}_HIGH", f"Upper end of the {coverage:.0%} interval, {name}", high, unit),
    ]


def _group(
    name: str,
    uid: str,
    place: hd.sr.FindingSite,
    algorithm: hd.sr.AlgorithmIdentification,
    finding: CodedConcept,
    values: Sequence[tuple[str, str, float | None, CodedConcept]] = (),
    evaluations: Sequence[tuple[tuple[str, str], tuple[str, str]]] = (),
    comments: Sequence[str] = (),
    region: hd.sr.ImageRegion | None = None,
    image: hd.sr.SourceImageForMeasurementGroup | None = None,
) -> Group:
    """A group of measurements (TID 1501), or one of a region that is drawn (TID 1410)."""
    shared: dict[str, Any] = {
        "tracking_identifier": hd.sr.TrackingIdentifier(uid=uid, identifier=f"OsteoXR {name}"),
        "finding_type": finding,
        "finding_sites": [place],
        "algorithm_id": algorithm,
        "measurements": [
            hd.sr.Measurement(CodedConcept(code, SCHEME, meaning), round(value, _DECIMALS), unit)
            for code, meaning, value, unit in values
            if value is not None
        ],
        "qualitative_evaluations": [
            hd.sr.QualitativeEvaluation(CodedConcept(asked[0], SCHEME, asked[1]), CodedConcept(told[0], SCHEME, told[1]))
            for asked, told in evaluations
        ],
    }
    group: Group
    if region is not None:
        group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=region, **shared)
    else:
        group = hd.sr.MeasurementsAndQualitativeEvaluations(source_images=[image] if image is not None else None, **shared)
    for sentence in comments:
        group[0].ContentSequence.append(_comment(sentence))
    return group


def _why(findings: Findings, index: int) -> Reason:
    """Why a hip was not measured: by the radiograph that shows most of it, else by the study."""
    reasons = [found.seen.screening.hips[index].reason for found in findings.radiographs if found.seen]
    reason = next((one for one in reasons if one), None) or findings.study.reason
    reason = reason or next(found.reason for found in findings.radiographs if found.reason)
    return reason


def _place(site: CodedConcept, side: str) -> hd.sr.FindingSite:
    return hd.sr.FindingSite(site, laterality=_SIDES[side])


def _comment(sentence: str) -> hd.sr.TextContentItem:
    return hd.sr.TextContentItem(codes.DCM.Comment, sentence, hd.sr.RelationshipTypeValues.CONTAINS)


def _outline(seen: Seen, index: int, region: str) -> NDArray[np.float64] | None:
    """The longest outline of a region, (n, 2), (column, row) of the stored radiograph, from the corner of its first pixel."""
    placed = seen.geometry[index].regions.get(region)
    if placed is None or not placed.mask.any():
        return None
    outline = max(find_contours(np.pad(placed.mask.astype(np.float32), 1), 0.5), key=len) - 1
    stored = to_stored(approximate_polygon(outline, _TOLERANCE_PX), seen.image.meta) + 0.5
    rows, cols = seen.mask.shape
    return np.clip(stored[:, ::-1], 0, (cols, rows))


def _region(header: Dataset, outline: NDArray[np.float64]) -> hd.sr.ImageRegion:
    closed = outline if np.array_equal(outline[0], outline[-1]) else np.vstack((outline, outline[:1]))
    source = hd.sr.SourceImageForRegion.from_source_image(header)
    return hd.sr.ImageRegion(hd.sr.GraphicTypeValues.POLYLINE, closed, source)
