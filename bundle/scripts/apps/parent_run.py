"""Runs a command as one MLflow run, below which every run that the command starts is nested.

    python -m scripts.apps.parent_run --name training --output_dir OUT COMMAND...

The same again with the same folder goes on in the same run.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.training.provenance import versions
from scripts.training.tracking import NOTE, PARENT_RUN, TrackedRun


def run_nested(command: Sequence[str], name: str, output_dir: str) -> None:
    """Run a command to its end.

    Args:
        command: program and arguments. SIGTERM is passed on to it.
        name: begins that of the run.
        output_dir: where the run is noted.

    Raises:
        SystemExit: when the command fails, with its exit code.
    """
    with parent_run(Path(output_dir), name, versions()):
        if code := run_to_end(command):
            raise SystemExit(code)


@contextmanager
def parent_run(output_dir: Path, name: str, provenance: Mapping[str, Any]) -> Iterator[TrackedRun]:
    """An MLflow run, below which those lie that begin within, also in other processes; FINISHED unless something is raised.

    Args:
        output_dir: where it is noted; the same again goes on in the same run.
        name: begins its own.
        provenance: becomes its parameters.
    """
    run = TrackedRun(output_dir, run_name=f"{name}-{time.strftime('%Y%m%d-%H%M%S')}", provenance=provenance)
    run.open(output_dir / NOTE, goes_on=True)
    above = os.environ.get(PARENT_RUN)
    os.environ[PARENT_RUN] = run.run_id
    try:
        yield run
    finally:
        os.environ.pop(PARENT_RUN) if above is None else os.environ.update({PARENT_RUN: above})
    run.close()


def run_to_end(command: Sequence[str]) -> int:
    """Run a command, and let it end in its own way where this process is stopped.

    Args:
        command: program and arguments.

    Returns:
        its exit code.

    Raises:
        SystemExit: of code 130 after Ctrl-C, which the command got too, and told of; of 143 after SIGTERM, which is passed on.
    """
    process = subprocess.Popen(command)
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise SystemExit(130) from None
    except SystemExit:
        process.terminate()
        process.wait()
        raise
    finally:
        if before is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True)
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    run_nested(given.command, given.name, given.output_dir)
