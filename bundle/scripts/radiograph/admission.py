"""Which DICOM files are radiographs of a human hip, judged by the header alone, before a pixel is decoded."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydicom.datadict import dictionary_description
from pydicom.dataset import Dataset
from pydicom.uid import UID

from scripts.clinical import Code, Reason, RefusedError
from scripts.radiograph.bounds import LARGEST_PIXELS, too_large
from scripts.radiograph.elements import code, items, number, text, value

VOCABULARY_FILE: Final = Path(__file__).with_name("header_vocabulary.json")

SMALLEST_SIDE: Final = 64
"""In pixels; anything smaller is an icon."""


def admit(dataset: Dataset) -> list[str]:
    """Let a radiograph of a human hip pass by its header; a header that is silent on the body part also passes.

    Args:
        dataset: without pixels.

    Returns:
        What had to be assumed.

    Raises:
        RefusedError: NOT_A_RADIOGRAPH (another kind of object, or no image of a plausible size), MULTIFRAME, TOO_LARGE,
            NOT_HUMAN, or NOT_A_HIP.
    """
    notes = _admit_kind(dataset)
    frames = number(value(dataset, "NumberOfFrames")) or 1
    if frames > 1:
        raise refused(
            Code.MULTIFRAME,
            f"The file holds {frames:.0f} frames, but one single radiograph is measured; it was not "
            "analysed. Export the wanted frame as a file of its own.",
        )
    admit_size(*(int(number(value(dataset, side)) or 0) for side in ("Rows", "Columns")))
    _admit_human(dataset)
    return notes + _admit_body_part(dataset)


def admit_size(rows: int, cols: int) -> None:
    """Refuse an image that is too small for a radiograph, as NOT_A_RADIOGRAPH, or too large, as TOO_LARGE."""
    if rows * cols > LARGEST_PIXELS:
        raise too_large("The image", f"{rows} x {cols} pixels", f"{LARGEST_PIXELS // 1_000_000} million")
    if min(rows, cols) < SMALLEST_SIDE:
        raise refused(
            Code.NOT_A_RADIOGRAPH,
            f"The image has {rows} x {cols} pixels, but a radiograph has at least {SMALLEST_SIDE} along each side; it was not "
            "analysed. Export the original radiograph.",
        )


def read_view(dataset: Dataset) -> tuple[str, str]:
    """Find the projection: View Position, else the view code, else a word in the descriptions.

    Returns:
        The view, such as "AP" ("" where nothing tells it, or where the descriptions name several); and what had to be
        assumed ("" if nothing).
    """
    position = code(dataset, "ViewPosition")
    if position:
        return position, ""
    codes = items(dataset, "ViewCodeSequence")
    meaning = _words(text(codes[0], "CodeMeaning")) if codes else ""
    for view in _vocabulary()["views"]:
        if _first_match(meaning, view["words"]):
            return view["view"], ""
    for keyword in _vocabulary()["view_fields"]:
        said = _words(text(dataset, keyword))
        found = [view["view"] for view in _vocabulary()["views"] if _first_match(said, view["words"])]
        # "Frog lateral" is one view; "AP and lateral" is a series of both.
        if found and (len(found) == 1 or not {"AP", "PA"} & set(found)):
            return found[0], f"The view ({found[0]}) was taken from {dictionary_description(keyword)}."
    return "", "The header does not name the view (AP or other)."


def refused(code: Code, sentence: str) -> RefusedError:
    """Return the exception that refuses a radiograph."""
    return RefusedError(Reason(code, sentence))


def _admit_kind(dataset: Dataset) -> list[str]:
    known = _vocabulary()["sop_classes"].get(text(dataset, "SOPClassUID"))
    modality = code(dataset, "Modality")
    if known is None or modality not in _vocabulary()["modalities"]:
        kind = _sop_class_name(dataset)
        raise refused(
            Code.NOT_A_RADIOGRAPH,
            f"The file is {kind} (modality {modality or 'not given'}), but a radiograph (CR or DX) is needed; it was not "
            "analysed. Choose the radiograph's series.",
        )
    return [known["assumption"]] if known["assumption"] else []


def _sop_class_name(dataset: Dataset) -> str:
    uid = UID(text(dataset, "SOPClassUID"))
    # An unregistered UID is any text that somebody wrote.
    return uid.name if uid.name != uid else "an object of unknown kind"


def _admit_human(dataset: Dataset) -> None:
    vocabulary = _vocabulary()
    found = ""
    codes = items(dataset, "PatientSpeciesCodeSequence") or [Dataset()]
    species = [text(dataset, "PatientSpeciesDescription"), text(codes[0], "CodeValue"), text(codes[0], "CodeMeaning")]
    named = [said for said in map(_words, species) if said]
    if named and not any(_first_match(said, vocabulary["human_species"]) for said in named):
        found = "Patient Species"
    elif text(dataset, "PatientBreedDescription") or items(dataset, "PatientBreedCodeSequence"):
        found = "Patient Breed"
    elif text(dataset, "ResponsiblePersonRole").upper() == "OWNER":
        found = "Responsible Person Role (an owner)"
    for keyword in vocabulary["animal_fields"]:
        word = _first_match(_words(text(dataset, keyword)), vocabulary["animal_words"])
        if word and not found:
            found = f"{dictionary_description(keyword)} ({word})"
    if found:
        raise refused(
            Code.NOT_HUMAN,
            f"The header's {found} says that the patient is an animal, but only human hips are measured; it was not analysed.",
        )


def _admit_body_part(dataset: Dataset) -> list[str]:
    """The first field, from the most to the least specific, that names a body part decides."""
    vocabulary = _vocabulary()
    for keyword in vocabulary["body_part_fields"]:
        said = _words(_field(dataset, keyword))
        if _first_match(said, vocabulary["hip_words"]):
            return []
        for other in vocabulary["other_regions"]:
            word = _first_match(said, other["words"])
            if word:
                field = dictionary_description(keyword)
                raise refused(
                    Code.NOT_A_HIP,
                    f"The header's {field} names another body part, {other['region']} ({word}), but a radiograph of the "
                    "hip or pelvis is needed; it was not analysed. If the header is wrong, correct it and run again.",
                )
    return ["The header does not name the body part: a hip was assumed."]


def _field(dataset: Dataset, keyword: str) -> str:
    if not keyword.endswith("Sequence"):
        return text(dataset, keyword)
    found = items(dataset, keyword)
    return text(found[0], "CodeMeaning") if found else ""


def _words(said: str) -> str:
    """Return a text in capitals, without accents and punctuation, its words parted by single spaces."""
    plain = unicodedata.normalize("NFKD", said).encode("ascii", "ignore").decode().upper()
    return re.sub(r"[^A-Z0-9]+", " ", plain).strip()


def _first_match(said: str, words: Iterable[str]) -> str:
    """Return the part of a text that is one of the words ("" if none); a trailing * matches any ending."""
    for word in words:
        match = re.search(rf"\b{word.removesuffix('*')}{'[A-Z0-9]*' if word.endswith('*') else ''}\b", said)
        if match:
            return match[0]
    return ""


@cache
def _vocabulary() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(VOCABULARY_FILE.read_text(encoding="utf-8"))
    return content
