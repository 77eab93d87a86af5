"""Which DICOM files are radiographs of a human hip, judged by the header alone, before a pixel is decoded."""

from __future__ import annotations

from typing import Final

from pydicom.datadict import dictionary_description
from pydicom.dataset import Dataset
from pydicom.uid import UID

from scripts.clinical import Code, Reason, RefusedError
from scripts.radiograph.bounds import LARGEST_PIXELS, too_large
from scripts.radiograph.elements import cited, items, number, plain_words, quoted, stated, text, value
from scripts.radiograph.vocabulary import find_word, load_vocabulary

SMALLEST_SIDE: Final = 64
"""In pixels; anything smaller is an icon."""


def admit(dataset: Dataset) -> list[str]:
    """Let a radiograph of a human hip pass by its header; a header that is silent on the body part also passes.

    Args:
        dataset: without pixels; its SOP class is filled in where the file meta information alone tells it.

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
    return notes + admit_body_part(dataset)


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


def is_object(dataset: Dataset) -> bool:
    """Whether what was parsed is DICOM or its forerunner ACR-NEMA, and not something else that happens to parse."""
    return any(keyword in dataset for keyword in ("SOPClassUID", "SOPInstanceUID")) or _is_acr_nema(dataset)


def read_view(dataset: Dataset) -> tuple[str, list[str]]:
    """Find the projection: View Position, else the view code, else a word in the descriptions.

    Returns:
        The view, such as "AP" ("" where nothing tells it, or where the descriptions name several); and what had to be assumed.
    """
    notes = []
    said = stated(dataset, "ViewPosition")
    if said:
        quote = cited(dataset, "ViewPosition")
        words = plain_words(said)
        # The standard's own terms are views, whether or not there is a word for them.
        found = [words] if words in load_vocabulary()["view_positions"] else _views_named(words)
        if found:
            return found[0], [] if said == found[0] else [f"{quote} was read as {found[0]}."]
        notes.append(f"{quote} is no view that is known, so it was not used.")
    for item in items(dataset, "ViewCodeSequence"):
        named = [view["view"] for view in load_vocabulary()["views"] if text(item, "CodeValue") in view["codes"]] or _views_named(
            plain_words(text(item, "CodeMeaning"))
        )
        if named:
            return named[0], notes
        if stated(item, "CodeValue"):
            notes.append(f"ViewCodeSequence, {cited(item, 'CodeValue')}, names no view that is known, so it was not used.")
    for keyword in load_vocabulary()["view_fields"]:
        named = _views_named(plain_words(text(dataset, keyword)))
        if named:
            return named[0], [*notes, f"The view ({named[0]}) was taken from {dictionary_description(keyword)}."]
    return "", [*notes, "The header does not name the view (AP or other)."]


def _views_named(said: str) -> list[str]:
    """Return the views that a text names; none where it names the frontal and another one."""
    found = [view["view"] for view in load_vocabulary()["views"] if find_word(said, view["words"])]
    # "Frog lateral" is one view; "AP and lateral" is a series of both.
    return found if len(found) == 1 or not {"AP", "PA"} & set(found) else []


def refused(code: Code, sentence: str) -> RefusedError:
    """Return the exception that refuses a radiograph."""
    return RefusedError(Reason(code, sentence))


def _admit_kind(dataset: Dataset) -> list[str]:
    vocabulary = load_vocabulary()
    notes = _settle_sop_class(dataset)
    known = vocabulary["sop_classes"].get(text(dataset, "SOPClassUID"))
    if known is None and not text(dataset, "SOPClassUID") and _is_acr_nema(dataset):
        known = vocabulary["acr_nema"]
    said = stated(dataset, "Modality")
    term = plain_words(said)
    modality = next((modality for modality, words in vocabulary["modalities"].items() if term in words), None)
    # Where the object itself is a radiograph, a word that is no modality at all does not make it another thing.
    unknown = modality is None and term not in vocabulary["other_modalities"]
    if known is None or (modality is None and not (unknown and known["modality"])):
        kind = known["kind"] if known is not None and not text(dataset, "SOPClassUID") else _sop_class_name(dataset)
        quote = quoted(dataset, "Modality") if unknown and said else term
        raise refused(
            Code.NOT_A_RADIOGRAPH,
            f"The file is {kind} (modality {quote or 'not given'}), but a radiograph (CR or DX) is needed; it was not "
            "analysed. Choose the radiograph's series.",
        )
    notes += [known["assumption"]] if known["assumption"] else []
    if said and said != modality:
        notes.append(f"{cited(dataset, 'Modality')} was read as {modality or known['modality']}.")
    return notes


def _settle_sop_class(dataset: Dataset) -> list[str]:
    """Where a data set has no SOP class that is registered, take that of the file meta information, and say so."""
    said = text(dataset, "SOPClassUID")
    stored = text(getattr(dataset, "file_meta", Dataset()), "MediaStorageSOPClassUID")
    if (said and UID(said).name != said) or stored not in load_vocabulary()["sop_classes"]:
        return []
    found = f"{cited(dataset, 'SOPClassUID')} is none that is known" if said else "SOPClassUID is missing"
    dataset.SOPClassUID = stored
    return [f"{found}: that of the file meta information, {UID(stored).name}, was used."]


def _is_acr_nema(dataset: Dataset) -> bool:
    return "ACR NEMA" in plain_words(text(dataset, "RecognitionCode"))


def _sop_class_name(dataset: Dataset) -> str:
    uid = UID(text(dataset, "SOPClassUID"))
    # An unregistered UID is any text that somebody wrote.
    return uid.name if uid.name != uid else "an object of unknown kind"


def _admit_human(dataset: Dataset) -> None:
    vocabulary = load_vocabulary()
    found = ""
    codes = items(dataset, "PatientSpeciesCodeSequence") or [Dataset()]
    species = [text(dataset, "PatientSpeciesDescription"), text(codes[0], "CodeValue"), text(codes[0], "CodeMeaning")]
    named = [said for said in map(plain_words, species) if said]
    if named and not any(find_word(said, vocabulary["human_species"]) for said in named):
        found = "Patient Species"
    elif text(dataset, "PatientBreedDescription") or items(dataset, "PatientBreedCodeSequence"):
        found = "Patient Breed"
    elif text(dataset, "ResponsiblePersonRole").upper() == "OWNER":
        found = "Responsible Person Role (an owner)"
    for keyword in vocabulary["animal_fields"]:
        word = find_word(plain_words(text(dataset, keyword)), vocabulary["animal_words"])
        if word and not found:
            found = f"{dictionary_description(keyword)} ({word})"
    if found:
        raise refused(
            Code.NOT_HUMAN,
            f"The header's {found} says that the patient is an animal, but only human hips are measured; it was not analysed.",
        )


def admit_body_part(dataset: Dataset) -> list[str]:
    """The first field, from the most to the least specific, that names a body part decides."""
    vocabulary = load_vocabulary()
    for keyword in vocabulary["body_part_fields"]:
        said = plain_words(_field(dataset, keyword))
        if find_word(said, vocabulary["hip_words"]):
            return []
        for other in vocabulary["other_regions"]:
            word = find_word(said, other["words"])
            if word:
                field = dictionary_description(keyword)
                raise refused(
                    Code.NOT_A_HIP,
                    f"The header's {field} names another body part, {other['region']} ({word}), but a radiograph of the "
                    "hip or pelvis is needed; it was not analysed. If the header is wrong, correct it and run again.",
                )
    unknown = (
        f"{cited(dataset, 'BodyPartExamined')} is no body part that is known." if stated(dataset, "BodyPartExamined") else ""
    )
    return [*filter(None, (unknown,)), "The header does not name the body part: a hip was assumed."]


def _field(dataset: Dataset, keyword: str) -> str:
    if not keyword.endswith("Sequence"):
        return text(dataset, keyword)
    found = items(dataset, keyword)
    return text(found[0], "CodeMeaning") if found else ""
