"""How far readers agree who have reviewed the same results without seeing each other's."""

from __future__ import annotations

from contextlib import ExitStack, closing
from itertools import combinations
from typing import Any, Final

import numpy as np

from scripts.apps.review.drawing import Drawing
from scripts.apps.review.film import FilmShelf
from scripts.apps.review.results import ScreenedResults
from scripts.apps.review.session import FOLDER, Session, readers_of
from scripts.clinical import HIP
from scripts.files import write_table

AGREEMENT_NAME: Final = "agreement.csv"
COLUMNS: Final = ("film", "hip", "reader", "other_reader", "decision", "other_decision", "femur_dice", "landmarks_mm")


def write_agreement(results: ScreenedResults, shelf: FilmShelf) -> None:
    """Write OUT/review/agreement.csv: a row for each hip and pair of readers.

    femur_dice: of the femurs as both left them; landmarks_mm: mean distance of the landmarks that both have. A hip that one of
    them rejected has neither.

    Args:
        results: that were reviewed.
        shelf: opens films.

    Raises:
        ValueError: where fewer than two readers have decided on every hip.
    """
    with ExitStack() as opened:
        sessions = [opened.enter_context(closing(Session(results, shelf, reader))) for reader in readers_of(results.folder)]
        undone = [one.reader for one in sessions if any(one.open_hips(name) for name in results.films)]
        done = [one for one in sessions if one.reader not in undone]
        if len(done) < 2:
            who = ", ".join(undone) or "nobody else has begun"
            raise ValueError(
                f"{results.folder / FOLDER}: {len(done)} readers have decided on every hip, expected two or more (open: {who}). "
                "What one has done stays hidden from the others until then."
            )
        rows = [row for pair in combinations(done, 2) for name in results.films for row in _compare(*pair, shelf, name)]
    path = results.folder / FOLDER / AGREEMENT_NAME
    write_table(path, COLUMNS, rows)
    same = sum(row["decision"] == row["other_decision"] for row in rows)
    overlaps = [row["femur_dice"] for row in rows if row["femur_dice"] is not None]
    lowest = f", Dice of the femurs {min(overlaps):.3f} to {max(overlaps):.3f}" if overlaps else ""
    print(f"{path}: {len(rows)} hips of {len(done)} readers, {same} with the same decision{lowest}.")


def _compare(one: Session, other: Session, shelf: FilmShelf, name: str) -> list[dict[str, Any]]:
    decisions = one.state(name).decisions, other.state(name).decisions
    sides = [side for side in HIP.sides if side in decisions[0] or side in decisions[1]]
    if not sides:
        return []
    film = shelf.open(name)
    drawings = one.drawing(film), other.drawing(film)
    rows = []
    for side in sides:
        index = HIP.side(side)
        words = [made[side].word if side in made else "" for made in decisions]
        both = words == ["confirmed", "confirmed"]
        rows.append({
            "film": name,
            "hip": side,
            "reader": one.reader,
            "other_reader": other.reader,
            "decision": words[0],
            "other_decision": words[1],
            "femur_dice": _dice(*drawings, film.hips[index]) if both else None,
            "landmarks_mm": _distance(*drawings, index, film.spacing_mm) if both else None,
        })  # fmt: skip
    return rows


def _dice(one: Drawing, other: Drawing, hip: np.ndarray) -> float | None:
    first, second = ((drawing.mask == HIP.value("femur")) & hip for drawing in (one, other))
    total = int(first.sum() + second.sum())
    return round(2 * int((first & second).sum()) / total, 4) if total else None


def _distance(one: Drawing, other: Drawing, index: int, spacing_mm: tuple[float, float]) -> float | None:
    apart = np.linalg.norm((one.landmarks[index] - other.landmarks[index]) * np.array(spacing_mm), axis=1)
    return round(float(np.nanmean(apart)), 2) if np.isfinite(apart).any() else None
