"""Evaluation: comparing what the bundle finds with masks, landmarks and DXA; metrics, figures and tables."""

from scripts.evaluation.inference import read_inference
from scripts.evaluation.truth import held_out_radiographs
from scripts.evaluation.writer import EvaluationWriter

__all__ = ["EvaluationWriter", "held_out_radiographs", "read_inference"]
