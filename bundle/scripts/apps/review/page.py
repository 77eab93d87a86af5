"""What the page is told, as plain data: who reviews what, a film with what stands of it, and the numbers of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from scripts.apps.review.drawing import to_places, to_runs
from scripts.apps.review.film import FilmShelf
from scripts.apps.review.numbers import Numbers, NumbersOfReview, withheld
from scripts.apps.review.results import ScreenedResults
from scripts.apps.review.session import REASONS, FilmState, Session
from scripts.clinical import HIP, QUANTITIES, Of, load_criteria

_MEASURES = {
    "neck_shaft_deg": "Neck-shaft angle",
    "neck_axis_length_mm": "Neck axis length",
    "neck_width_mm": "Neck width",
    "cortical_thickness_index": "Cortical thickness index",
    "canal_flare_index": "Canal flare index",
    "singh_grade": "Singh-like grade",
}


class ReviewPage:
    """What a reader's page is told.

    Args:
        session: of the reader.
        shelf: opens films.
        numbers: of the studies.
        confirm_first: hold estimates back until a hip is confirmed.
    """

    def __init__(self, session: Session, shelf: FilmShelf, numbers: NumbersOfReview, confirm_first: bool) -> None:
        self.session, self.shelf, self.numbers, self.confirm_first = session, shelf, numbers, confirm_first

    @property
    def results(self) -> ScreenedResults:
        """The results that are reviewed."""
        return self.session.results

    def overview(self) -> dict[str, Any]:
        """All studies, what is open of each, and the words that the page needs."""
        measures = {row.name: row for row in QUANTITIES if row.of is Of.BONE and row.name in _MEASURES}
        return {
            "reader": self.session.reader,
            "notice": self.results.document["notice"],
            "confirm_first": self.confirm_first,
            "reasons": list(REASONS),
            "sides": list(HIP.sides),
            "sites": dict(HIP.site_names),
            "landmarks": list(HIP.landmarks),
            "classes": list(HIP.classes),
            "coverage": load_criteria().coverage,
            "measures": [
                {"key": row.key, "group": row.group, "name": _MEASURES[row.name], "unit": row.unit, "decimals": row.decimals}
                for row in measures.values()
            ],
            "studies": [self.study(name) for name in self.results.studies],
        }

    def study(self, name: str) -> dict[str, Any]:
        """A study: its films, what is open on each, and why one may want to look at it."""
        record = self.results.studies[name]
        films = [self._film(film) for film in record["films"]]
        undecided = any(film["open"] for film in films)
        flags = [flag for film in films for flag in film["flags"]]
        if record["outcome"] and record["outcome"]["triage"] and not (self.confirm_first and undecided):
            flags.append(record["outcome"]["triage"])
        return {"study": name, "films": films, "done": not undecided, "flags": list(dict.fromkeys(flags))}

    def film(self, name: str) -> dict[str, Any]:
        """A film as it stands, without its grey values.

        Raises:
            KeyError: where there is no such film.
            ValueError: where it cannot be seen.
        """
        film = self.shelf.open(name)
        drawing = self.session.drawing(film)
        return {
            "name": name,
            "study": self.results.films[name]["study"],
            "rows": film.shape[0],
            "cols": film.shape[1],
            "spacing_mm": list(film.spacing_mm),
            "middle": film.middle,
            "found": {"mask": to_runs(film.found.mask), "landmarks": to_places(film.found.landmarks)},
            "mask": to_runs(drawing.mask),
            "landmarks": to_places(drawing.landmarks),
            "hips": {
                hip["side"]: {"reason": hip["reason"], "cautions": hip["cautions"], "shown": hip["landmarks"] is not None}
                for hip in self.results.films[name]["hips"]
            },
            **self.state(name, self.session.state(name)),
        }

    def state(self, name: str, state: FilmState) -> dict[str, Any]:
        """What is decided of a film, and which version of it that is."""
        return {
            "version": state.version,
            "edited": dict(zip(HIP.sides, state.edited, strict=True)),
            "decisions": {side: asdict(decision) for side, decision in state.decisions.items()},
            "of_study": self.study(str(self.results.films[name]["study"])),
        }

    def study_numbers(self, name: str) -> dict[str, Any]:
        """A study's numbers, as screened and as corrected (null where nothing was).

        Raises:
            KeyError: where there is no such study.
            SupersededError, ValueError: as `NumbersOfReview.corrected`.
        """
        return {"screened": self._told(self.numbers.screened(name)), "corrected": self._told(self.numbers.corrected(name))}

    def _told(self, numbers: Numbers | None) -> Mapping[str, Any] | None:
        return withheld(numbers, self.session) if numbers and self.confirm_first else numbers

    def _film(self, name: str) -> dict[str, Any]:
        record = self.results.films[name]
        reasons = [reason for reason in (record["reason"], *(hip["reason"] for hip in record["hips"])) if reason]
        cautions = [caution["code"] for hip in record["hips"] for caution in hip["cautions"]]
        flags = list(dict.fromkeys([*(reason["code"] for reason in reasons), *cautions]))
        return {"name": name, "open": self.session.open_hips(name), "lost": self.results.why_unseen(name), "flags": flags}
