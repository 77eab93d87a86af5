"""Clinical meaning of measurements: T- and Z-scores, categories, the quality gate and the reasons for refusals. No torch."""

from scripts.clinical.anatomy import COVARIATES, HIP, NETWORK_SPACING_MM
from scripts.clinical.calibration import Calibration, load_calibration
from scripts.clinical.diagnosis import Category, Criteria, Expectation, Triage, classify, load_criteria
from scripts.clinical.facts import RadiographFacts
from scripts.clinical.findings import CHANNELS, QUANTITIES, Channels, Of, Quantity, Source, Values
from scripts.clinical.gate import Gate, load_gate
from scripts.clinical.limits import Limits
from scripts.clinical.outcomes import Caution, Code, Doubt, Reason, RefusedError
from scripts.clinical.reference import Reference, load_reference
from scripts.clinical.screening import Estimate, Hip, Lowest, Screening, interpret

__all__ = [
    "CHANNELS",
    "COVARIATES",
    "HIP",
    "NETWORK_SPACING_MM",
    "QUANTITIES",
    "Calibration",
    "Category",
    "Caution",
    "Channels",
    "Code",
    "Criteria",
    "Doubt",
    "Estimate",
    "Expectation",
    "Gate",
    "Hip",
    "Limits",
    "Lowest",
    "Of",
    "Quantity",
    "RadiographFacts",
    "Reason",
    "Reference",
    "RefusedError",
    "Screening",
    "Source",
    "Triage",
    "Values",
    "classify",
    "interpret",
    "load_calibration",
    "load_criteria",
    "load_gate",
    "load_reference",
]
