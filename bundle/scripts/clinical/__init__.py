"""Clinical meaning of measurements: T- and Z-scores, categories, the quality gate and the reasons for refusals. No torch."""

from scripts.clinical.anatomy import COVARIATES, HIP, NETWORK_SPACING_MM
from scripts.clinical.calibration import Calibration, load_calibration
from scripts.clinical.diagnosis import Category, Criteria, Expectation, classify, load_criteria
from scripts.clinical.dxa_makers import OURS, Maker, convert_bmd, quantities_on_scale
from scripts.clinical.facts import RadiographFacts
from scripts.clinical.findings import CHANNELS, QUANTITIES, Channels, Of, Quantity, Source, Values
from scripts.clinical.follow_up import LEAST_SIGNIFICANT, Change, Precision, judge_change, load_precision
from scripts.clinical.frax import FraxNeck
from scripts.clinical.gate import FOREMOST, Gate, load_gate
from scripts.clinical.limits import Limits
from scripts.clinical.lowest_t import LowestT
from scripts.clinical.outcomes import Caution, Code, Doubt, Reason, RefusedError
from scripts.clinical.reference import Reference, load_reference
from scripts.clinical.screening import Estimate, Hip, Lowest, Screening, interpret
from scripts.clinical.triage import Thresholds, Triage, find_thresholds
from scripts.clinical.uncertainty import Uncertainty, load_uncertainty

__all__ = [
    "CHANNELS",
    "COVARIATES",
    "FOREMOST",
    "HIP",
    "LEAST_SIGNIFICANT",
    "NETWORK_SPACING_MM",
    "OURS",
    "QUANTITIES",
    "Calibration",
    "Category",
    "Caution",
    "Change",
    "Channels",
    "Code",
    "Criteria",
    "Doubt",
    "Estimate",
    "Expectation",
    "FraxNeck",
    "Gate",
    "Hip",
    "Limits",
    "Lowest",
    "LowestT",
    "Maker",
    "Of",
    "Precision",
    "Quantity",
    "RadiographFacts",
    "Reason",
    "Reference",
    "RefusedError",
    "Screening",
    "Source",
    "Thresholds",
    "Triage",
    "Uncertainty",
    "Values",
    "classify",
    "convert_bmd",
    "find_thresholds",
    "interpret",
    "judge_change",
    "load_calibration",
    "load_criteria",
    "load_gate",
    "load_precision",
    "load_reference",
    "load_uncertainty",
    "quantities_on_scale",
]
