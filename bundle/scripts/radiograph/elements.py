"""Single values of a DICOM header, whatever stands in them: a damaged value counts as missing."""

from __future__ import annotations

import contextlib
import math
import re
import unicodedata
from collections.abc import Collection
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

_PLAIN: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(E[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_COMMA: Final = re.compile(r"[+-]?\d*,\d+(E[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_GROUPED: Final = re.compile(r"[+-]?\d{1,3}((,\d{3})+\.\d+|(\.\d{3})+,\d+)", re.ASCII)
_MOST_QUOTED: Final = 32  # characters: what is longer is no value of one of these elements, whatever else it is
_IDENTIFYING: Final = (
    *("PatientName", "PatientID", "OtherPatientNames", "OtherPatientIDs", "PatientBirthName", "PatientMotherBirthName"),
    "PatientBirthDate",
)


def value(dataset: Dataset, keyword: str) -> Any:
    """Return an element's value, or None where it is missing, empty or cannot be understood."""
    try:
        found = dataset.get(keyword)
    except RecursionError:
        raise
    except Exception:  # pydicom converts on access, and a damaged value may fail there in any way
        return None
    return None if found is None or (isinstance(found, str | bytes) and not found) else found


def number(found: Any) -> float | None:
    """Return a header's value as a finite number, or None; of several values, None.

    A text may have a decimal comma, and thousands apart.

    Example:
        >>> number("1,1003"), number("1.150,5"), number("2"), number("two")
        (1.1003, 1150.5, 2.0, None)
    """
    if isinstance(found, str):
        said = found.strip()
        if _GROUPED.fullmatch(said):
            said = said.replace("." if "," in said[said.rindex(".") :] else ",", "")
        said = said.replace(",", ".") if _COMMA.fullmatch(said) else said
        found = said if _PLAIN.fullmatch(said) else None
    try:
        result = float(found)
    except (TypeError, ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Return an element's values as finite numbers, or an empty list where any of them is none."""
    found = value(dataset, keyword)
    several = found if hasattr(found, "__iter__") and not isinstance(found, str | bytes) else [found]
    converted = [number(one) for one in several]
    return [] if None in converted else [one for one in converted if one is not None]


def text(dataset: Dataset, keyword: str) -> str:
    """Return an element's value as stripped text, "" where it is missing; of several values, the first."""
    found = value(dataset, keyword)
    if not isinstance(found, str) and hasattr(found, "__iter__") and not isinstance(found, bytes):
        found = next(iter(found), None)
    return "" if found is None or isinstance(found, bytes) else str(found).strip()


def stated(dataset: Dataset, keyword: str) -> str:
    """Return what an element says as text, "" where it is missing or empty; several values are joined by a backslash."""
    found = value(dataset, keyword)
    if found is None and keyword in dataset:
        raw = dataset.get_item(keyword)  # what pydicom could not convert is still there
        found = getattr(raw, "value", None)
    if isinstance(found, bytes):
        found = found.decode("ascii", "replace")
    parts = [found] if isinstance(found, str | PersonName) or not hasattr(found, "__iter__") else found
    said = "\\".join("" if part is None else str(part).strip(" \0") for part in parts)
    # Codes have no character set, so pydicom takes their bytes for Latin ones, also where they are UTF-8.
    with contextlib.suppress(UnicodeError):
        return said.encode("latin-1").decode("utf-8")
    return said


def quoted(dataset: Dataset, keyword: str) -> str:
    """Return what an element says, for a sentence that people read: in quotes, short, and nothing that may name the patient."""
    said = stated(dataset, keyword)
    words = set(_words(said))
    for identity in (word for name in _IDENTIFYING for word in _words(stated(dataset, name))):
        if identity in words or (len(identity) > 3 and identity in said.upper()):
            return "(not told here, as it may name the patient)"
    if "^" in said:
        return "(not told here, as it may be a name)"
    plain = "".join(letter if letter.isprintable() else "?" for letter in said[:_MOST_QUOTED])
    return f"'{plain}{'...' if len(said) > _MOST_QUOTED else ''}'"


def cited(dataset: Dataset, keyword: str) -> str:
    """Return how a sentence begins that tells of an element: its keyword and what it says, see `quoted`."""
    return f"{keyword} {quoted(dataset, keyword)} in the header"


def plain_words(said: str) -> str:
    """Return a text in capitals, without accents and punctuation, its words parted by single spaces."""
    letters = unicodedata.normalize("NFKD", said).encode("ascii", "ignore").decode().upper()
    return re.sub(r"[^A-Z0-9]+", " ", letters).strip()


def _words(said: str) -> list[str]:
    return [word for word in re.findall(r"\w+", said.upper()) if len(word) > 1]


def code(dataset: Dataset, keyword: str) -> str:
    """Return a defined term in capitals ("" if missing, or with characters that no term has: free text may name a patient)."""
    found = text(dataset, keyword).upper()
    return found if re.fullmatch(r"[A-Z0-9 _]{1,16}", found) else ""


def term(dataset: Dataset, keyword: str, known: Collection[str]) -> tuple[str, str]:
    """Return which of some defined terms an element says, whatever its case, spaces and punctuation.

    Returns:
        The term ("" where the element is missing, or says none of them); and what must be told of it ("" if nothing).
    """
    said = plain_words(text(dataset, keyword)).replace(" ", "")
    found = next((one for one in known if plain_words(one).replace(" ", "") == said), "")
    if found == stated(dataset, keyword):
        return found, ""
    told = f"was read as {found}" if found else "is no term that is known, so it counts as missing"
    return found, f"{cited(dataset, keyword)} {told}."


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return a sequence's items, an empty list where it is missing or no sequence."""
    found = value(dataset, keyword)
    return [item for item in found if isinstance(item, Dataset)] if hasattr(found, "__iter__") else []
