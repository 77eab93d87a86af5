"""Evaluation: comparing what the bundle finds with masks, landmarks and DXA; metrics, figures and tables."""

from scripts.evaluation.accuracy.writer import EvaluationWriter

__all__ = ["EvaluationWriter"]
