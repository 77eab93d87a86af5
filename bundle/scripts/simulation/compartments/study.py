"""The study of what bone holds: simulated people, measured by parallel workers, and what comes of it on disk."""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd
import torch
from tqdm import tqdm

from scripts.simulation.compartments.hip import measure_hip
from scripts.simulation.compartments.relations import (
    describe,
    relate_measures,
    relate_sets,
    relate_together,
    share_in_cortex,
    weigh,
)
from scripts.simulation.compartments.report import Study, write_study
from scripts.simulation.production import check_whole

FEWEST: Final = 40
"""People; with fewer, there may be none of one sex for some of the ten folds."""


def measure_compartments(output_dir: str, people: int = 400, seed: int = 0, workers: int | None = None) -> Study:
    """Measure the right hips of simulated people of 50 years and older, none of them diseased, and relate what they hold with the
    aBMD that DXA reads of them; write ``compartments.md``, ``.csv``, ``.json`` and ``.png``.

    Args:
        output_dir: folder to write to.
        people: how many, at least `FEWEST`.
        seed: of the people.
        workers: processes; one for each processor core when None.

    Returns:
        What was found.

    Raises:
        ValueError: an argument is out of its range.
        OSError: the folder cannot be written, or a worker died; nothing was written.
    """
    check_whole("people", people, FEWEST)
    check_whole("seed", seed, 0)
    if workers is not None:
        check_whole("workers", workers, 1)
    if not output_dir:
        raise ValueError("No output_dir given: name the folder to write to. Nothing was written.")
    start = time.monotonic()
    hips = pd.DataFrame(_measured(people, seed, min(workers or os.cpu_count() or 1, people)))
    study = Study(
        settings={"people": people, "seed": seed},
        described=describe(hips),
        relations=[*relate_measures(hips), *relate_sets(hips, seed)],
        shares=share_in_cortex(hips),
        worths=weigh(hips),
        together=relate_together(hips),
    )
    page = write_study(study, Path(output_dir))
    told = {one.people: one.r for one in study.relations if (one.what, one.site) == ("all geometry", "total")}
    print(
        f"{people} simulated people in {time.monotonic() - start:.0f} s: all geometry together tells total-hip aBMD with r = "
        f"{told['all']:.2f} (women {told['women']:.2f}, men {told['men']:.2f}). Tables and figure: {page}"
    )
    return study


def _measured(people: int, seed: int, workers: int) -> list[dict[str, Any]]:
    with ProcessPoolExecutor(workers, initializer=_become_worker) as pool:
        try:
            found = pool.map(partial(measure_hip, seed=seed), range(people))
            return list(tqdm(found, total=people, desc="people", unit="", file=sys.stderr))
        except BrokenProcessPool as error:
            raise OSError(
                "A worker was killed, most likely for lack of memory; give it fewer --workers. Nothing was written."
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _become_worker() -> None:
    torch.set_num_threads(1)
    # Ctrl-C reaches every process of a terminal; the parent ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
