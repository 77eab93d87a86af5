"""The words that a DICOM header may use, and what they mean: data, beside this file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

VOCABULARY_FILE: Final = Path(__file__).with_name("header_vocabulary.json")


@cache
def load_vocabulary() -> dict[str, Any]:
    """Read the vocabulary; its words are compared with `scripts.radiograph.elements.plain_words`."""
    content: dict[str, Any] = json.loads(VOCABULARY_FILE.read_text(encoding="utf-8"))
    return content


def find_word(said: str, words: Iterable[str]) -> str:
    """Return the part of a text that is one of the words ("" if none); a trailing * matches any ending."""
    for word in words:
        match = re.search(rf"\b{word.removesuffix('*')}{'[A-Z0-9]*' if word.endswith('*') else ''}\b", said)
        if match:
            return match[0]
    return ""


def find_meaning(said: str, meanings: dict[str, list[str]]) -> str:
    """Return which meaning a text has as a whole, by the words of each ("" if none)."""
    return next((meaning for meaning, words in meanings.items() if said in words), "")
