"""Clinical meaning of measurements: T-scores, categories, the quality gate and the reasons for refusals. No torch."""

from scripts.clinical.channels import CHANNELS
from scripts.clinical.outcomes import Code, Reason, RefusedError

__all__ = ["CHANNELS", "Code", "Reason", "RefusedError"]
