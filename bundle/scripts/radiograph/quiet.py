"""Silence of the reading libraries while one file is read."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LOGGERS: Final = ("pydicom", "PIL", "nibabel", "nibabel.global", "pylibjpeg", "libjpeg", "openjpeg")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings and log lines of the reading libraries from the output, while one file is read.

    They quote values from the header, which may name the patient; what matters of them is said by the reader's own
    assumptions and refusals. Neither warnings nor loggers belong to a thread: use it in one thread of a process.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
