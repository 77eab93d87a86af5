"""The command `osteoxr review`: checks trails, writes corrections out, or serves a reader's page until it is stopped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from scripts.apps.review.agreement import write_agreement
from scripts.apps.review.export import export_corrections
from scripts.apps.review.film import FilmShelf
from scripts.apps.review.numbers import NumbersOfReview
from scripts.apps.review.page import ReviewPage
from scripts.apps.review.results import ScreenedResults
from scripts.apps.review.server import ReviewServer
from scripts.apps.review.session import FOLDER, Session, check_masks, check_reader, readers_of
from scripts.apps.review.trail import TRAIL_NAME, read_trail
from scripts.clinical import Quantity
from scripts.screening import Screen
from scripts.screening.screen import Reader


def check_trails(output_dir: str) -> NoReturn:
    """Check every line of every reader's trail, and every mask that it tells of; then end, with a sentence for each.

    Raises:
        SystemExit: of code 0 where all holds, else with a sentence that names the first line or mask that does not.
    """
    folder = Path(output_dir)
    wrong = []
    for reader in readers_of(folder):
        path = folder / FOLDER / reader / TRAIL_NAME
        try:
            trail = read_trail(path)
            check_masks(path.parent)
        except ValueError as error:
            wrong.append(str(error))
            continue
        torn = " Its last line was not written whole, and counts for nothing." if trail.torn else ""
        print(f"{path}: {len(trail.entries)} lines, whole and in order; the last is {trail.head}.{torn}")
    if wrong:
        raise SystemExit("\n".join(wrong))
    if not readers_of(folder):
        print(f"{folder}: nobody has reviewed these results yet.")
    raise SystemExit(0)


def review(
    results: ScreenedResults,
    screen: Screen,
    film_reader: Reader,
    quantities: Sequence[Quantity],
    reader: str,
    port: int,
    confirm_first: bool,
    export_dir: str | None,
    agreement: bool,
) -> None:
    """Serve a reader's page on 127.0.0.1, until Ctrl-C; or write out what was reviewed.

    Args:
        results: of the screening.
        screen: made them, and gives the corrected numbers.
        film_reader: of radiographs at their full size.
        quantities: of which there are values.
        reader: a pseudonym.
        port: 0 takes a free one.
        confirm_first: hold estimates back until a hip is confirmed.
        export_dir: write what the reader confirmed there, to be learnt from, and serve nothing.
        agreement: write how far the readers agree, and serve nothing.

    Raises:
        ValueError: where the reader's pseudonym is none, the trail does not hold, or there is nothing to write.
        BusyError: where this reader's review is open already.
        OSError: where the port is taken.
    """
    check_reader(reader)
    path = results.folder / FOLDER / reader / TRAIL_NAME
    if read_trail(path).torn:
        print(
            f"{path}: the last line was not written whole, as when power fails or a process is killed. It was cut off: nobody "
            "had been told that it was saved.",
            file=sys.stderr,
        )
    shelf = FilmShelf(results, film_reader)
    if agreement:
        return write_agreement(results, shelf)
    session = Session(results, shelf, reader)
    try:
        if export_dir:
            return export_corrections(session, shelf, Path(export_dir))
        page = ReviewPage(session, shelf, NumbersOfReview(session, screen, quantities), confirm_first)
        _serve(page, port)
    finally:
        session.close()


def _serve(page: ReviewPage, port: int) -> None:
    server = ReviewServer(page, port)
    results, trail = page.results, page.session.writer
    for name, why in results.lost.items():
        print(f"{name}: {why}", file=sys.stderr)
    with server:
        print(f"Reader {page.session.reader}, {len(results.studies)} studies: open {server.address}", flush=True)
        print("Only this machine can connect. Ctrl-C ends it; all is saved as soon as the page says so.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    undecided = sum(bool(page.session.open_hips(name)) for name in results.films)
    print(
        f"{trail.path}: {len(trail.trail.entries)} lines, the last is {trail.trail.head}. {undecided} of {len(results.films)} "
        "films are open; the same command goes on."
    )
