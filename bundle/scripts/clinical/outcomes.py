"""What can end a measurement: refusal codes, the reason given to the user, and the exception that carries it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Why a radiograph, or one hip of it, has no measurement. Stable: the codes appear in every results file."""

    PASSED_OVER = "PASSED_OVER"  # no radiograph by its name or place, so that nobody looked into it
    UNREADABLE = "UNREADABLE"  # missing, damaged, or failed in a way nobody foresaw
    UNSUPPORTED_ENCODING = "UNSUPPORTED_ENCODING"  # a valid file whose pixel compression cannot be decoded
    NOT_A_RADIOGRAPH = "NOT_A_RADIOGRAPH"  # CT, MR, a report, a colour photograph, ...
    MULTIFRAME = "MULTIFRAME"  # a cine loop or a volume
    DUPLICATE = "DUPLICATE"  # the same file as another one of the folder
    NOT_A_HIP = "NOT_A_HIP"  # the header names another body part, or the picture shows no adult's hip from the front
    NOT_HUMAN = "NOT_HUMAN"  # the header names an animal
    NOT_ADULT = "NOT_ADULT"  # below the youngest age that the gate allows
    NOT_AP = "NOT_AP"  # lateral or frog-leg projection, by header or by the shaft's abduction
    NO_SPACING = "NO_SPACING"  # the size of a pixel is unknown, so is every distance
    NO_FEMUR = "NO_FEMUR"  # no proximal femur found
    CUT_OFF = "CUT_OFF"  # a proximal femur that leaves the radiograph or the collimation
    IMPLANT = "IMPLANT"  # metal in the region to be measured
    TOO_LARGE = "TOO_LARGE"  # more bytes or pixels than a radiograph has, or more memory than the bound
    TOO_SLOW = "TOO_SLOW"  # reading took longer than the bound
    ROTATED = "ROTATED"  # pelvis or femur turned about its long axis beyond the limits
    FRACTURE = "FRACTURE"  # a broken or deformed proximal femur
    UNSURE_CONTOUR = "UNSURE_CONTOUR"  # two drawings of the femur's contour differ
    EXPOSURE = "EXPOSURE"  # over- or under-exposed at the femur
    NOVEL = "NOVEL"  # unlike every radiograph that the networks learnt from
    SIDE_CONTRADICTION = "SIDE_CONTRADICTION"  # header, marker and anatomy disagree on the side
    REJECTED = "REJECTED"  # a person who reviewed the results rejected the hip
    WRONG_SCALE = "WRONG_SCALE"  # the femoral head would have an impossible size


class Doubt(StrEnum):
    """Why a hip that was measured deserves less trust. Stable: the codes appear in every results file."""

    UNUSUAL_VIEW = "UNUSUAL_VIEW"  # the picture as a whole is unlike the AP views that were learnt from
    UNUSUAL_FEMUR = "UNUSUAL_FEMUR"  # so is the femur
    ONE_HEAD = "ONE_HEAD"  # the scale rests on one femoral head, since the two differ


@dataclass(frozen=True)
class Caution:
    """A doubt that does not refuse: the code for machines, and one sentence for people, as a `Reason` has."""

    code: Doubt
    sentence: str


@dataclass(frozen=True)
class Reason:
    """A refusal: the code for machines, and one sentence for people.

    The sentence says what was found, what was expected and what happens next. It never holds a patient's name or ID.
    """

    code: Code
    sentence: str


class RefusedError(Exception):
    """Raised where a radiograph cannot be measured. A refusal is a result, no crash: `reason` goes to rejected.csv.

    Args:
        reason: what the user is told.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"{reason.code}: {reason.sentence}")
        self.reason = reason

    def __reduce__(self) -> tuple[type[RefusedError], tuple[Reason]]:
        """Pickle with the reason: by default only the text would come back from a data loader's worker."""
        return (type(self), (self.reason,))
