"""The main job: screens what is pending, and ends with one sentence where the disk fails or the user stops it."""

from __future__ import annotations

import sys
from typing import NoReturn

from ignite.engine import Engine
from ignite.handlers.tqdm_logger import ProgressBar

from scripts.results.writer import ResultsWriter


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
