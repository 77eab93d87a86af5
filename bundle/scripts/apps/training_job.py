"""A training as a command: it ends with one sentence where it cannot go on, or where the user stops it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from ignite.engine import Engine

from scripts.apps.endings import STOPPED
from scripts.training.checkpoint import LAST


def run_training(trainer: Engine, evaluator: Engine, output_dir: str) -> None:
    """Train to the end.

    Args:
        trainer: resumes from the checkpoint in ``output_dir`` by itself.
        evaluator: validates.
        output_dir: where the checkpoints are.

    Raises:
        SystemExit: of code 130 after Ctrl-C.
    """
    for engine in (trainer, evaluator):  # an error is told once, at the end
        engine.logger.addFilter(lambda record: record.levelno < logging.ERROR)
    try:
        trainer.run()
    except KeyboardInterrupt:
        last = Path(output_dir) / LAST
        kept = f"what was learnt until the last whole epoch is safe in {last}" if last.is_file() else "no epoch was finished yet"
        print(
            f"\nThe training was stopped in epoch {trainer.state.epoch}; {kept}. Give the same command again: it goes on from "
            "there.",
            file=sys.stderr,
            flush=True,
        )
        raise SystemExit(STOPPED) from None
