"""The main job: fetches from a PACS, screens what is pending, and ends with one sentence where it could not do all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from ignite.engine import Engine
from ignite.handlers.tqdm_logger import ProgressBar

from scripts.apps.cli import check_extra
from scripts.dataset.listing import NoRadiographsError, list_radiographs
from scripts.results.writer import ResultsWriter

if TYPE_CHECKING:
    from scripts.apps.pacs.fetch import Fetched


def fetch_first(dataset_dir: str, server: str | None, **query: Any) -> Fetched | None:
    """Fetch the radiographs of a PACS, where one is named; what does not come keeps none from being screened that is there.

    Args:
        dataset_dir, server, query: see `scripts.apps.pacs.fetch.fetch`.

    Returns:
        What came; None where no server is named.

    Raises:
        ValueError, OSError: as `fetch`.
        SystemExit: where there is nothing to screen; without an error (exit code 0) where the server has nothing new either.
    """
    if not server:
        return None
    check_extra("--server", "pacs")
    from scripts.apps.pacs.fetch import fetch

    fetched = fetch(dataset_dir, server, **query)
    print(fetched.told(), file=sys.stdout if fetched.complete else sys.stderr, flush=True)
    try:
        list_radiographs(dataset_dir)
    except NoRadiographsError:
        if not fetched.complete:
            raise SystemExit("Nothing was screened.") from None
        print("There is nothing to screen.", flush=True)
        raise SystemExit(0) from None
    return fetched


def tell_what_is_missing(fetched: Fetched | None) -> None:
    """End a run as failed (exit code 1) where not all came from the PACS.

    Raises:
        SystemExit
    """
    if fetched is not None and not fetched.complete:
        raise SystemExit(f"What lay in the folder was screened, but not all had come: {fetched.told()}")


def screen_pending(evaluator: Engine | None, writer: ResultsWriter, bar: ProgressBar) -> None:
    """Run the evaluator over the studies that are not in the ledger yet, and write all results.

    Args:
        evaluator: with the pending radiographs and the writer among its handlers; None where nothing is pending.
        writer: its ledger is open.
        bar: the evaluator's.

    Raises:
        SystemExit: where the disk is full or fails (exit code 1), or on Ctrl-C (130). What was finished is kept.
    """
    try:
        if evaluator is not None:
            evaluator.run()
        writer.finish()
    except OSError as error:  # radiographs that cannot be read are refused: only writing fails here
        _stop(writer, bar, f"cannot be written: {error.strerror or type(error).__name__}", "Make room, or mend it, and run", 1)
    except KeyboardInterrupt:
        _stop(writer, bar, "the run was stopped", "Run", 130)


def _stop(writer: ResultsWriter, bar: ProgressBar, found: str, then: str, code: int) -> NoReturn:
    if bar.pbar is not None:  # else it would be drawn again below the sentence
        bar.pbar.close()
    ledger = writer.ledger
    wanted = ledger.finished() + len(ledger.pending())
    print(
        f"\n{ledger.output_dir}: {found}. {ledger.finished()} of {wanted} radiographs are finished and safe in the journal "
        f"there; the tables are not written yet. {then} the same command again: it goes on where it stopped.",
        file=sys.stderr,
        flush=True,
    )
    raise SystemExit(code)
