"""Age, sex, weight and height of the patient, as people and devices write them into a DICOM header."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from pydicom.dataset import Dataset

from scripts.radiograph.elements import cited, number, plain_words, stated, text
from scripts.radiograph.vocabulary import find_meaning, load_vocabulary

AGES_YEARS: Final = (0.0, 120.0)
WEIGHTS_KG: Final = (1.0, 400.0)
HEIGHTS_CM: Final = (30.0, 250.0)
"""Lowest and highest value that is believed. Both ends are included; zero counts as unknown."""

_YEARS_PER_UNIT: Final = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_DATES: Final = ("AcquisitionDate", "AcquisitionDateTime", "ContentDate", "SeriesDate", "StudyDate")
"""From nearest to the exposure."""

_APART_YEARS: Final = 1.5  # a person's age in whole years may lag by one

_AGE: Final = re.compile(r"([A-Z]*) ?0*([0-9]{1,3}(?:[.,][0-9]+)?) ?([A-Z]*(?: [A-Z]+)*)", re.ASCII)
_AGE_IN_TWO: Final = re.compile(r"0*([0-9]{1,3}) ?([A-Z]+)(?:,| AND| UND| ET| Y)? ?([0-9]{1,2}) ?([A-Z]+)", re.ASCII)
"""Such as 63Y 2M."""

_YEAR_FIRST: Final = re.compile(
    r"(?P<year>[0-9]{4})(?:(?P<sep>[-./]?)(?P<month>[0-9]{2})(?:(?P=sep)(?P<day>[0-9]{2}))?)?(?=[0-9]{4}|[T .+-]|$)", re.ASCII
)
_PARTED: Final = re.compile(
    r"(?P<year>[0-9]{4})(?P<sep>[-./])(?P<month>[0-9]{1,2})(?P=sep)(?P<day>[0-9]{1,2})(?![0-9])", re.ASCII
)
_YEAR_LAST: Final = re.compile(r"(?P<first>[0-9]{1,2})(?P<sep>[-./])(?P<second>[0-9]{1,2})(?P=sep)(?P<year>[0-9]{4})", re.ASCII)
_MONTH_NAMED: Final = re.compile(
    r"(?:(?P<day>[0-9]{1,2})[-./ ]*(?P<month>[A-Z]{3,9})|(?P<month_first>[A-Z]{3,9})[. ]*(?P<day_second>[0-9]{1,2}))"
    r"[-./, ]+(?P<year>[0-9]{4})",
    re.ASCII,
)
_MONTHS: Final = (
    "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER",
)  # fmt: skip
_MEASURE: Final = re.compile(r"([0-9.,]+) ?([A-Z]*)", re.ASCII)
_FEET: Final = re.compile(r"([3-8]) ?(?:'|FT|FEET) ?(?:([0-9]{1,2}(?:\.[0-9]+)?) ?(?:\"|''|IN|INCHES)?)?", re.ASCII)
_KG_PER_UNIT: Final = {"KG": 1.0, "KGS": 1.0, "KILO": 1.0, "G": 0.001, "LB": 0.45359237, "LBS": 0.45359237}
_CM_PER_UNIT: Final = {"M": 100.0, "CM": 1.0, "MM": 0.1, "IN": 2.54, "INCH": 2.54, "INCHES": 2.54}
_WEIGHT_UNITS: Final = (("kg", 1.0, WEIGHTS_KG), ("grams", 0.001, (30_000.0, 250_000.0)))
_HEIGHT_UNITS: Final = (
    ("metres", 100.0, (0.3, 2.5)),
    ("centimetres", 1.0, (100.0, 250.0)),
    ("millimetres", 0.1, (1000.0, 2500.0)),
)
"""Units in which a number without one can be meant, the standard's first: name, in kg or cm, and the values for which it can."""


def read_age(dataset: Dataset) -> tuple[float | None, list[str]]:
    """Read the age at the exposure, in years: Patient's Age (such as 063Y or 018M), else the dates of birth and exposure.

    Returns:
        The age, None where unknown; and what had to be assumed, with the value that was there. A date of birth is never told.
    """
    notes = []
    age, unusual = _stated_age(dataset)
    quote = cited(dataset, "PatientAge")
    by_dates, dates_note = _age_by_dates(dataset)
    if stated(dataset, "PatientAge") and (not age or not age <= AGES_YEARS[1]):
        then = "so it was taken from the dates of birth and exposure" if by_dates is not None else "so it counts as unknown"
        notes.append(f"{quote} is {'no age' if age is None else 'impossible'}, {then}.")
        age = None
    if age is None:
        return by_dates, notes + dates_note
    if unusual:
        notes.append(f"{quote} was read as {age:g} years.")
    if by_dates is not None and abs(by_dates - age) > _APART_YEARS:
        if unusual:
            notes[-1] = f"{quote} does not fit the dates of birth and exposure, from which {by_dates:.0f} years were taken."
            return by_dates, notes + dates_note
        notes.append(f"{quote} contradicts the dates of birth and exposure, which mean {by_dates:.0f} years: it was used.")
    return age, notes


def read_sex(dataset: Dataset) -> tuple[str | None, list[str]]:
    """Read the sex, "F" or "M", None where it is another or unknown; and what had to be assumed."""
    said = stated(dataset, "PatientSex")
    sex = find_meaning(plain_words(said), load_vocabulary()["sexes"])
    quote = cited(dataset, "PatientSex")
    if sex in ("F", "M"):
        return sex, [] if said.upper() == sex else [f"{quote} was read as {sex}."]
    return None, [f"{quote} is no sex that is known, so it counts as unknown."] if said and not sex else []


def read_weight(dataset: Dataset) -> tuple[float | None, list[str]]:
    """Read the weight in kg, None where unknown; and what had to be assumed."""
    return _measure(dataset, "PatientWeight", "kg", _KG_PER_UNIT, _WEIGHT_UNITS, WEIGHTS_KG)


def read_height(dataset: Dataset) -> tuple[float | None, list[str]]:
    """Read the height in cm, None where unknown; and what had to be assumed."""
    feet = _FEET.fullmatch(stated(dataset, "PatientSize").upper())
    if feet:
        height = (int(feet[1]) * 12 + float(feet[2] or 0)) * 2.54
        return height, [f"{cited(dataset, 'PatientSize')} was read as {height:.0f} cm."]
    return _measure(dataset, "PatientSize", "cm", _CM_PER_UNIT, _HEIGHT_UNITS, HEIGHTS_CM)


def _stated_age(dataset: Dataset) -> tuple[float | None, bool]:
    """Return the age in years that PatientAge says, None if none; and whether it is written otherwise than DICOM wants."""
    said = stated(dataset, "PatientAge")
    usual = re.fullmatch(r"([0-9]{3})([YMWD])", said)
    if usual:
        return int(usual[1]) * _YEARS_PER_UNIT[usual[2]], False
    # Accents may go, but no other letter: it may be the unit.
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", said) if not unicodedata.combining(letter)).upper()
    # A point before no digit marks an abbreviation, and a hyphen before a letter parts words.
    plain = re.sub(r"-(?=[A-Z])", " ", re.sub(r"\.(?![0-9])", "", plain))
    if in_two := _AGE_IN_TWO.fullmatch(plain):
        whole, rest = _age(in_two[1], in_two[2]), _age(in_two[3], in_two[4])
        return (whole + rest if whole is not None and rest is not None and rest < whole else None), True
    match = _AGE.fullmatch(plain)
    if not match or (match[1] and match[3]):
        return None, True
    return _age(match[2], match[1] or match[3] or "Y"), True


def _age(amount: str, unit: str) -> float | None:
    """Return an amount of years, months, weeks or days in years, None where its unit is unknown."""
    meant = find_meaning(unit, load_vocabulary()["age_units"])
    found = number(amount)
    return found * _YEARS_PER_UNIT[meant] if meant and found is not None else None


def _age_by_dates(dataset: Dataset) -> tuple[float | None, list[str]]:
    """Return the age from the dates of birth and exposure, None where either is unknown; and what had to be assumed."""
    if not stated(dataset, "PatientBirthDate"):
        return None, []
    born, exact = _date(text(dataset, "PatientBirthDate"))
    if born is None:
        return None, ["PatientBirthDate in the header is no date, so it was not used."]
    notes = []
    for keyword in _DATES:
        taken, taken_exactly = _date(text(dataset, keyword))
        if taken is not None:
            break
        if stated(dataset, keyword):
            notes.append(f"{cited(dataset, keyword)} is no date, so it was not used.")
    else:
        return None, notes
    age = (taken - born).days / 365.25
    if not 0 < age <= AGES_YEARS[1]:
        notes.append(f"The dates of birth and exposure in the header mean an age of {age:.0f} years, so they were not used.")
        return None, notes
    for date_of, known in (("PatientBirthDate", exact), (keyword, taken_exactly)):
        if not known:
            notes.append(f"{date_of} in the header has no day and month that are certain: the age is known to a year only.")
    return age, notes


def _date(said: str) -> tuple[date | None, bool]:
    """Return the date that a text says, None if none, and whether it is exact.

    DICOM's YYYYMMDD (also before a time of day), YYYY.MM.DD of ACR-NEMA, with hyphens or strokes; the day first with points; with
    the month's English name. With strokes or hyphens 12/06/1958 is in June or in December, by the country. Of a date whose day or
    month is missing, 0, impossible or uncertain, the middle of the month or year is taken.
    """
    said = said.upper()
    last = _YEAR_LAST.fullmatch(said)
    named = _MONTH_NAMED.fullmatch(said)
    if match := _PARTED.match(said) or _YEAR_FIRST.match(said):
        year, month, day = (int(match[part] or 0) for part in ("year", "month", "day"))
    elif last:
        year, month, day = int(last["year"]), int(last["second"]), int(last["first"])
        if last["sep"] != "." and month != day:
            month, day = (month, day) if day > 12 else (day, month) if month > 12 else (0, 0)
    elif named:
        name = named["month"] or named["month_first"]
        month = next((place for place, whole in enumerate(_MONTHS, 1) if whole.startswith(name)), 0)
        year, day = int(named["year"]), int(named["day"] or named["day_second"])
    else:
        return None, False
    for known in ((month, day), (month, 15), (7, 1)):
        try:
            return date(year, *known), known == (month, day)
        except ValueError:
            continue
    return None, False  # the year 0


def _measure(
    dataset: Dataset,
    keyword: str,
    unit: str,
    factors: Mapping[str, float],
    guesses: Sequence[tuple[str, float, tuple[float, float]]],
    limits: tuple[float, float],
) -> tuple[float | None, list[str]]:
    """Read an element in the wanted unit, None where unknown; and what had to be assumed.

    Args:
        dataset: the header.
        keyword: of the element.
        unit: the wanted one.
        factors: from each unit that may stand behind the number.
        guesses: what a number without a unit may be in, the likeliest first.
        limits: what is believed.
    """
    said = stated(dataset, keyword)
    if not said:
        return None, []
    quote = cited(dataset, keyword)
    match = _MEASURE.fullmatch(said.upper().rstrip("."))
    amount, told = (number(match[1]), match[2]) if match else (number(said), "")
    if amount is None or (told and told not in factors):
        return None, [f"{quote} is no number in a unit that is known, so it counts as unknown."]
    if told:
        found, notes = amount * factors[told], [f"{quote} was read as {amount * factors[told]:.4g} {unit}."]
    else:
        place = next((place for place, guess in enumerate(guesses) if guess[2][0] <= amount <= guess[2][1]), None)
        if place is None:
            return None, [f"{quote} is impossible, so it counts as unknown."]
        found, notes = amount * guesses[place][1], []
        if place:
            notes.append(f"{quote} was read in {guesses[place][0]}: in {guesses[0][0]}, as DICOM wants it, it is impossible.")
        elif "," in said:
            notes.append(f"{quote} was read as {found:.4g} {unit}.")
    if limits[0] <= found <= limits[1]:
        return found, notes
    return None, [f"{quote} is impossible, so it counts as unknown."]
