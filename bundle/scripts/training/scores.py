"""What the validation metrics compare: pairs taken from an evaluator's output, without the unknown targets."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.metrics import EpochMetric
from monai.metrics import compute_roc_auc
from torch import Tensor

from scripts.networks.view import OUTPUTS

Output = Mapping[str, Any]


def is_better(metric: float, best: float) -> bool:
    """Whether a key metric beats the best so far; any number beats NaN (the AUC of patients of one class)."""
    return metric > best or (math.isnan(best) and not math.isnan(metric))


def femur_masks(output: Output) -> tuple[Tensor, Tensor]:
    """Take predicted and true femur masks, (B, 1, h, w) of 0 and 1, from a segmentation's output."""
    return (output["pred"][:, :1] > 0).float(), (output["label"]["label"][:, :1] > 0.5).float()


def fracture_peaks(output: Output) -> tuple[Tensor, Tensor]:
    """Take the highest logit of the last map, where a femur is broken, and whether it is, (N,) each, of a segmentation."""
    zones = output["label"]["label"][:, -1] > 0.5
    return output["pred"][:, -1].flatten(1).amax(dim=1), zones.flatten(1).any(dim=1).float()


class LandmarkErrors:
    """Takes the distances of predicted from true landmarks, mm, (N,), and the 0 that they should be, of the visible landmarks.

    Args:
        find: `scripts.networks.localisation.find_landmarks` of heat-map logits.
        masks: number of mask channels before the heat maps.
        spacing_mm: of the heat maps.
        radius_mm: as the cascade's.
    """

    def __init__(self, find: Callable[..., tuple[Tensor, Tensor]], masks: int, spacing_mm: float, radius_mm: float) -> None:
        self.find, self.masks, self.spacing_mm, self.radius = find, masks, spacing_mm, radius_mm / spacing_mm

    def __call__(self, output: Output) -> tuple[Tensor, Tensor]:
        """Return the pairs."""
        truth = output["label"]["landmarks"].flatten(1, -2)
        points, _ = self.find(output["pred"][:, self.masks : self.masks + truth.shape[1]], self.radius)
        distance = torch.linalg.vector_norm(points - truth, dim=2) * self.spacing_mm
        known = distance[torch.isfinite(distance)]
        return known, torch.zeros_like(known)


def known_labels(output: Output) -> tuple[Tensor, Tensor]:
    """Take a classifier's logits and labels, (N, 1), of the patients whose label is known."""
    known = torch.isfinite(output["label"][:, 0])
    return output["pred"]["logit"][known], output["label"][known]


class KnownQuantity:
    """Takes what a head predicts of one quantity, and the truth, (N,), of the hips that have both.

    Args:
        index: of the quantity in the head's output (B, 2, Q, ...), as of a `scripts.networks.RegressionHead`, of which the mean
            comes first; None where the output is the quantity, (B, 2).
        predicted: name of the head's output.
        label: name of the truth, where there are several.
    """

    def __init__(self, index: int | None = None, predicted: str = "estimates", label: str | None = None) -> None:
        self.index, self.predicted, self.label = index, predicted, label

    def __call__(self, output: Output) -> tuple[Tensor, Tensor]:
        """Return the pairs."""
        predicted = output["pred"][self.predicted]
        label = output["label"] if self.label is None else output["label"][self.label]
        if self.index is not None:
            predicted, label = predicted[:, :, self.index, 0], label[:, :, self.index]
        known = torch.isfinite(label)
        return predicted[known], label[known]


class ViewColumns:
    """Takes predicted and true values, (N,), of columns of a view network's output, where they are known.

    Args:
        names: of `scripts.networks.view.OUTPUTS`.
    """

    def __init__(self, *names: str) -> None:
        self.columns = [column for column, name in enumerate(OUTPUTS) if name in names]

    def __call__(self, output: Output) -> tuple[Tensor, Tensor]:
        """Return the pairs."""
        predicted, truth = output["pred"][:, self.columns].flatten(), output["label"][:, self.columns].flatten()
        known = torch.isfinite(truth)
        return predicted[known], truth[known]


class GatheredMetric(EpochMetric):
    """A function of all predicted and true values of an epoch, also where processes know different numbers of them.

    Ignite's own gathers equal numbers only, and rounds the result to single precision.
    """

    def compute(self) -> float:
        """Compute the function of what all processes know, in each of them."""
        shares: Any = idist.all_gather((torch.cat(self._predictions), torch.cat(self._targets)))
        predictions, targets = zip(*shares, strict=True)
        return self.compute_fn(torch.cat(predictions), torch.cat(targets))


def area_under_roc(predicted: Tensor, truth: Tensor) -> float:
    """AUC of scores (N,) against 0 and 1 (N,); NaN where either is absent, as where nothing is known."""
    if not 0 < int((truth > 0.5).sum()) < truth.numel():
        return math.nan
    return float(np.asarray(compute_roc_auc(predicted, truth)).item())


def correlation(predicted: Tensor, truth: Tensor) -> float:
    """Pearson's r of two (N,) tensors, in double precision; NaN for fewer than two pairs or where either does not vary."""
    return float(torch.corrcoef(torch.stack((predicted, truth)).double())[0, 1]) if truth.numel() > 1 else math.nan


def mean_absolute_error(predicted: Tensor, truth: Tensor) -> float:
    """Mean absolute difference of two (N,) tensors; NaN where there is none."""
    return float((predicted - truth).abs().mean()) if truth.numel() else math.nan
