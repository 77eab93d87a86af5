"""Single values of a DICOM header, whatever stands in them: a damaged value counts as missing."""

from __future__ import annotations

import math
import re
from typing import Any

from pydicom.dataset import Dataset


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
    """Return a header's value as a finite number, or None; of several values, None."""
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


def code(dataset: Dataset, keyword: str) -> str:
    """Return a defined term in capitals ("" if missing, or with characters that no term has: free text may name a patient)."""
    found = text(dataset, keyword).upper()
    return found if re.fullmatch(r"[A-Z0-9 _]{1,16}", found) else ""


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return a sequence's items, an empty list where it is missing or no sequence."""
    found = value(dataset, keyword)
    return [item for item in found if isinstance(item, Dataset)] if hasattr(found, "__iter__") else []
