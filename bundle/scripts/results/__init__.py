"""The results of a run: pictures, tables, results.json and the HTML report, and the engine parts that produce them."""

from scripts.results.engine import FilmLoader, ScreeningInferer, screen
from scripts.results.hip_geometry import HipGeometryd
from scripts.results.job import screen_pending
from scripts.results.ledger import Ledger
from scripts.results.postprocessing import FilmMaskd, Interpretd
from scripts.results.provenance import describe_run
from scripts.results.writer import ResultsWriter

__all__ = [
    "FilmLoader",
    "FilmMaskd",
    "HipGeometryd",
    "Interpretd",
    "Ledger",
    "ResultsWriter",
    "ScreeningInferer",
    "describe_run",
    "screen",
    "screen_pending",
]
