"""What a row of the manifest knows of its radiograph, typed; and which radiographs are evaluated."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from scripts.clinical import HIP, OURS, Category, Criteria, Reference, convert_bmd

_LOGGER: Final = logging.getLogger(__name__)

HELD_OUT: Final = ("test", "external", "")
"""The splits evaluated where none is named: whatever no training sees, but one of --splits. "" is none in the manifest."""

VALIDATION: Final = "validation"
"""The split that weights are chosen by: no training learns from it."""

ALL: Final = "all"

MEASURES: Final = (
    "neck_shaft_deg",
    "neck_axis_length_mm",
    "neck_width_mm",
    "cortical_thickness_index",
    "canal_flare_index",
    "singh_grade",
)
"""What is compared, of the fields of `scripts.measurement.morphometry.Morphometry`."""

VISIBLE_MM: Final = 1.0
"""Projected displacement from which on a fracture is called visible.

A judgement, for no study says it: 1 mm is three pixels of 0.34 mm at the detector, as wide as the strands of the trabeculae are
apart, so that a smaller gap, step or overlap cannot be told from them. Such a fracture is known of, but the radiograph does not
tell it: for training, the femur is neither broken nor whole.
"""

GROSS: Final = 0.4
"""Grade of a deformity, 0 to 1, from which on the femur is no longer measured like others."""

GROWING: Final = frozenset({"child_pelvis"})
"""Kinds of radiographs, in the manifest's words, on which the growth plates of the femurs are open."""

_MINERAL: Final = ("cortex_factor", "spongy_factor", "pelvis_factor")  # of the states of a simulated patient's bones
_NONE: Final = ("", "none")
_LEVELS_MM: Final = (40.0, 100.0)  # for which the manifest tells the widths of shaft and canal


@dataclass(frozen=True)
class TrueHip:
    """What a row knows of one hip: its columns that begin with "right_" or "left_". NaN or "" where unknown.

    bmd: areal BMD by DXA, g/cm², by site ("neck", "total"), on the scale of the estimates (`scripts.clinical.OURS`); columns
        `neck_bmd` and `total_bmd`, converted where the row's `dxa_maker` is another.
    implant, fracture, deformity: what kind it has, such as "total_hip", "basicervical" and "paget", or "none".
    rotation_deg: of the femur about its long axis; above 0 outward, below 0 inward.
    osteoarthritis: how severe, from 0 (none) to 1.
    numbers: every column by its name without the side, such as "singh_grade"; NaN where it holds a text, and BMDs as in
        `bmd`. A simulated cohort gives the true values of most quantities.
    """

    bmd: Mapping[str, float]
    implant: str
    fracture: str
    deformity: str
    rotation_deg: float
    osteoarthritis: float
    numbers: Mapping[str, float]

    @property
    def is_implanted(self) -> bool:
        """Whether an implant is known of."""
        return self.implant not in _NONE

    @property
    def is_broken(self) -> bool:
        """Whether a fracture is known of, visible or not."""
        return self.fracture not in _NONE

    @property
    def is_deformed(self) -> bool:
        """Whether a deformity or a destructive disease of the bone is known of that is not known to be mild, see `GROSS`."""
        return self.deformity not in _NONE and not self.number("deformity_grade") < GROSS

    @property
    def looks_broken(self) -> float:
        """Whether the radiograph shows a broken or deformed femur: 1 or 0, NaN where unknown or where it cannot tell.

        It cannot tell of a fracture whose fragments are less than `VISIBLE_MM` apart in the image plane
        (`fracture_displacement_mm`), and it is nobody's to say whether a deformity below `GROSS` is one.
        """
        if self.is_deformed or (self.is_broken and not self.number("fracture_displacement_mm") < VISIBLE_MM):
            return 1.0
        return math.nan if not self.fracture or self.is_broken or self.deformity not in _NONE else 0.0

    def number(self, name: str) -> float:
        """Return one of the `numbers`, NaN where there is no such column."""
        return self.numbers.get(name, math.nan)

    def measures(self, level_mm: float) -> dict[str, float]:
        """Compute the true `MEASURES`, by name.

        Args:
            level_mm: where the shaft was measured on the radiograph, mm below the lesser trochanter. The row gives the widths of
                shaft and canal at 40 and at 100 mm. Between them they are interpolated.
        """
        weight = (level_mm - _LEVELS_MM[0]) / (_LEVELS_MM[1] - _LEVELS_MM[0])

        def at_level(name: str) -> float:
            high, low = (self.number(f"{name}_{level:.0f}_below_mm") for level in _LEVELS_MM)
            return high + weight * (low - high)

        shaft, canal = at_level("shaft"), at_level("canal")
        return {
            **{name: self.number(name) for name in MEASURES},
            "cortical_thickness_index": (shaft - canal) / shaft,
            "canal_flare_index": self.number("canal_20_above_mm") / canal,
        }


@dataclass(frozen=True)
class Truth:
    """What a row knows of one radiograph. NaN or "" where unknown, or where the radiograph has no row.

    name: the radiograph's pseudonym, of `sort_studies`. patient: column `patient_id`.
    site: where it was taken. split: one of `scripts.dataset.manifest.SPLITS`.
    kind: what it shows that is no hip, such as "chest"; "" for hips. view: such as "AP".
    repeat: which of the patient's repeated radiographs it is, such as "2". mineral: what the manifest says of altered mineral.
    pelvic_turn_deg: of the pelvis about the body's long axis. pelvic_tilt_deg: of its upper end forward.
    age_years, sex ("F" or "M"), weight_kg, height_cm: of the patient.
    label, landmarks: paths of the mask of both hips and of their landmarks.
    hips: by side, the right one first.
    """

    name: str
    patient: str
    site: str
    split: str
    kind: str
    view: str
    repeat: str
    mineral: tuple[str, ...]
    pelvic_turn_deg: float
    pelvic_tilt_deg: float
    age_years: float
    sex: str
    weight_kg: float
    height_cm: float
    label: str
    landmarks: str
    hips: Mapping[str, TrueHip]

    @property
    def bmd(self) -> np.ndarray:
        """BMD of both hips: float32 (2, 2), side (right, left) by site (neck, total), g/cm²; NaN where unknown."""
        return np.array([[hip.bmd[site] for site in HIP.sites] for hip in self.hips.values()], dtype=np.float32)

    @property
    def has_bmd(self) -> bool:
        """Whether the BMD of any hip is known."""
        return bool(np.isfinite(self.bmd).any())

    @property
    def covariates(self) -> tuple[float, float, float, float]:
        """Age (years), sex (0 female, 1 male), weight (kg) and height (cm); NaN = unknown."""
        return (self.age_years, {"F": 0.0, "M": 1.0}.get(self.sex, math.nan), self.weight_kg, self.height_cm)

    @property
    def repeat_of(self) -> tuple[str, ...]:
        """What radiographs of the same bone have in common; () of one that the manifest does not call a repeat."""
        return (self.patient, *self.mineral) if self.patient and self.repeat else ()

    def lowest_t_score(self, reference: Reference) -> float:
        """Find the lowest T-score over hips and sites; NaN where no BMD is known.

        Args:
            reference: young adults; the women's serves for both sexes.
        """
        known = [(value, site) for hip in self.hips.values() for site, value in hip.bmd.items() if math.isfinite(value)]
        return min((reference.t_score(value, site) for value, site in known), default=math.nan)


def read_truth(item: Mapping[str, Any]) -> Truth:
    """Read what is known of a radiograph.

    Args:
        item: of `list_radiographs` or `sort_studies`, or an entry of `read_manifest`.

    Example:
        >>> truth = read_truth({"view": "AP", "right_neck_bmd": 0.61, "right_implant": "none", "left_implant": "nail"})
        >>> truth.hips["right"].bmd["neck"], truth.hips["left"].is_implanted, truth.site
        (0.61, True, '')
    """
    return Truth(
        name=_text(item, "name"),
        patient=_text(item, "patient_id"),
        site=_text(item, "site"),
        split=_text(item, "split"),
        kind=_text(item, "kind"),
        view=_text(item, "view"),
        repeat=_text(item, "repeat"),
        mineral=tuple(_text(item, column) for column in _MINERAL),
        pelvic_turn_deg=_number(item.get("pelvic_turn_deg")),
        pelvic_tilt_deg=_number(item.get("pelvic_tilt_deg")),
        age_years=_number(item.get("age_years")),
        sex=_text(item, "sex"),
        weight_kg=_number(item.get("weight_kg")),
        height_cm=_number(item.get("height_cm")),
        label=_text(item, "label"),
        landmarks=_text(item, "landmarks"),
        hips={side: _read_hip(item, f"{side}_") for side in HIP.sides},
    )


def _read_hip(item: Mapping[str, Any], side: str) -> TrueHip:
    numbers = {column.removeprefix(side): _number(cell) for column, cell in item.items() if column.startswith(side)}
    maker = _text(item, "dxa_maker") or OURS
    bmd = {site: convert_bmd(numbers.get(f"{site}_bmd", math.nan), site, maker, OURS) for site in HIP.sites}
    numbers |= {f"{site}_bmd": value for site, value in bmd.items() if f"{site}_bmd" in numbers}
    return TrueHip(
        bmd=bmd,
        implant=_text(item, f"{side}implant"),
        fracture=_text(item, f"{side}fracture"),
        deformity=_text(item, f"{side}deformity"),
        rotation_deg=numbers.get("rotation_deg", math.nan),
        osteoarthritis=numbers.get("osteoarthritis", math.nan),
        numbers=numbers,
    )


def _text(item: Mapping[str, Any], column: str) -> str:
    cell = item.get(column)
    return str(cell) if isinstance(cell, (str, Path)) else ""  # a mask that was loaded already is no path


def _number(cell: Any) -> float:
    try:
        return math.nan if cell is None or cell == "" else float(cell)
    except (TypeError, ValueError):  # a column of the user's own
        return math.nan


BY_NETWORKS: Final = {"label": ("label_by", "networks"), "landmarks": ("landmarks_by", "networks")}
"""Of what can be drawn on a radiograph, the manifest's column that says by whom, and its word for the networks themselves."""


def held_out_truth(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item without what the networks drew on it themselves, which would agree with them too well."""
    return {**item, **{drawn: "" for drawn, (column, word) in BY_NETWORKS.items() if item.get(column) == word}}


def held_out_radiographs(radiographs: Sequence[Mapping[str, Any]], split: str | None = None) -> list[dict[str, Any]]:
    """Choose the radiographs to evaluate: those of the split for which the manifest gives a mask, landmarks or a hip BMD.

    What the networks drew themselves is left out, see `held_out_truth`. The log says how many others there are.

    Args:
        radiographs: items of `list_radiographs`.
        split: one of the manifest's, or "all"; by default all but train and validation.

    Raises:
        ValueError: when none is left.
    """
    items = [held_out_truth(item) for item in radiographs]
    known = [item for item in items if _has_truth(item)]
    if not known:
        raise ValueError(
            f"None of the {len(radiographs)} radiographs has a label, landmarks or a hip BMD; expected a manifest.csv that "
            "gives them. Nothing was evaluated."
        )
    chosen = [item for item in known if _is_of(item, split)]
    if not chosen:
        found = ", ".join(sorted({item.get("split", "") or "none" for item in known}))
        raise ValueError(
            f"None of the {len(known)} radiographs with a truth is in split {split or 'test, external or none'!r}; the manifest "
            f"has {found}. Name one by --split, or take --split all. Nothing was evaluated."
        )
    if len(chosen) < len(items):
        _LOGGER.info(
            "%d of %d radiographs are evaluated: %d have no mask, landmarks or hip BMD that a person gave, %d are of other "
            "splits.",
            len(chosen),
            len(items),
            len(items) - len(known),
            len(known) - len(chosen),
        )
    return chosen


def count_left_out(radiographs: Sequence[Mapping[str, Any]], split: str | None = None) -> tuple[int, int]:
    """How many of some radiographs `held_out_radiographs` leaves out: without a truth that a person gave, and of other splits."""
    known = [item for item in map(held_out_truth, radiographs) if _has_truth(item)]
    return len(radiographs) - len(known), sum(not _is_of(item, split) for item in known)


def _has_truth(item: Mapping[str, Any]) -> bool:
    return bool(item.get("label") or item.get("landmarks") or read_truth(item).has_bmd)


def _is_of(item: Mapping[str, Any], split: str | None) -> bool:
    return split == ALL or item.get("split", "") in (HELD_OUT if split is None else (split,))


def calibration_radiographs(radiographs: Sequence[Mapping[str, Any]], split: str | None = None) -> list[dict[str, Any]]:
    """Choose the radiographs by which some weights are calibrated, as `held_out_radiographs` does those to evaluate.

    Args:
        radiographs: items of `list_radiographs`.
        split: one of the manifest's, or "all"; by default validation where the manifest has that, else all but train.

    Raises:
        ValueError: when none is left.
    """
    if split is None and any(item.get("split") == VALIDATION for item in radiographs):
        split = VALIDATION
    return held_out_radiographs(radiographs, split)


def is_osteoporosis(t_score: float, criteria: Criteria) -> bool:
    """Whether a (known) lowest T-score means osteoporosis."""
    return criteria.classify(t_score) is Category.OSTEOPOROSIS
