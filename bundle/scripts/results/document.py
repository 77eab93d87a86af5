"""results.json: every outcome and its provenance, valid by the JSON schema that ships beside this file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

from scripts.clinical import Category
from scripts.files import replacing
from scripts.results.record import Record

SCHEMA_VERSION: Final = "2.3"


def make_document(
    records: Sequence[Record], studies: Sequence[Record], provenance: Mapping[str, Any], notice: str
) -> dict[str, Any]:
    """Join the records of all radiographs and studies into one document.

    Args:
        records: of radiographs, see `record`.
        studies: their studies, see `record.study_record`.
        provenance: see `provenance.describe_run`.
        notice: the sentence that every result carries.
    """
    measured = [record for record in records if record["status"] == "measured"]
    categories = Counter(str(study["outcome"]["category"]) for study in studies if study["outcome"])
    return {
        "schema_version": SCHEMA_VERSION,
        "notice": notice,
        "provenance": dict(provenance),
        "summary": {
            "patients": len({study["patient"] for study in studies}),
            "studies": len(studies),
            "radiographs": len(records),
            "measured": len(measured),
            "refused": len(records) - len(measured),
            "hips_measured": sum(hip["status"] == "measured" for record in measured for hip in record["hips"]),
            "categories": {str(category): categories[category] for category in Category},
        },
        "studies": list(studies),
        "radiographs": list(records),
    }


def write_document(document: Mapping[str, Any], path: Path) -> None:
    """Write results.json, once it is valid.

    Raises:
        ValueError: where the document breaks the schema; nothing is written then.
    """
    check_document(document)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def check_document(document: Mapping[str, Any]) -> None:
    """Compare a document with the schema.

    Raises:
        ValueError: naming the place, the value found and what was expected.
    """
    # jsonschema knows plain JSON types only; the enums of `clinical` become their strings on the way.
    plain = json.loads(json.dumps(document, allow_nan=False))
    for error in _validator().iter_errors(plain):
        raise ValueError(f"results.json, {error.json_path}: {error.message}; the document was not written")


@cache
def _validator() -> Draft202012Validator:
    schema = json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
