"""Makes the page of the study of the shipped weights anew, and links it from the model card: `make study`.

It takes half an hour; what is finished is not done again. The same weights, code and machine give the same bytes: the pseudonyms
are by a key that is no secret, since the patients are simulated.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from scripts.development.made import DOCS, WEIGHTS, entry, replace_table, run_bundle, write_record
from scripts.files import replacing, sha256

SITES: Final = "['simulated-4','simulated-5']"
COHORT: Final[dict[str, object]] = {"patients": 110, "seed": 24, "sites": SITES}
"""What is evaluated, as the docs name it. No training and no calibration saw it."""

_COMMAND: Final = "make study"
_PAGE: Final = "study.html"
_KEY: Final = "the names of simulated patients are no secret"


def make_study(work_dir: Path, docs: Path = DOCS) -> None:
    """Evaluate the shipped weights, unless that is finished, and put page and link into the docs.

    Args:
        work_dir: where the cohort and the results of these weights are kept.
        docs: the folder of the documentation.
    """
    place_study(evaluate_cohort(work_dir), docs)
    print(f"Made {_PAGE} in {docs}, and its link in README.md there.")


def evaluate_cohort(work_dir: Path) -> Path:
    """Simulate the cohort and evaluate the shipped weights on it, each unless that is finished; returns the folder of results."""
    cohort, results = work_dir / "cohort", work_dir / sha256(WEIGHTS)[:16] / "evaluation"
    if not (cohort / "manifest.csv").exists():
        run_bundle("simulate", output_dir=cohort, **COHORT)
    if not (results / _PAGE).exists() or not (results / "metrics.json").exists():
        key = work_dir / "key"
        key.write_text(_KEY, encoding="utf-8")
        run_bundle("inference", "evaluate", dataset_dir=cohort, output_dir=results, key_file=key)
    return results


def place_study(results: Path, docs: Path) -> None:
    """Copy the page of an evaluation to the docs, and write the link to it.

    Args:
        results: of the evaluation.
        docs: with the model card, README.md, that has the place for the link, see `replace_table`.
    """
    with replacing(docs / _PAGE) as temporary:
        shutil.copyfile(results / _PAGE, temporary)
    card = docs / "README.md"
    link = (
        f"[The page of this study]({_PAGE}) has all of it as CLAIM 2024, TRIPOD+AI and STARD-AI ask: flow diagram, patients, "
        "intervals, calibration, decision curves, subgroups, failures with pictures, and what only a person can say."
    )
    text = replace_table(card.read_text(encoding="utf-8"), "study", [link], _COMMAND)
    with replacing(card) as temporary:
        temporary.write_text(text, encoding="utf-8")
    write_record({_PAGE: entry(_COMMAND, weights=True)}, docs)


if __name__ == "__main__":
    make_study(Path(sys.argv[1]))
