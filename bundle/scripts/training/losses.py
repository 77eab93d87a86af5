"""Losses of the trainings. Unknown targets are NaN and count for nothing."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import Tensor, nn

from scripts.training.processes import mean_over_processes


def heat_maps(landmarks: Tensor, rows: int, cols: int, sigma: float) -> Tensor:
    """Draw a Gaussian of height 1 at every landmark.

    Args:
        landmarks: (B, ..., 2), (row, col) in pixels; NaN = not visible, which gives an empty map.
        rows: height of the maps.
        cols: width of the maps.
        sigma: standard deviation, pixels.

    Returns:
        (B, N, rows, cols).
    """
    points = landmarks.flatten(1, -2)
    visible = torch.isfinite(points).all(dim=2).to(points.dtype).view(*points.shape[:2], 1, 1)
    points = torch.nan_to_num(points)
    row = torch.exp(-((torch.arange(rows, device=points.device) - points[..., :1]) ** 2) / (2 * sigma**2))
    col = torch.exp(-((torch.arange(cols, device=points.device) - points[..., 1:]) ** 2) / (2 * sigma**2))
    return row.unsqueeze(3) * col.unsqueeze(2) * visible


class SegmentationLoss(nn.Module):
    """Overlap and cross-entropy of the masks, plus the weighted cross-entropy of the landmark heat maps.

    Where the logits have one more map, it is that of where a femur is broken; its overlap and cross-entropy are added.

    Args:
        masks: number of mask channels.
        sigma: standard deviation of the heat maps, pixels.
        peak_weight: weight of a heat map's peak against its background, which fills 99.7% of it.
        heat_weight: weight of the heat maps against the masks.
        mask_weights: weight of the pixels inside each mask; metal is rare, and is never found without.
        overlap: loss of the masks' logits (B, masks, h, w) against how much of a pixel each covers; Dice if None.
        overlap_weight: weight of the overlap against the rest.
        fracture_weight: weight of the map of where a femur is broken.
    """

    mask_weights: Tensor

    def __init__(
        self,
        masks: int = 3,
        sigma: float = 7.5,
        peak_weight: float = 50.0,
        heat_weight: float = 3.0,
        mask_weights: Sequence[float] = (1.0, 8.0, 20.0),
        overlap: nn.Module | None = None,
        overlap_weight: float = 1.0,
        fracture_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.register_buffer("mask_weights", torch.tensor(mask_weights).view(1, -1, 1, 1), persistent=False)
        self.masks, self.sigma, self.peak_weight = masks, sigma, peak_weight
        self.heat_weight, self.overlap_weight, self.fracture_weight = heat_weight, overlap_weight, fracture_weight
        # A class that a batch lacks (most lack metal) must not dominate: 100 pixels count as agreement.
        self.overlap = overlap or DiceLoss(sigmoid=True, batch=True, smooth_nr=100.0, smooth_dr=100.0)

    def forward(self, logits: Tensor, target: Mapping[str, Tensor]) -> Tensor:
        """Compute the loss.

        Args:
            logits: (B, masks + N, h, w), or one map more.
            target: "label" (B, masks, h, w), or one more, how much of a pixel each class covers, 0..1; and "landmarks"
                (B, ..., 2), N of them, in pixels, NaN = not visible.

        Returns:
            scalar.
        """
        logits = logits.float()
        label = target["label"].to(logits.dtype)
        masks, landmarks = label[:, : self.masks], target["landmarks"].flatten(1, -2).shape[1]
        # Heat maps are smooth: half their resolution teaches as much at a quarter of the cost.
        peaks = F.avg_pool2d(logits[:, self.masks : self.masks + landmarks], 2)
        heat = heat_maps((target["landmarks"] - 0.5) / 2, peaks.shape[2], peaks.shape[3], self.sigma / 2)
        weight = 1.0 + self.peak_weight * heat
        heat_loss = F.binary_cross_entropy_with_logits(peaks, heat, weight, reduction="sum")
        broken, fracture = logits[:, self.masks + landmarks :], logits.new_zeros(())
        if broken.shape[1]:
            zone = label[:, self.masks :]
            fracture = self.overlap(broken, zone) + F.binary_cross_entropy_with_logits(broken, zone)
        return (
            self.overlap_weight * self.overlap(logits[:, : self.masks], masks)
            + self.fracture_weight * fracture
            + F.binary_cross_entropy_with_logits(logits[:, : self.masks], masks, pos_weight=self.mask_weights.to(logits.device))
            + self.heat_weight * mean_over_processes(heat_loss, weight.sum())
        )


class SiameseLoss(nn.Module):
    """Cross-entropy over the patients whose label is known, and a triplet loss of what the network sees in their hips.

    Of each patient of a batch another one of the same label, drawn at random, is to lie nearer than one of the other label, by a
    margin (Schroff et al., CVPR 2015); so Kim et al. (Radiology: AI 2022, ryai.210212) train. Where patients with osteoporosis
    are shown oftener than they occur, every logit is compared as if raised by the logarithm of how much oftener, so that it means
    the probability among all (Menon et al., ICLR 2021, of classes' logits).

    Args:
        triplet_weight: of the triplet loss; the published one is 2.
        margin: distance of deep features.
        log_odds: by which the odds of osteoporosis among those who are shown exceed those among all, see `Oversampled`.
    """

    def __init__(self, triplet_weight: float = 2.0, margin: float = 1.0, log_odds: float = 0.0) -> None:
        super().__init__()
        self.triplet_weight, self.margin, self.log_odds = triplet_weight, margin, log_odds

    def forward(self, predicted: Mapping[str, Tensor], label: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            predicted: "logit" (B, 1) and "deep" (B, F), as of a `scripts.networks.SiameseNetwork`.
            label: (B, 1), 0, 1 or NaN.

        Returns:
            scalar.
        """
        known = torch.isfinite(label[:, 0])
        logit, deep, ill = predicted["logit"].float()[known, 0], predicted["deep"].float()[known], label[known, 0]
        entropy = F.binary_cross_entropy_with_logits(logit + self.log_odds, ill, reduction="sum")
        loss = mean_over_processes(entropy, known.sum())
        if self.triplet_weight and deep.shape[1]:
            apart, triplets = self._apart(deep, ill)
            loss = loss + self.triplet_weight * mean_over_processes(apart, triplets)
        return loss

    def _apart(self, deep: Tensor, ill: Tensor) -> tuple[Tensor, Tensor]:
        """The sum over patients with one like them and one unlike them, and how many these are."""
        alike = (ill[:, None] == ill[None]) & ~torch.eye(len(ill), dtype=torch.bool, device=ill.device)
        unlike = ill[:, None] != ill[None]
        anchors = (alike.any(dim=1) & unlike.any(dim=1)).nonzero()[:, 0]
        if not len(anchors):
            return deep.sum() * 0.0, ill.new_zeros(())
        near, far = (torch.multinomial(of[anchors].float(), 1)[:, 0] for of in (alike, unlike))
        apart = F.triplet_margin_loss(deep[anchors], deep[near], deep[far], margin=self.margin, reduction="sum")
        return apart, ill.new_tensor(float(len(anchors)))


class GaussianLoss(nn.Module):
    """beta-NLL (Seitzer et al., ICLR 2022): the Gaussian likelihood of each member, each term weighted by its SD^(2 beta).

    Args:
        beta: 0 is the plain likelihood, which neglects what it predicts badly; 1 has the gradient of a squared error.
        scale: what counts as one unit of each quantity, in its own unit, so that the loss is of order 1: one for all, or each.
    """

    def __init__(self, beta: float = 0.5, scale: float | Sequence[float] = 0.13) -> None:
        super().__init__()
        self.beta, self.scale = beta, scale

    def forward(self, predicted: Mapping[str, Tensor], truth: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            predicted: "members" (B, 2, K, Q, 2), means and standard deviations of both hips' quantities, as each member tells
                them.
            truth: (B, 2, Q), NaN = unknown.

        Returns:
            scalar.
        """
        members = predicted["members"]
        wanted = truth.unsqueeze(2).expand(members.shape[:-1])
        known = torch.isfinite(wanted)
        mean, sd = members.float()[known].unbind(dim=1)
        scale = torch.as_tensor(self.scale, device=truth.device).expand_as(wanted)[known]
        variance = (sd / scale) ** 2
        error = ((wanted[known] - mean) / scale) ** 2
        terms = 0.5 * (error / variance + torch.log(variance)) * variance.detach() ** self.beta
        return mean_over_processes(terms.sum(), known.sum())
