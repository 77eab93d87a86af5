"""The one table of quantities: what is found of a bone, a radiograph or a patient, and the limits that the gate asks for.

The channels of the cascade's tensor, `metadata.json`, `results.json` and its schema, `results.csv` and its dictionary, and the
gate derive from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from scripts.clinical.anatomy import HIP
from scripts.clinical.outcomes import Code, Doubt

Bounds = tuple[float | None, float | None]
"""Least and greatest possible value; None where there is none."""


class Of(StrEnum):
    """What a quantity belongs to."""

    BONE = "bone"
    PATIENT = "patient"
    RADIOGRAPH = "radiograph"


class Source(StrEnum):
    """Where a quantity comes from."""

    NETWORK = "network"  # a channel of the cascade
    MEASURED = "measured"  # on the picture, within the outline that the cascade drew


@dataclass(frozen=True)
class Limit:
    """A question of the gate: the quantity must be at least, or at most, the limit of this name.

    Args:
        name: of the limit, in the gate's JSON files.
        code: of the refusal.
        asked: the order of the questions about one bone, or one radiograph: the truer reason is asked for first.
        sentence: of the refusal, with {side}, {value} and {limit}.
        sign: -1 for a limit to the negative side: then the negative of the value is compared, and told.
        unknown_passes: whether a NaN is no reason to refuse.
        doubt: set where the limit does not decide alone: a hip that is soundly drawn (`scripts.clinical.gate.Judgement`) is
            measured beyond it, with this caution.
        caution: the caution's sentence, with what ``sentence`` has.
        beside: another quantity of the same bone, and the number of the gate that it must exceed for this limit to be asked:
            two signs of which neither decides alone.
    """

    name: str
    code: Code
    asked: int
    sentence: str
    sign: int = 1
    unknown_passes: bool = False
    doubt: Doubt | None = None
    caution: str = ""
    beside: tuple[str, str] | None = None

    def holds(self, value: float, limit: float) -> bool:
        """Whether a value is within the limit."""
        if math.isnan(value):
            return self.unknown_passes
        return self.sign * value >= limit if "_at_least" in self.name else self.sign * value <= limit


@dataclass(frozen=True)
class Quantity:
    """One row of the table; a configuration may give lists for tuples, and words for `Of` and `Source`.

    Args:
        name: everywhere.
        unit: "" for a plain number.
        meaning: in a sentence's part that stands after the name.
        of: what it belongs to.
        source: where it comes from.
        decimals: in results.csv; None keeps it out of that table.
        group: object of results.json that holds it; "" is the bone, or the radiograph, itself.
        of_shown: whether it means nothing where no femur was found.
        bounds: least and greatest possible value; None where there is none.
        limits: questions of the gate.
    """

    name: str
    unit: str
    meaning: str
    of: Of = Of.BONE
    source: Source = Source.NETWORK
    decimals: int | None = 3
    group: str = ""
    of_shown: bool = False
    bounds: Bounds = (None, None)
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        """Take what YAML can say.

        Raises:
            ValueError: when ``of`` or ``source`` is none, or ``bounds`` are not two.
        """
        least, greatest = self.bounds
        taken = {"of": Of(self.of), "source": Source(self.source), "bounds": (least, greatest), "limits": tuple(self.limits)}
        for name, value in taken.items():
            object.__setattr__(self, name, value)  # frozen

    @property
    def key(self) -> str:
        """Its name within its group, of which it need not repeat the name."""
        return self.name.removeprefix(f"{self.group}_")

    def find(self, record: Mapping[str, Any]) -> float | None:
        """Its number in results.json, None where there is none.

        Args:
            record: the object there of the hip or of the radiograph that it belongs to.
        """
        values = record[self.group] or {} if self.group else record
        number: float | None = values.get(self.key)
        return number

    def describe(self) -> str:
        """Its meaning and unit, for people."""
        return f"{self.meaning}, {self.unit}" if self.unit else self.meaning


_SHARE: Final = (0.0, 1.0)
_POSITIVE: Final = (0.0, None)


def spreads_of(row: Quantity) -> tuple[Quantity, Quantity]:
    """The quantities that tell how sure a network is of another: its standard deviation, and the part in which members differ."""
    sd = replace(
        row, name=f"{row.name}_sd", meaning=f"standard deviation of the estimated {row.meaning}", bounds=_POSITIVE, limits=()
    )
    meaning = (
        f"the part of the network's own {sd.name}, before any widening, in which its members differ: more where a radiograph is "
        "unlike any learnt; 0 where the hip is masked out"
    )
    return sd, replace(sd, name=f"{row.name}_epistemic_sd", meaning=meaning, group="")


_CHILD: Final = (
    "; only adults are measured, because a growing skeleton has no T-score. If the patient is an adult, a radiologist should "
    "look at the picture."
)
_EXPORT: Final = "; the hip is not measured. Export the original DICOM, or repeat the radiograph."
_TURNED: Final = (
    "The {{side}} femur is turned {way} by {{value:.0f}} degrees from the pose in which its neck lies in the radiograph's "
    "plane (at most {{limit:.0f}} are allowed), so its neck is foreshortened; it is not measured. Repeat the radiograph with "
    "the foot turned in by 15 degrees."
)
_ABDUCTED: Final = (
    "The {{side}} femur is {way} (at most {{limit:.0f}} are allowed); BMD is only measured on an AP view with the leg straight."
)
_PELVIS: Final = (
    "The pelvis is turned by {value:.0f} degrees about the body's long axis (at most {limit:.0f} are allowed), which hides and "
    "distorts the hips; nothing was measured. Repeat the radiograph with the pelvis flat."
)
_FLAT: Final = (
    "{{value:.0%}} of the {{side}} proximal femur is flat {tone}, without any detail (at most {{limit:.0%}} is allowed): the "
    "radiograph is {way}-exposed, or its display window too narrow"
)


def _exposure(name: str, meaning: str, limit: str, asked: int, sentence: str) -> Quantity:
    """How well the femur is exposed; nothing where it was not outlined, which is no reason to refuse."""
    question = Limit(limit, Code.EXPOSURE, asked, sentence + _EXPORT, unknown_passes=True)
    return Quantity(f"exposure_{name}", "", meaning, source=Source.MEASURED, decimals=None, group="exposure", limits=(question,))


def _measure(name: str, unit: str, meaning: str, decimals: int, bounds: Bounds) -> Quantity:
    """A length, angle or index of the femur's outline."""
    return Quantity(name, unit, meaning, source=Source.MEASURED, decimals=decimals, group="morphometry", bounds=bounds)


QUANTITIES: Final = (
    Quantity(
        "landmark_confidence",
        "",
        "confidence that the proximal femur is shown: the least of its landmarks' peak probabilities",
        bounds=_SHARE,
        limits=(
            Limit(
                "present_at_least",
                Code.NO_FEMUR,
                0,
                "No proximal femur found on the {side} side (landmark confidence {value:.2f}, expected {limit:.2f} or more); "
                "that side is not measured.",
            ),
            Limit(
                "complete_at_least",
                Code.CUT_OFF,
                12,
                "The {side} proximal femur is not shown whole and clear (landmark confidence {value:.2f}, expected {limit:.2f} "
                "or more); it is not measured.",
            ),
        ),
    ),
    Quantity(
        "femur_probability",
        "",
        "probability that what was found is an adult's proximal femur, seen clearly and from the front",
        bounds=_SHARE,
        limits=(
            Limit(
                "femur_at_least",
                Code.NO_FEMUR,
                11,
                "What was found on the {side} side neither looks nor is drawn like an adult's proximal femur, seen clearly and "
                "from the front (probability {value:.2f}, expected {limit:.2f} or more); it is not measured. Send a clear AP "
                "view.",
                doubt=Doubt.UNUSUAL_FEMUR,
                caution="The {side} hip is drawn as an adult's proximal femur, but looks unusual (probability of such a femur "
                "{value:.2f}, usually {limit:.2f} or more): its intervals are wider for it. Look at its contour.",
            ),
        ),
    ),
    Quantity(
        "metal_fraction",
        "",
        "share of metal in the outline of the proximal femur",
        bounds=_SHARE,
        limits=(
            Limit(
                "implant_at_most",
                Code.IMPLANT,
                1,
                "Metal covers {value:.0%} of the {side} proximal femur (at most {limit:.0%} is allowed); the BMD of an implanted "
                "hip is not measured.",
            ),
        ),
    ),
    Quantity(
        "fracture_probability",
        "",
        "probability that the proximal femur is broken or deformed",
        bounds=_SHARE,
        limits=(
            Limit(
                "fracture_at_most",
                Code.FRACTURE,
                8,
                "The {side} proximal femur looks broken or deformed (probability {value:.0%}, at most {limit:.0%} is allowed); "
                "its BMD is not measured. A radiologist should look at the picture.",
            ),
        ),
    ),
    Quantity(
        "growth_probability",
        "",
        "probability that the growth plates of the proximal femur, or of both, are open",
        bounds=_SHARE,
        limits=(
            Limit(
                "growth_at_most",
                Code.NOT_ADULT,
                3,
                "The {side} hip looks like a child's, whose growth plates are open (probability {value:.0%}, at most {limit:.0%} "
                "is allowed)" + _CHILD,
            ),
        ),
    ),
    Quantity(
        "shaft_abduction_deg",
        "degrees",
        "abduction of the femoral shaft from the image's vertical; positive = knee lateral",
        decimals=1,
        of_shown=True,
        bounds=(-180.0, 180.0),
        limits=(
            Limit(
                "shaft_angle_at_most_deg",
                Code.NOT_AP,
                10,
                _ABDUCTED.format(way="abducted by {value:.0f} degrees as in a frog-leg view"),
                unknown_passes=True,
            ),
            Limit(
                "shaft_angle_at_most_deg",
                Code.NOT_AP,
                10,
                _ABDUCTED.format(way="adducted by {value:.0f} degrees"),
                sign=-1,
                unknown_passes=True,
            ),
        ),
    ),
    Quantity(
        "outward_rotation_deg",
        "degrees",
        "turn of the femur, outward, from the pose in which its neck lies in the image's plane; negative = inward",
        decimals=1,
        of_shown=True,
        limits=(
            Limit("rotation_outward_at_most_deg", Code.ROTATED, 14, _TURNED.format(way="outward")),
            Limit("rotation_inward_at_most_deg", Code.ROTATED, 14, _TURNED.format(way="inward"), sign=-1),
        ),
    ),
    Quantity(
        "contour_agreement",
        "",
        "Dice of two drawings of the femur's contour, the second a little turned and enlarged; 0 where none was found",
        bounds=_SHARE,
        limits=(
            Limit(
                "drawn_at_least",
                Code.NO_FEMUR,
                2,
                "What was found on the {side} side is no proximal femur seen from the front: drawn twice, its contour agrees "
                "with itself by {value:.2f} only (Dice, expected {limit:.2f} or more); that side is not measured. If that hip is "
                "on the radiograph, send a clear AP view of it.",
            ),
            Limit(
                "agreement_at_least",
                Code.UNSURE_CONTOUR,
                13,
                "The contour of the {side} femur is unsure: drawn twice, it agrees with itself by {value:.2f} (Dice, expected "
                "{limit:.2f} or more); the hip is not measured. Look at the picture, and correct the contour in MONAI Label if "
                "it is to be learnt.",
            ),
        ),
    ),
    *(
        quantity
        for site in HIP.sites
        for density in [
            Quantity(
                f"{site}_bmd",
                "g/cm2",
                f"areal bone mineral density of the {HIP.site_names[site]}; 0 where the hip is masked out (absent or implanted)",
                decimals=4,
                group="estimates",
                bounds=_POSITIVE,
            )
        ]
        for quantity in (density, *spreads_of(density))
    ),
    _exposure(
        "black",
        "share of the femur that is one flat dark tone: burnt out, or cut off by the display window",
        "flat_at_most",
        4,
        _FLAT.format(tone="black", way="over"),
    ),
    _exposure(
        "white",
        "share of the femur that is one flat light tone",
        "flat_at_most",
        4,
        _FLAT.format(tone="white", way="under"),
    ),
    _exposure(
        "contrast",
        "from the 5th to the 95th percentile of the femur, in units of the exposed field's range",
        "contrast_at_least",
        5,
        "The {side} proximal femur has hardly any contrast ({value:.2f} of the radiograph's range, expected {limit:.2f} or "
        "more): the radiograph is badly exposed or its display window too wide",
    ),
    _exposure(
        "noise",
        "standard deviation of the noise at 0.3 mm, as a share of the contrast",
        "noise_at_most",
        6,
        "Noise at the {side} proximal femur is {value:.0%} of its contrast (at most {limit:.0%} is allowed): the radiograph is "
        "under-exposed",
    ),
    _exposure(
        "edge",
        "by how much the rim of the femur is denser than the tissue beside it, as a share of the contrast; below 0 on a negative",
        "edge_at_least",
        7,
        "The {side} proximal femur is hardly denser than the tissue beside it, or less dense (by {value:.2f} of its contrast, "
        "expected {limit:.2f} or more): the radiograph is blurred, badly exposed or a negative",
    ),
    Quantity(
        "head_diameter_mm",
        "mm",
        "diameter of the femoral head, by the radiograph's pixel size",
        source=Source.MEASURED,
        decimals=None,
        bounds=_POSITIVE,
    ),
    Quantity(
        "head_share",
        "",
        "diameter of the femoral head, of the larger where the two differ by over a tenth, over the distance of their centres",
        source=Source.MEASURED,
        decimals=None,
        bounds=_SHARE,
        limits=(
            Limit(
                "head_share_at_least",
                Code.NOT_ADULT,
                9,
                "The femoral heads are small for the pelvis, as a child's are before they have turned to bone ({side}: "
                "{value:.2f} of the distance between their centres, expected {limit:.2f} or more)" + _CHILD,
                unknown_passes=True,
            ),
        ),
    ),
    Quantity(
        "head_density",
        "",
        "by how much the femoral head, the denser of two, exceeds the bone between the trochanters, as a share of the femur's "
        "contrast",
        source=Source.MEASURED,
        decimals=None,
        limits=(
            Limit(
                "head_density_at_least",
                Code.NOT_ADULT,
                9,
                "The femoral heads are less dense than the bone between the trochanters, as a child's are while they are of "
                "cartilage ({side}: by {value:.2f} of the femur's contrast, expected {limit:.2f} or more)" + _CHILD,
                unknown_passes=True,
                beside=("growth_probability", "growth_possible_from"),
            ),
        ),
    ),
    _measure("neck_shaft_deg", "degrees", "angle between the axes of neck and shaft, as projected", 1, (0.0, 180.0)),
    _measure(
        "neck_axis_length_mm",
        "mm",
        "along the neck's axis, from the lateral outline of the trochanter to the medial outline of the head",
        1,
        _POSITIVE,
    ),
    _measure("neck_width_mm", "mm", "width of the neck, across its axis, where it is narrowest", 1, _POSITIVE),
    _measure("shaft_level_mm", "mm", "where the shaft was measured, below the tip of the lesser trochanter", 0, _POSITIVE),
    _measure("cortical_thickness_index", "", "both cortices together over the shaft's width at that level", 3, _SHARE),
    _measure(
        "canal_flare_index", "", "width of the canal 20 mm above the lesser trochanter over that at that level", 2, _POSITIVE
    ),
    _measure("singh_grade", "", "grade of the trabeculae, like Singh's, 1 (I) to 6 (VI) and continuous", 1, (1.0, 6.0)),
    Quantity(
        "osteoporosis_probability",
        "",
        "the classifier's own probability that the lowest T-score of the patient's hips is -2.5 or less; 0 where no hip was "
        "measured",
        of=Of.PATIENT,
        bounds=_SHARE,
    ),
    Quantity(
        "hip_view",
        "",
        "probability that this is an upright AP view of an adult's hip or pelvis",
        of=Of.RADIOGRAPH,
        decimals=None,
        group="picture",
        bounds=_SHARE,
        limits=(
            Limit(
                "hip_view_at_least",
                Code.NOT_A_HIP,
                1,
                "The picture does not look like an upright AP radiograph of an adult's hip or pelvis (probability {value:.2f}, "
                "expected {limit:.2f} or more); nothing was measured. Send the AP view, upright.",
                doubt=Doubt.UNUSUAL_VIEW,
                caution="The picture as a whole is an unusual view of the hips (probability of an upright AP view {value:.2f}, "
                "usually {limit:.2f} or more): all intervals are wider for it. Look at the contours.",
            ),
        ),
    ),
    Quantity(
        "novelty",
        "",
        "distance of the networks' features from those of the radiographs that were learnt from; 1 is usual",
        of=Of.RADIOGRAPH,
        decimals=None,
        group="picture",
        bounds=_POSITIVE,
        limits=(
            Limit(
                "novelty_at_most",
                Code.NOVEL,
                2,
                "The picture is unlike all radiographs that the networks learnt from (distance {value:.1f}, at most {limit:.1f} "
                "is allowed), so their estimates cannot be trusted; nothing was measured. A radiologist should look at the "
                "picture.",
            ),
        ),
    ),
    Quantity(
        "pelvic_turn_deg",
        "degrees",
        "rotation of the pelvis about the body's long axis; 0 = facing the tube, or where not both hips were found",
        of=Of.RADIOGRAPH,
        decimals=None,
        group="picture",
        limits=(
            Limit("pelvic_turn_at_most_deg", Code.ROTATED, 3, _PELVIS),
            Limit("pelvic_turn_at_most_deg", Code.ROTATED, 3, _PELVIS, sign=-1),
        ),
    ),
    Quantity(
        "pelvic_tilt_deg",
        "degrees",
        "tilt of the pelvis, its upper end forward; 0 = spines and symphysis in one coronal plane, or not both hips found",
        of=Of.RADIOGRAPH,
        decimals=None,
        group="picture",
    ),
)
"""Every quantity, in the order of the channels and of the tables."""


@dataclass(frozen=True)
class Values:
    """Numbers by the name of their quantity: of each bone (`HIP.sides`), of the radiograph, and of the patient."""

    bones: tuple[dict[str, float], ...]
    radiograph: dict[str, float]
    patient: dict[str, float]


@dataclass(frozen=True)
class Channels:
    """The second axis of the cascade's (B, K) output: those of each bone, then the patient's, then the radiograph's.

    Args:
        quantities: of `Source.NETWORK`, in any order of `Of`.

    Example:
        >>> CHANNELS.names[0], len(CHANNELS.names), CHANNELS.index("neck_bmd", "left")
        ('right_landmark_confidence', 33, 22)
    """

    quantities: tuple[Quantity, ...]

    def of(self, kind: Of) -> tuple[Quantity, ...]:
        """Those of bones, of the patient or of the radiograph."""
        return tuple(quantity for quantity in self.quantities if quantity.of is kind)

    @property
    def table(self) -> tuple[Quantity, ...]:
        """`QUANTITIES`, and the channels that it lacks."""
        return tuple(dict.fromkeys((*QUANTITIES, *self.quantities)))

    @cached_property
    def places(self) -> tuple[tuple[str, Quantity], ...]:
        """Each in order: the side, "" for what is no bone's, and the quantity."""
        bones = [(side, quantity) for side in HIP.sides for quantity in self.of(Of.BONE)]
        return (*bones, *(("", quantity) for kind in (Of.PATIENT, Of.RADIOGRAPH) for quantity in self.of(kind)))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names in order; that of a bone's begins with its side."""
        return tuple(f"{side}_{quantity.name}" if side else quantity.name for side, quantity in self.places)

    def index(self, name: str, side: str = "") -> int:
        """Place of a quantity, of one side where it is a bone's."""
        return self.names.index(f"{side}_{name}" if side else name)

    def unpack(self, numbers: Sequence[float]) -> Values:
        """Name the (K,) numbers of one radiograph.

        Raises:
            ValueError: when there are more or fewer.
        """
        if len(numbers) != len(self.names):
            raise ValueError(f"{len(numbers)} channels; expected {len(self.names)}: {', '.join(self.names)}.")
        given = dict(zip(self.names, map(float, numbers), strict=True))
        bones = tuple({quantity.name: given[f"{side}_{quantity.name}"] for quantity in self.of(Of.BONE)} for side in HIP.sides)
        radiograph, patient = (
            {quantity.name: given[quantity.name] for quantity in self.of(kind)} for kind in (Of.RADIOGRAPH, Of.PATIENT)
        )
        return Values(bones, radiograph, patient)


CHANNELS: Final = Channels(tuple(quantity for quantity in QUANTITIES if quantity.source is Source.NETWORK))
"""What every cascade gives; a head of the configuration may add to it."""
