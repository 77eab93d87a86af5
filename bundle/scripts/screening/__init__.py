"""The screen: one way from radiographs to findings, its scale finding, studies, ledger, provenance and weights."""

from scripts.screening.correction import CORRECTION, Correction, find_middle
from scripts.screening.dxa_scale import AddScaledBmdd
from scripts.screening.explanation import Explainer, Explanation
from scripts.screening.findings import Findings, RadiographFindings, Seen, StudyFindings
from scripts.screening.interpretation import DrawMaskd, Interpretd
from scripts.screening.ledger import Ledger
from scripts.screening.loader import StudyDataset
from scripts.screening.mineral_map import MineralMap, MineralMapper
from scripts.screening.provenance import describe_run
from scripts.screening.screen import Screen, ScreeningInferer, load_screen
from scripts.screening.second_reader import SecondReader
from scripts.screening.weights import load_part, load_weights

__all__ = [
    "CORRECTION",
    "AddScaledBmdd",
    "Correction",
    "DrawMaskd",
    "Explainer",
    "Explanation",
    "Findings",
    "Interpretd",
    "Ledger",
    "MineralMap",
    "MineralMapper",
    "RadiographFindings",
    "Screen",
    "ScreeningInferer",
    "SecondReader",
    "Seen",
    "StudyDataset",
    "StudyFindings",
    "describe_run",
    "find_middle",
    "load_part",
    "load_screen",
    "load_weights",
]
