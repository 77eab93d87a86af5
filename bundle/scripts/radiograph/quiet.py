"""Silence of the reading libraries while one file is read."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LOGGERS: Final = (
    *("pydicom", "pydicom.pixels.utils", "pydicom.pixels.decoders.base"),
    *("libjpeg", "openjpeg", "openjpeg.utils", "openjpeg.encode"),
    *("PIL.Image", "PIL.ImageFile", "PIL.PngImagePlugin", "PIL.TiffImagePlugin", "nibabel.global"),
)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings and log lines of the reading libraries from the output, while one file is read.

    They quote values from the header, which may name the patient; what matters of them is said by the reader's own
    assumptions and refusals. Neither warnings nor loggers belong to a thread: use it in one thread of a process.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.disabled for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Not their levels: changing one empties the caches of every logger, which takes longer than a radiograph.
        for logger in loggers:
            logger.disabled = True
        try:
            yield
        finally:
            for logger, disabled in zip(loggers, before, strict=True):
                logger.disabled = disabled
