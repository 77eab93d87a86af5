"""The review of one reader: what stands of each film by the trail, and what the reader does next."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from scripts.apps.review.drawing import Drawing, check_kept_mask, keep_mask, read_kept_mask, read_places, read_runs, to_places
from scripts.apps.review.film import Film, FilmShelf
from scripts.apps.review.results import ScreenedResults
from scripts.apps.review.trail import TRAIL_NAME, TrailWriter, read_trail
from scripts.clinical import HIP
from scripts.files import Entry
from scripts.screening import Correction

FOLDER: Final = "review"
"""In the folder of results: a folder for each reader."""

REASONS: Final = (
    "no proximal femur",
    "contour cannot be corrected",
    "broken or deformed",
    "implant",
    "cut off",
    "turned",
    "poor exposure",
    "wrong side or patient",
    "other",
)
"""Why a hip can be rejected."""

TOOLS: Final = ("contour", "brush", "landmark", "undo", "redo", "reset")
"""What an edit was made with."""

_READER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_LONGEST_TEXT: Final = 500
_FEWEST_PIXELS: Final = 500  # of a femur; less is a slip of the brush


class ChangedError(Exception):
    """Raised where a film was changed since whoever asks has seen it: in another tab, say."""


@dataclass(frozen=True)
class Decision:
    """What a reader says of a hip: "confirmed" or "rejected", on which reason, and whether it was drawn anew before."""

    word: str
    corrected: bool
    reason: str = ""
    text: str = ""


@dataclass(frozen=True)
class FilmState:
    """What stands of a film.

    version: how many lines of the trail are of it. mask, landmarks: hash of the mask and places as the reader left them; both
    None as found. edited: of both hips, whether they differ from what was found. decisions: by side.
    """

    version: int = 0
    mask: str | None = None
    landmarks: Mapping[str, Any] | None = None
    edited: tuple[bool, bool] = (False, False)
    decisions: Mapping[str, Decision] = field(default_factory=dict)

    def after(self, entry: Entry) -> FilmState:
        """What stands after one more line of the trail."""
        state = replace(self, version=self.version + 1)
        decisions = dict(self.decisions)
        if entry["action"] == "edit":
            edited = tuple(entry["edited"])
            for side in entry["hips"]:
                decisions.pop(side, None)
            return replace(
                state, mask=entry["mask"], landmarks=entry["landmarks"], edited=(edited[0], edited[1]), decisions=decisions
            )
        if entry["action"] == "reopen":
            decisions.pop(entry["hip"], None)
        else:
            word = {"confirm": "confirmed", "reject": "rejected"}[entry["action"]]
            decisions[entry["hip"]] = Decision(word, entry["corrected"], entry.get("reason", ""), entry.get("text", ""))
        return replace(state, decisions=decisions)


def states_of(entries: tuple[Entry, ...]) -> dict[str, FilmState]:
    """What stands of each film that a trail tells of, by name."""
    states: dict[str, FilmState] = {}
    for entry in entries:
        states[entry["film"]] = states.get(entry["film"], FilmState()).after(entry)
    return states


def check_reader(reader: str) -> str:
    """A reader's pseudonym, which names a folder.

    Raises:
        ValueError: where it cannot be one.
    """
    if not _READER.fullmatch(reader):
        raise ValueError(
            f"--reader {reader}: expected a pseudonym of letters, digits, - and _, such as r1, up to 32. Nothing was reviewed."
        )
    return reader


def readers_of(output_dir: Path) -> list[str]:
    """Who has reviewed these results."""
    return sorted(path.parent.name for path in (output_dir / FOLDER).glob(f"*/{TRAIL_NAME}"))


def check_masks(folder: Path) -> None:
    """Check the masks of a reader's folder against the trail.

    Raises:
        ValueError: naming the first that is missing or was altered.
    """
    kept = {entry["mask"] for entry in read_trail(folder / TRAIL_NAME).entries if entry["action"] == "edit"}
    for name in sorted(kept):
        check_kept_mask(name, folder)


class Session:
    """The review of one reader.

    Args:
        results: of the screening.
        shelf: opens films.
        reader: a pseudonym.

    Raises:
        ValueError: where the pseudonym is none, the trail or a mask was altered.
        BusyError: where the same reader's review is open already.
    """

    def __init__(self, results: ScreenedResults, shelf: FilmShelf, reader: str) -> None:
        self.results, self.shelf, self.reader = results, shelf, check_reader(reader)
        self.folder = results.folder / FOLDER / reader
        self.writer = TrailWriter(self.folder / TRAIL_NAME, reader)
        self.states = states_of(self.writer.trail.entries)
        self._lock = threading.Lock()
        try:
            check_masks(self.folder)
            self._refuse_other_weights()
        except BaseException:
            self.close()
            raise

    @property
    def _weights(self) -> str:
        return str(self.results.document["provenance"]["weights"]["sha256"])

    def state(self, name: str) -> FilmState:
        """What stands of a film."""
        return self.states.get(name, FilmState())

    def drawing(self, film: Film) -> Drawing:
        """Mask and landmarks of a film as they stand."""
        state = self.state(film.name)
        if state.mask is None:
            return film.found
        return Drawing(read_kept_mask(state.mask, self.folder), read_places(state.landmarks))

    def open_hips(self, name: str) -> list[str]:
        """The hips of a film that were found or drawn, and on which nothing is decided."""
        if self.results.why_unseen(name):
            return []
        state = self.state(name)
        there = zip(HIP.sides, self.results.shown(name), state.edited, strict=True)
        return [side for side, shown, edited in there if (shown or edited) and side not in state.decisions]

    def correction(self, film: Film) -> Correction | None:
        """What the screen is given of a film; None where all is as found, and nothing rejected."""
        state = self.state(film.name)
        rejected = [side in state.decisions and state.decisions[side].word == "rejected" for side in HIP.sides]
        if not any(state.edited) and not any(rejected):
            return None
        drawing = self.drawing(film)
        moved = (np.abs(drawing.landmarks - film.found.landmarks) > 0.005) | np.isnan(film.found.landmarks)
        landmarks = np.where(moved.any(axis=2, keepdims=True), drawing.landmarks, np.nan)
        return Correction(drawing.mask, landmarks, state.edited, (rejected[0], rejected[1]), film.middle)

    def act(self, name: str, request: Mapping[str, Any]) -> FilmState:
        """Do what a reader asks, and enter it in the trail before it counts.

        Args:
            name: of the film.
            request: "version" that the reader has seen; "action": edit ("mask", runs, or null as it stands; "landmarks"; "tool"),
                confirm, reject ("reason" of `REASONS`, "text") or reopen, each of these three of a "hip".

        Raises:
            KeyError: where there is no such film.
            ChangedError: where the film was changed since.
            ValueError: where the request is not as it must be, or the film cannot be seen.
            OSError: where the disk fails; nothing has changed then.
        """
        with self._lock:
            film, state = self.shelf.open(name), self.state(name)
            if request.get("version") != state.version:
                raise ChangedError(
                    "This film was changed elsewhere, such as in another tab, since it was loaded here. Nothing was overwritten: "
                    "reload the film, and make the change again."
                )
            self._refuse_another(film)
            action = request.get("action")
            content = self._edit(film, request) if action == "edit" else self._decide(film, str(action), request)
            study = str(self.results.films[name]["study"])
            of = {"study": study, "film": name, "radiograph": film.sha256, "weights": self._weights, "version": state.version + 1}
            entry = self.writer.append({**of, "action": action, **content})
            self.states[name] = state.after(entry)
            return self.states[name]

    def close(self) -> None:
        """Let go of the trail."""
        self.writer.close()

    def _refuse_other_weights(self) -> None:
        """A review of results that stood here before."""
        others = {entry["weights"] for entry in self.writer.trail.entries} - {self._weights}
        if others:
            raise ValueError(
                f"{self.writer.path}: this review is of results of other weights ({min(others)[:12]}, these are of "
                f"{self._weights[:12]}); name another reader, or keep it elsewhere. Nothing was reviewed."
            )

    def _refuse_another(self, film: Film) -> None:
        """A radiograph that was exchanged since this reader first decided on it."""
        before = next((entry for entry in reversed(self.writer.trail.entries) if entry["film"] == film.name), None)
        if before and before["radiograph"] != film.sha256:
            raise ValueError("The radiograph's file is another one than that which was reviewed before. Nothing was saved.")

    def _edit(self, film: Film, request: Mapping[str, Any]) -> dict[str, Any]:
        if request.get("tool") not in TOOLS:
            raise ValueError(
                f"The tool is {str(request.get('tool'))[:40]!r}, expected one of {', '.join(TOOLS)}. Nothing was saved."
            )
        stands, runs = self.drawing(film), request.get("mask")
        mask = stands.mask if runs is None else read_runs(runs, film.shape)
        drawing = Drawing(mask, read_places(request.get("landmarks"), film.shape))
        changed = drawing.changed(stands, film.hips)
        return {
            "tool": request["tool"],
            "hips": [side for side, one in zip(HIP.sides, changed, strict=True) if one],
            "mask": keep_mask(mask, self.folder),
            "landmarks": to_places(drawing.landmarks),
            "edited": list(drawing.changed(film.found, film.hips)),
        }

    def _decide(self, film: Film, action: str, request: Mapping[str, Any]) -> dict[str, Any]:
        side = request.get("hip")
        if side not in HIP.sides or action not in ("confirm", "reject", "reopen"):
            raise ValueError(
                f"{action[:40]!r} of {str(side)[:40]!r} means nothing; expected confirm, reject or reopen, of right or left. "
                "Nothing was saved."
            )
        index = HIP.side(side)
        state = self.state(film.name)
        content: dict[str, Any] = {
            "hip": side,
            "corrected": state.edited[index],
            "mask": state.mask or film.mask_sha256,
            "landmarks": to_places(self.drawing(film).landmarks)[side],
        }
        if action == "confirm":
            self._refuse_incomplete(film, index)
        if action == "reject":
            reason, text = request.get("reason"), request.get("text", "")
            if reason not in REASONS:
                raise ValueError(f"The reason is {str(reason)[:40]!r}, expected one of {', '.join(REASONS)}. Nothing was saved.")
            if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
                raise ValueError(f"The remark is no text of at most {_LONGEST_TEXT} characters. Nothing was saved.")
            content |= {"reason": reason, "text": text}
        return content

    def _refuse_incomplete(self, film: Film, index: int) -> None:
        """A hip that was drawn, and cannot be measured as it stands."""
        side, drawing = HIP.sides[index], self.drawing(film)
        if not self.state(film.name).edited[index]:
            if not self.results.shown(film.name)[index]:
                raise ValueError(f"No {side} hip was found or drawn: there is nothing to confirm.")
            return
        if (film.hips[index] & (drawing.mask > 0)).sum() < _FEWEST_PIXELS:
            raise ValueError(f"The contour of the {side} hip is empty: draw it, or reject the hip. It was not confirmed.")
        missing = [
            name for name, point in zip(HIP.landmarks, drawing.landmarks[index], strict=True) if not np.isfinite(point).all()
        ]
        if lacking := [name.replace("_", " ") for name in missing if name in HIP.landmarks[: HIP.locating]]:
            raise ValueError(f"The {side} hip lacks {', '.join(lacking)}: place them, or reject the hip. It was not confirmed.")
