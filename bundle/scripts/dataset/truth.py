"""What a row of the manifest knows of the truth: DXA, morphometry, masks and landmarks; and which rows are evaluated."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from scripts.clinical import HIP, Category, Criteria, Reference
from scripts.dataset.labels import read_label, read_landmarks
from scripts.dataset.manifest import number
from scripts.radiograph.sampling import resample_nearest, to_resampled_points

Item = dict[Hashable, Any]

HELD_OUT: Final = ("test", "external", "")
"""The splits evaluated where none is named: whatever no training has seen. "" is a radiograph without a split."""

ALL: Final = "all"

_NONE: Final = ("", "none")


@dataclass(frozen=True)
class TrueHip:
    """What a row of the manifest knows of one hip.

    implant, fracture: their kinds, such as "total_hip"; "none", or "" where unknown. rotation_deg: of the femur about its long
    axis, outward. osteoarthritis: its degree, 0..1. NaN where unknown.
    """

    implant: str
    fracture: str
    rotation_deg: float
    osteoarthritis: float

    @property
    def is_implanted(self) -> bool:
        """Whether an implant is known of."""
        return self.implant not in _NONE

    @property
    def is_broken(self) -> bool:
        """Whether a fracture is known of."""
        return self.fracture not in _NONE


@dataclass(frozen=True)
class Truth:
    """What a row of the manifest knows of what a radiograph shows.

    kind: what it shows that is no hip, "" for hips. view: such as "AP", "" where unknown. pelvic_turn_deg: NaN where unknown.
    hips: by side.
    """

    kind: str
    view: str
    pelvic_turn_deg: float
    hips: Mapping[str, TrueHip]


def read_truth(item: Mapping[str, Any]) -> Truth:
    """Read the columns kind, view, pelvic_turn_deg and, of each side, implant, fracture, rotation_deg and osteoarthritis."""
    return Truth(
        kind=str(item.get("kind") or ""),
        view=str(item.get("view") or ""),
        pelvic_turn_deg=_number(item, "pelvic_turn_deg"),
        hips={
            side: TrueHip(
                implant=str(item.get(f"{side}_implant") or ""),
                fracture=str(item.get(f"{side}_fracture") or ""),
                rotation_deg=_number(item, f"{side}_rotation_deg"),
                osteoarthritis=_number(item, f"{side}_osteoarthritis"),
            )
            for side in HIP.sides
        },
    )


def held_out_radiographs(radiographs: Sequence[Mapping[str, Any]], split: str | None = None) -> list[dict[str, Any]]:
    """Choose the radiographs to evaluate: those of the split for which the manifest gives any truth.

    Args:
        radiographs: items of `scripts.radiograph.list_radiographs`.
        split: one of the manifest's, or "all"; by default all but train and validation.

    Raises:
        ValueError: when none is left.
    """
    known = [dict(item) for item in radiographs if item.get("label") or item.get("landmarks") or has_bmd(item)]
    if not known:
        raise ValueError(
            f"None of the {len(radiographs)} radiographs has a label, landmarks or a hip BMD; expected a manifest.csv that "
            "gives them. Nothing was evaluated."
        )
    wanted = HELD_OUT if split is None else (split,)
    chosen = [item for item in known if split == ALL or item.get("split", "") in wanted]
    if not chosen:
        found = ", ".join(sorted({item.get("split", "") or "none" for item in known}))
        raise ValueError(
            f"None of the {len(known)} radiographs with a truth is in split {split or 'test, external or none'!r}; the manifest "
            f"has {found}. Name one by --split, or take --split all. Nothing was evaluated."
        )
    return chosen


def dxa_bmd(item: Mapping[str, Any], side: str) -> dict[str, float]:
    """The DXA result of one hip by site ("neck", "total"), g/cm²; NaN where unknown."""
    return {site: number(item.get(f"{side}_{site}_bmd")) for site in HIP.sites}


def hip_bmd(item: Mapping[str, Any]) -> np.ndarray:
    """The DXA result of both hips: float32 (2, 2), side by site (neck, total), g/cm²; NaN where unknown."""
    return np.array([list(dxa_bmd(item, side).values()) for side in HIP.sides], dtype=np.float32)


def has_bmd(item: Mapping[str, Any]) -> bool:
    """Whether a DXA result of any hip is known."""
    return bool(np.isfinite(hip_bmd(item)).any())


def lowest_t_score(bmds: Sequence[Mapping[str, float]], reference: Reference) -> float:
    """The lowest T-score over hips and sites, with the female reference for both sexes; NaN where no BMD is known.

    Args:
        bmds: of each hip, by site, g/cm²; NaN = unknown.
        reference: young adults.
    """
    scores = [reference.t_score(value, site) for bmd in bmds for site, value in bmd.items() if math.isfinite(value)]
    return min(scores, default=math.nan)


def is_osteoporosis(t_score: float, criteria: Criteria) -> bool:
    """Whether a (known) lowest T-score means osteoporosis."""
    return criteria.classify(t_score) is Category.OSTEOPOROSIS


MEASURES: Final = (
    "neck_shaft_deg",
    "neck_axis_length_mm",
    "neck_width_mm",
    "cortical_thickness_index",
    "canal_flare_index",
    "singh_grade",
)
"""What is compared, of the fields of `scripts.measurement.morphometry.Morphometry`."""

_LEVELS_MM: Final = (40.0, 100.0)  # for which the manifest tells the widths of shaft and canal


def true_measures(item: Mapping[str, Any], side: str, level_mm: float) -> dict[str, float]:
    """The true `MEASURES` of one hip, by name, from the columns of a simulated cohort's manifest; NaN where they are not there.

    Args:
        item: of `held_out_radiographs`.
        side: "right" or "left".
        level_mm: where the film's shaft was measured, below the lesser trochanter; between 40 and 100 mm the bone's widths are
            interpolated, since films end at different levels.
    """

    def column(name: str) -> float:
        return true_measure(item, side, name)

    def at_level(name: str) -> float:
        weight = (level_mm - _LEVELS_MM[0]) / (_LEVELS_MM[1] - _LEVELS_MM[0])
        high, low = (column(f"{name}_{level:.0f}_below_mm") for level in _LEVELS_MM)
        return high + weight * (low - high)

    shaft, canal = at_level("shaft"), at_level("canal")
    return {
        **{name: column(name) for name in MEASURES[:3]},
        "cortical_thickness_index": (shaft - canal) / shaft,
        "canal_flare_index": column("canal_20_above_mm") / canal,
        "singh_grade": column("singh_grade"),
    }


def true_measure(item: Mapping[str, Any], side: str, name: str) -> float:
    """What a simulated cohort's manifest tells of one hip's ``name``, such as "singh_grade"; NaN where it does not."""
    return _number(item, f"{side}_{name}")


def _number(item: Mapping[str, Any], column: str) -> float:
    try:
        return number(item.get(column))
    except ValueError:  # a column of the user's own
        return math.nan


class LoadLabeld(MapTransform):
    """Reads a film's mask onto the grid of its image: nearest, (1, H, W) uint8, see `read_label`.

    Where the key's value is empty, the masks `left_label` and `right_label` are joined, if the item has them.

    Args:
        keys: of the masks' paths.
        image_key: of the loaded (and resampled, if it is to be) image.
        allow_none: an item without a mask gets one of background alone.

    Raises:
        ValueError: if the mask is missing or bad.
    """

    def __init__(self, keys: KeysCollection = "label", image_key: str = "image", allow_none: bool = False) -> None:
        super().__init__(keys)
        self.image_key, self.allow_none = image_key, allow_none

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Replace the path of each key by its mask."""
        item = dict(data)
        image = item[self.image_key]
        for key in self.key_iterator(item):
            paths = [item[key]] if item[key] else [item.get(f"{side}_label") for side in ("left", "right")]
            masks = [read_label(path, _stored_shape(image.meta)) for path in paths if path]
            if not masks and self.allow_none:
                masks = [np.zeros(_stored_shape(image.meta), np.uint8)]
            if not masks:
                raise ValueError(f"{image.meta['filename_or_obj']}: has no {key}, expected a mask. Training stops.")
            shown = image.meta["orientation"].to_display(np.maximum.reduce(masks))
            mask = resample_nearest(shown, tuple(image.shape[-2:]))
            item[key] = MetaTensor(torch.from_numpy(np.ascontiguousarray(mask))[None], affine=image.affine)
        return item


class LoadLandmarksd(MapTransform):
    """Reads a film's landmarks as pixels of its image: (2, 5, 2) float32, NaN where missing, see `read_landmarks`.

    Where the key's value is empty, all are missing.

    Args:
        keys: of the landmark files' paths.
        image_key: of the loaded (and resampled, if it is to be) image.

    Raises:
        ValueError: if the file is missing or bad.
    """

    def __init__(self, keys: KeysCollection = "landmarks", image_key: str = "image", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Replace the path of each key by its landmarks."""
        item = dict(data)
        meta = item[self.image_key].meta
        for key in self.key_iterator(item):
            stored = read_landmarks(item[key]) if item[key] else np.full((len(HIP.sides), len(HIP.landmarks), 2), np.nan)
            shown = meta["orientation"].points_to_display(stored, _stored_shape(meta))
            points = to_resampled_points(shown, meta.get("resample_scale", (1.0, 1.0)))
            item[key] = torch.from_numpy(points.astype(np.float32))
        return item


def _stored_shape(meta: Mapping[str, Any]) -> tuple[int, int]:
    rows, cols = meta["displayed_shape"]
    return (cols, rows) if meta["orientation"].transpose else (rows, cols)
