"""The numbers of a study as they stand: those of the screening, or those of the screen's own way over what a reader corrected."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scripts.apps.review.session import Session
from scripts.clinical import Quantity, Reason
from scripts.files import replacing
from scripts.results.record import Record, make_refused_record, make_screened_record, make_study_record
from scripts.screening import CORRECTION, Correction, Screen

FOLDER: Final = "numbers"
"""In a reader's folder: the corrected numbers of each study."""

Numbers = dict[str, Any]
""""films" (records of radiographs, by name) and "study" (its record), as results.json has them."""


class SupersededError(Exception):
    """Raised where a reader changed a study while its numbers waited to be computed."""


class NumbersOfReview:
    """Computes the numbers of studies that a reader corrected, one at a time, and keeps the last ones of each.

    Args:
        session: of the reader.
        screen: made the results.
        quantities: of which there are values.
    """

    def __init__(self, session: Session, screen: Screen, quantities: Sequence[Quantity]) -> None:
        self.session, self.screen, self.quantities = session, screen, quantities
        self._lock = threading.Lock()

    def screened(self, study: str) -> Numbers:
        """Those of the screening.

        Raises:
            KeyError: where there is no such study.
        """
        results = self.session.results
        return {"films": {name: results.films[name] for name in results.studies[study]["films"]}, "study": results.studies[study]}

    def corrected(self, study: str) -> Numbers | None:
        """Those of what the reader corrected and rejected; None where that is nothing.

        Raises:
            KeyError: where there is no such study.
            SupersededError: where the reader has changed more meanwhile: ask again.
            ValueError: where a film cannot be seen any more.
        """
        asked = self._key(study)
        with self._lock:
            if self._key(study) != asked:
                raise SupersededError
            films = {name: self.session.shelf.open(name) for name in self._seen(study)}
            corrections = {name: self.session.correction(film) for name, film in films.items()}
            if not any(corrections.values()):
                return None
            path = self.session.folder / FOLDER / f"{study}.json"
            if path.is_file() and (kept := json.loads(path.read_text(encoding="utf-8")))["of"] == asked:
                return {"films": kept["films"], "study": kept["study"]}
            found = self._compute(study, corrections)
            with replacing(path) as temporary:
                temporary.write_text(json.dumps({"of": asked, **found}, allow_nan=False), encoding="utf-8")
            return found

    def _seen(self, study: str) -> list[str]:
        results = self.session.results
        return [name for name in results.studies[study]["films"] if not results.why_unseen(name)]

    def _key(self, study: str) -> str:
        """A hash of what the numbers depend on."""
        states = {name: self.session.state(name) for name in self._seen(study)}
        depends = {
            name: [state.mask, state.landmarks, sorted(side for side, one in state.decisions.items() if one.word == "rejected")]
            for name, state in states.items()
        }
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()

    def _compute(self, study: str, corrections: Mapping[str, Correction | None]) -> Numbers:
        ledger = self.session.results.ledger
        items = [item for item in ledger.studies[study] if "refusal" not in item]
        read = [self.screen.reader.read(item) for item in items]
        for radiograph in read:
            if correction := corrections.get(radiograph["name"]):
                radiograph[CORRECTION] = correction
        findings = self.screen(read)
        records: dict[str, Record] = {}
        for item, found in zip(items, findings.radiographs, strict=True):
            name, place = found.name, ledger.place(found.name)
            if isinstance(found.outcome, Reason):
                records[name] = make_refused_record(item, place, found.outcome)
            else:
                records[name] = make_screened_record(item, place, found.outcome, {}, self.quantities)
        plain: Numbers = json.loads(json.dumps({"films": records, "study": make_study_record(items, findings.study, {})}))
        return plain


def withheld(numbers: Numbers, session: Session) -> Numbers:
    """The same without the estimates of hips that are not confirmed, and without the patient's while any of them is open."""
    films = {}
    for name, record in numbers["films"].items():
        undecided = session.open_hips(name)
        films[name] = {
            **record,
            "hips": [_veiled(hip) if hip["side"] in undecided else hip for hip in record["hips"]],
        }
    study = numbers["study"]
    if any(session.open_hips(name) for name in films):
        study = {**study, "outcome": None, "estimates": {}}
    return {"films": films, "study": study}


def _veiled(hip: Record) -> Record:
    """A hip without any density, on whatever scale."""
    return {key: value for key, value in hip.items() if "bmd" not in key} | {"estimates": {}}
