"""Which radiographs of a PACS are wanted, and where they lie there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from scripts.apps.pacs.answers import DeclinedError
from scripts.apps.pacs.servers import Server
from scripts.clinical import RefusedError
from scripts.radiograph.admission import admit_body_part
from scripts.radiograph.vocabulary import load_vocabulary

_OURS: Final = "OSTEOXR"
"""How the description of each series begins that this bundle writes."""
_UID: Final = re.compile(r"\d[\d.]{0,63}")
_DAY: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")
_SPAN: Final = re.compile(r"(\d{4}-?\d\d-?\d\d)?\s*-\s*(\d{4}-?\d\d-?\d\d)?")


@dataclass(frozen=True)
class Place:
    """Where an object lies in a PACS, by UIDs."""

    study: str
    series: str
    uid: str


@dataclass(frozen=True)
class Days:
    """Dates of studies, as DICOM writes them, both among them; "" where there is no end."""

    first: str
    last: str

    @classmethod
    def parse(cls, text: str, today: date) -> Days:
        """Read "today", "yesterday", a number of days up to today, a date, or a range of dates; "all" is any.

        Raises:
            ValueError: where it is none of them.

        Example:
            >>> Days.parse("3", date(2026, 3, 2)), Days.parse("2026-01-01-", date(2026, 3, 2))
            (Days(first='20260228', last='20260302'), Days(first='20260101', last=''))
        """
        word = text.strip().lower()
        if word == "all":
            return cls("", "")
        if word in ("today", "yesterday"):
            day = f"{today - timedelta(word == 'yesterday'):%Y%m%d}"
            return cls(day, day)
        if re.fullmatch(r"[1-9]\d{0,2}", word):
            return cls(f"{today - timedelta(int(word) - 1):%Y%m%d}", f"{today:%Y%m%d}")
        if _DAY.fullmatch(word):
            return cls(_day(word, text), _day(word, text))
        if (span := _SPAN.fullmatch(word)) and (span[1] or span[2]):
            first, last = (_day(end, text) if end else "" for end in span.groups())
            if not (first and last) or first <= last:
                return cls(first, last)
        raise _no_days(text)

    @property
    def asked(self) -> str:
        """As a server is asked for them."""
        return self.first if self.first == self.last else f"{self.first}-{self.last}"

    def hold(self, found: str) -> bool:
        """Whether a date, as DICOM writes it, is one of them."""
        return (not self.first or self.first <= found) and (not self.last or found <= self.last)


@dataclass(frozen=True)
class Query:
    """What is wanted of a PACS.

    What a server does not tell of a study, a series or an object counts as wanted: the reader judges it by its header.

    days: of the studies.
    modalities: of the series.
    body_parts: those of the series, in capitals; none: whatever the reader does not take for another part than hips.
    screened: whether studies that hold our report already are wanted too.
    """

    days: Days
    modalities: Sequence[str]
    body_parts: Sequence[str] = ()
    screened: bool = False

    def studies(self, server: Server) -> list[str]:
        """The UIDs of the studies that may hold what is wanted; "" for one that the server does not tell of.

        Raises:
            UnreachableError, DeclinedError
        """
        found: dict[str, None] = {}
        when = {"StudyDate": self.days.asked} if self.days.asked else {}
        for modality in self.modalities:  # a list of them is not read alike everywhere
            for study in server.find("STUDY", {**when, "ModalitiesInStudy": modality}, ("StudyInstanceUID", "StudyDate")):
                held, day = _texts(study, "ModalitiesInStudy"), _text(study, "StudyDate")
                if (not held or set(held) & set(self.modalities)) and (not day or self.days.hold(day)):
                    found.setdefault(_text(study, "StudyInstanceUID"))
        return list(found)

    def radiographs(self, server: Server, study: str) -> list[Place] | None:
        """The objects of a study that are wanted; None where the study holds our report already.

        Raises:
            UnreachableError, DeclinedError
        """
        asked = ("SeriesInstanceUID", "Modality", "SeriesDescription", "BodyPartExamined")
        series = server.find("SERIES", {"StudyInstanceUID": checked_uid(study, "a study")}, asked)
        if not self.screened and any(is_ours(one) and _text(one, "Modality") == "SR" for one in series):
            return None
        return [place for one in series if self._wants(one) for place in _objects(server, study, one)]

    def _wants(self, series: Dataset) -> bool:
        modality, part = _text(series, "Modality"), _text(series, "BodyPartExamined")
        if (modality and modality not in self.modalities) or is_ours(series):
            return False
        return not part or (part in self.body_parts if self.body_parts else _may_be_a_hip(part))


def is_uid(found: str) -> bool:
    """Whether what a server tells is one, and can name a file."""
    return _UID.fullmatch(found) is not None


def checked_uid(found: str, of: str) -> str:
    """The UID that a server tells of something.

    Raises:
        DeclinedError: where it is none.
    """
    if not is_uid(found):
        raise DeclinedError(f"the server tells no proper UID of {of}")
    return found


def _objects(server: Server, study: str, series: Dataset) -> Iterator[Place]:
    uid = checked_uid(_text(series, "SeriesInstanceUID"), "a series")
    kinds: Collection[str] = load_vocabulary()["sop_classes"]
    for one in server.find("IMAGE", {"StudyInstanceUID": study, "SeriesInstanceUID": uid}, ("SOPInstanceUID", "SOPClassUID")):
        kind = _text(one, "SOPClassUID")
        if not kind or kind in kinds:
            yield Place(study, uid, _text(one, "SOPInstanceUID"))


def is_ours(series: Dataset) -> bool:
    """Whether what a series, or an object of it, says of itself is that this bundle wrote it."""
    return _text(series, "SeriesDescription").startswith(_OURS)


def _may_be_a_hip(part: str) -> bool:
    told = Dataset()
    told.BodyPartExamined = part
    try:
        admit_body_part(told)
    except RefusedError:
        return False
    return True


def _texts(found: Dataset, keyword: str) -> list[str]:
    try:
        value = found.get(keyword, "")
    except Exception:  # whatever a server may put there
        return []
    several = value if isinstance(value, (list, MultiValue)) else [value]
    return [text for one in several if one is not None and (text := str(one).strip().upper())]


def _text(found: Dataset, keyword: str) -> str:
    return " ".join(_texts(found, keyword))


def _day(word: str, text: str) -> str:
    year, month, day = _DAY.fullmatch(word).groups()  # type: ignore[union-attr]  # both callers have matched it
    try:
        return f"{date(int(year), int(month), int(day)):%Y%m%d}"
    except ValueError as error:
        raise _no_days(text) from error


def _no_days(text: str) -> ValueError:
    return ValueError(
        f"--study_date is {text!r}; expected today, yesterday, a number of days such as 3, a date such as 2026-11-30, a range "
        "such as 20261101-20261130 (either end may be left out), or all. Nothing was asked."
    )
