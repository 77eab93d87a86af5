"""What a reader is to know before any number of a study: why something was not measured, and what is doubtful."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scripts.clinical import FOREMOST
from scripts.results.record import Record

_FOREMOST: Final = {str(code) for code in FOREMOST}


@dataclass(frozen=True)
class Told:
    """One reason or caution.

    kind: "refused" (a hip, or the study, has no measurement for it), "seen" (the hip is measured on another radiograph, but this
    was found on one), "unused" (a radiograph of a measured study) or "caution". side: "" of a whole radiograph.
    """

    kind: str
    side: str
    film: str
    code: str
    sentence: str


def doubts(study: Record, films: Sequence[Record]) -> list[Told]:
    """Of a study, once each: breaks, implants and children first, then other refusals, cautions, and radiographs not used.

    Args:
        study: see `record.make_study_record`.
        films: records of its radiographs.
    """
    found: list[Told] = []
    for film in films:
        reasons = {hip["side"]: hip["reason"] for hip in film["hips"] if hip["reason"]}
        if film["reason"] and (not reasons or all(reason == film["reason"] for reason in reasons.values())):
            foremost = film["reason"]["code"] in _FOREMOST
            kind = "refused" if study["outcome"] is None else "seen" if foremost else "unused"
            found.append(_told(kind, "", film, film["reason"]))
            continue
        for side, reason in reasons.items():
            if study["hips"][side] is None:
                found.append(_told("refused", side, film, reason))
            elif reason["code"] in _FOREMOST:
                found.append(_told("seen", side, film, reason))
        for hip in film["hips"]:
            if study["hips"][hip["side"]] == film["name"]:
                found += [_told("caution", hip["side"], film, caution) for caution in hip["cautions"]]
    order = ("refused", "seen", "caution", "unused")
    once = list({(one.kind, one.side, one.code, one.sentence): one for one in found}.values())
    return sorted(once, key=lambda one: (one.code not in _FOREMOST, order.index(one.kind)))


def _told(kind: str, side: str, film: Record, reason: Mapping[str, Any]) -> Told:
    return Told(kind, side, film["name"], str(reason["code"]), str(reason["sentence"]))
