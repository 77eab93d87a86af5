"""results.json: every outcome and its provenance, valid by the JSON schema that ships beside this file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

from scripts.clinical import Category, Of, Precision, Quantity, Triage
from scripts.files import replacing
from scripts.results.follow_up import make_follow_up
from scripts.results.record import Record

Document = Mapping[str, Any]
"""What results.json holds."""

SCHEMA_VERSION: Final = "3.5"


def make_document(
    records: Sequence[Record],
    studies: Sequence[Record],
    passed_over: Sequence[Record],
    provenance: Mapping[str, Any],
    notice: str,
    precision: Precision | None = None,
) -> dict[str, Any]:
    """Join the records of all radiographs and studies into one document.

    Args:
        records: of radiographs, see `record`.
        studies: their studies, see `record.make_study_record`.
        passed_over: of files that nobody looked into, see `record.make_passed_over_record`.
        provenance: see `provenance.describe_run`.
        notice: the sentence that every result carries.
        precision: of repeated radiographs; None where it was not measured.
    """
    measured = [record for record in records if record["status"] == "measured"]
    outcomes = [study["outcome"] for study in studies if study["outcome"]]
    categories, triage = (Counter(str(outcome[key]) for outcome in outcomes) for key in ("category", "triage"))
    return {
        "schema_version": SCHEMA_VERSION,
        "notice": notice,
        "provenance": dict(provenance),
        "summary": {
            # A file that could not be read may show anybody, or nobody.
            "patients": len({record["patient"] for record in records if record["header"]}),
            "studies": len(studies),
            "radiographs": len(records),
            "measured": len(measured),
            "refused": len(records) - len(measured),
            "passed_over": len(passed_over),
            "hips_measured": sum(hip["status"] == "measured" for record in measured for hip in record["hips"]),
            "categories": {str(category): categories[category] for category in Category},
            "triage": {str(advice): triage[advice] for advice in Triage},
        },
        "follow_up": make_follow_up(records, studies, precision),
        "studies": list(studies),
        "radiographs": list(records),
        "passed_over": list(passed_over),
    }


def write_document(document: Document, quantities: Sequence[Quantity], folder: Path) -> None:
    """Write results.json, once it is valid, and its schema, results.schema.json.

    Raises:
        ValueError: where the document breaks the schema; nothing is written then.
    """
    schema = make_schema(quantities)
    check_document(document, schema)
    for content, name in ((schema, "results.schema.json"), (document, "results.json")):
        with replacing(folder / name) as temporary:
            temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def check_document(document: Document, schema: Mapping[str, Any]) -> None:
    """Compare a document with the schema.

    Raises:
        ValueError: naming the place, the value found and what was expected.
    """
    # jsonschema knows plain JSON types only; the enums of `clinical` become their strings on the way.
    plain = json.loads(json.dumps(document, allow_nan=False))
    for error in Draft202012Validator(schema).iter_errors(plain):
        raise ValueError(f"results.json, {error.json_path}: {error.message}; the document was not written")


def make_schema(quantities: Sequence[Quantity]) -> dict[str, Any]:
    """The JSON schema of results.json: the frame that ships beside this file, with a property for every quantity.

    Args:
        quantities: of which there are values, see `Channels.table`.
    """
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
    for of, definition in ((Of.RADIOGRAPH, "radiograph"), (Of.BONE, "hip")):
        for quantity in quantities:
            if quantity.of is of and quantity.group != "estimates":
                _add_property(schema["$defs"][definition], quantity)
    Draft202012Validator.check_schema(schema)
    return schema


def _add_property(owner: dict[str, Any], quantity: Quantity) -> None:
    if quantity.group:
        group = owner["properties"].setdefault(quantity.group, {})
        if "type" not in group:
            owner["required"] = list(dict.fromkeys([*owner["required"], quantity.group]))
            group |= {"type": ["object", "null"], "required": [], "additionalProperties": False, "properties": {}}
        owner = group
    bounds = {key: bound for key, bound in zip(("minimum", "maximum"), quantity.bounds, strict=True) if bound is not None}
    owner["properties"][quantity.key] = {"description": quantity.describe(), "type": ["number", "null"], **bounds}
    owner["required"].append(quantity.key)
