"""The names of a manifest's columns: those that are known, and which of them a misspelt or a kindred one means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from typing import Final

BMD_COLUMNS: Final = ("left_neck_bmd", "left_total_bmd", "right_neck_bmd", "right_total_bmd", "lumbar_bmd")
"""Areal bone mineral density by DXA, g/cm²."""

LABEL_COLUMNS: Final = ("label", "left_label", "right_label", "landmarks", "fracture_label", "mineral_label", "region_label")
"""Files with a radiograph's mask (of both hips, or of one), its landmarks, the mask of where a femur is broken, and maps of the
mineral and of DXA's regions, relative to the manifest's folder."""

COLUMNS: Final = (
    "image", "patient_id", "study_date", "site", "split", "age_years", "sex", "weight_kg", "height_cm", *BMD_COLUMNS,
    "dxa_maker", *LABEL_COLUMNS,
)  # fmt: skip
"""Those whose cells are checked."""

_TRUTHS: Final = frozenset({
    "label_by", "landmarks_by", "view", "kind", "pelvic_turn_deg", "pelvic_tilt_deg", "lowest_t", "lumbar_bmd_exact", "objects",
    "style", "repeat", "cortex_factor", "spongy_factor", "pelvis_factor",
})  # fmt: skip
_TRUTHS_OF_A_HIP: Final = frozenset({
    "neck_bmd_exact", "total_bmd_exact", "implant", "osteoarthritis", "fracture", "fracture_displacement_mm", "deformity",
    "deformity_grade", "rotation_deg", "neck_shaft_deg", "neck_axis_length_mm", "neck_width_mm", "canal_20_above_mm",
    "shaft_40_below_mm", "shaft_100_below_mm", "canal_40_below_mm", "canal_100_below_mm", "singh_grade",
})  # fmt: skip
"""What `annotate` and a simulated cohort tell beside them, of a radiograph and, behind a side, of a hip."""

_UNITS: Final = frozenset({
    "years", "year", "yrs", "yr", "y", "kg", "kgs", "lb", "lbs", "pounds", "cm", "m", "in", "inches", "g", "cm2", "cm²", "iso",
    "yyyy", "mm", "dd",
})  # fmt: skip
_FILLERS: Final = frozenset({
    "patient", "patients", "subject", "participant", "s", "at", "of", "the", "body", "exam", "examination", "study", "scan",
    "exposure", "imaging", "acquisition", "radiograph", "xray", "x", "ray", "image", "file", "path", "name", "filename",
    "femoral", "femur", "proximal", "areal",
})  # fmt: skip
"""Words that leave the meaning of a name as it is."""

_METHODS: Final = frozenset({"dxa", "dexa"})
"""Words that leave the meaning of a BMD's name as it is, but of no other: a DXA's date is another one."""

_LONG_ENOUGH: Final = 5
"""Letters of a word that is told apart from others when one is wrong."""

_SIDES: Final = {"l": "left", "lt": "left", "r": "right", "rt": "right"}
_MEANINGS: Final = {
    "image": ("image", "images", "img", "film", "radiograph", "xray", "x ray", "file", "filename", "path", "dicom", "picture"),
    "patient_id": (
        "patient id", "patientid", "patient", "patients", "subject", "subject id", "participant", "participant id", "pid", "mrn",
        "id", "case", "case id", "person", "person id", "patient number", "patient no",
    ),
    "study_date": ("date", "datetime", "exam date"),
    "site": ("hospital", "centre", "center", "institution", "institution name", "clinic"),
    "split": ("subset", "partition", "set"),
    "age_years": ("age", "ages", "birth date", "date birth", "birthdate", "birthday", "dob", "birth year", "birth", "yob"),
    "sex": ("sex", "gender"),
    "weight_kg": ("weight", "bodyweight", "mass"),
    "height_cm": ("height", "stature", "size", "bodyheight"),
    "lumbar_bmd": ("lumbar bmd", "spine bmd", "lumbar spine bmd", "ls bmd", "vertebral bmd"),
    "dxa_maker": (
        "dxa manufacturer", "dxa vendor", "dxa device", "dxa machine", "dxa scanner", "dxa system", "dexa maker",
        "dexa manufacturer", "densitometer",
    ),
    "label": ("label", "labels", "mask", "masks", "segmentation", "seg", "contour", "contours", "annotation"),
    "landmarks": ("landmark", "landmarks", "points", "keypoints"),
    "fracture_label": ("fracture mask", "fracture segmentation"),
    **{
        f"{side}_{column}": tuple(f"{side} {word}" for word in words)
        for side in ("left", "right")
        for column, words in {
            "label": ("label", "mask", "segmentation", "seg", "contour"),
            "neck_bmd": ("neck bmd", "neck"),
            "total_bmd": ("total bmd", "hip bmd", "total hip bmd", "total hip", "bmd"),
        }.items()
    },
}  # fmt: skip
"""In what other words a column may be meant, in any order, with or without units and fillers."""

_WITHOUT_SIDE: Final = {
    "neck bmd": "neck_bmd", "bmd": "total_bmd", "total bmd": "total_bmd", "hip bmd": "total_bmd", "total hip bmd": "total_bmd",
}  # fmt: skip
_OTHER: Final = frozenset({"bmc", "tbs"})
"""Words of what DXA measures besides, so that a name with one is no misspelling."""


def meant_column(name: str, present: Collection[str]) -> str:
    """Tell which known column a name means that is none itself; "" where it means none, or one that is present.

    Args:
        name: as the table has it.
        present: the names of all columns of the table.

    Returns:
        The column, or several with "or" between them.

    Example:
        >>> meant_column("Age (years)", []), meant_column("weight", ["weight_kg"]), meant_column("vendor", [])
        ('age_years', '', '')
    """
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()
    for candidate in _readings(words):
        for column, meanings in _MEANINGS.items():
            if column not in present and any(frozenset(meaning.split()) == candidate for meaning in meanings):
                return column
        for meaning, site in _WITHOUT_SIDE.items():
            if candidate == frozenset(meaning.split()):
                missing = [column for column in (f"left_{site}", f"right_{site}") if column not in present]
                if len(missing) == 2:
                    return " or ".join(missing)
    return _like(re.sub(r"\W+", "_", words).strip("_"), present)


def is_known(name: str) -> bool:
    """Whether anything in the bundle reads a column of this name."""
    side, _, rest = name.partition("_")
    return name in COLUMNS or name in _TRUTHS or (side in ("left", "right") and rest in _TRUTHS_OF_A_HIP)


def _readings(words: str) -> Iterator[frozenset[str]]:
    """The words of a name, then those without units, then those without fillers either."""
    whole = [_SIDES.get(word, word) for word in re.findall(r"[^\W_]+", words)]
    yield frozenset(whole)
    bare = [word for word in whole if word not in (_UNITS | _METHODS if "bmd" in whole else _UNITS)]
    yield frozenset(bare)
    yield frozenset(word for word in bare if word not in _FILLERS)


def _like(name: str, present: Collection[str]) -> str:
    """The column whose name, or whose other name of one word, is spelt much like this one."""
    spellings = {column: column for column in COLUMNS if column not in present}
    spellings |= {
        meaning: column
        for column, meanings in _MEANINGS.items()
        for meaning in meanings
        if column not in present and len(meaning) >= _LONG_ENOUGH and " " not in meaning
    }
    if not _OTHER.isdisjoint(name.split("_")):
        return ""
    swapped = [spelling for spelling in spellings if sorted(spelling) == sorted(name)]
    close = swapped or difflib.get_close_matches(name, spellings, n=1, cutoff=0.88)
    return spellings[close[0]] if close else ""
