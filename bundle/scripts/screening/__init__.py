"""The screen: one way from radiographs to findings, its scale finding, studies, ledger, provenance and weights."""

from scripts.screening.configured import read_inference
from scripts.screening.engine import FilmLoader, ScreeningInferer, screen
from scripts.screening.interpretation import FilmMaskd, Interpretd
from scripts.screening.ledger import Ledger
from scripts.screening.provenance import describe_run
from scripts.screening.weights import load_weights

__all__ = [
    "FilmLoader",
    "FilmMaskd",
    "Interpretd",
    "Ledger",
    "ScreeningInferer",
    "describe_run",
    "load_weights",
    "read_inference",
    "screen",
]
