"""Clinical meaning of measurements: T- and Z-scores, categories, the quality gate and the reasons for refusals. No torch."""

from scripts.clinical.anatomy import COVARIATES, HIP, NETWORK_SPACING_MM
from scripts.clinical.channels import CHANNELS, HIP_CHANNELS, PICTURE_CHANNELS
from scripts.clinical.diagnosis import Category, Criteria, Expectation, Triage, classify, load_criteria
from scripts.clinical.facts import Exposure, RadiographFacts
from scripts.clinical.gate import Gate, load_gate
from scripts.clinical.limits import Limits
from scripts.clinical.outcomes import Code, Reason, RefusedError
from scripts.clinical.reference import Reference, load_reference
from scripts.clinical.screening import Estimate, Hip, Lowest, Screening, interpret

__all__ = [
    "CHANNELS",
    "COVARIATES",
    "HIP",
    "HIP_CHANNELS",
    "NETWORK_SPACING_MM",
    "PICTURE_CHANNELS",
    "Category",
    "Code",
    "Criteria",
    "Estimate",
    "Expectation",
    "Exposure",
    "Gate",
    "Hip",
    "Limits",
    "Lowest",
    "RadiographFacts",
    "Reason",
    "Reference",
    "RefusedError",
    "Screening",
    "Triage",
    "classify",
    "interpret",
    "load_criteria",
    "load_gate",
    "load_reference",
]
