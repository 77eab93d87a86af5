"""What on a radiograph spoke for or against osteoporosis, by the classifier: Grad-CAM and guided Grad-CAM of both hips."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from monai.visualize import GradCAM, VanillaGrad
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from scripts.screening.findings import Seen


@dataclass(frozen=True)
class Explanation:
    """Of one radiograph.

    logit: of osteoporosis, by the classifier alone. valid: of the right and the left hip, whether it is measured. coarse: (2,
    rows, cols), Grad-CAM of their crops, 0 to 1, where 1 is the strongest of both; fine: alike, guided Grad-CAM. Both mark what
    speaks for the side that the logit takes: for osteoporosis above 0, against it below.
    """

    logit: float
    valid: tuple[bool, ...]
    coarse: Tensor
    fine: Tensor


class Explainer:
    """Explains what a classifier of the cascade says.

    Sources: Selvaraju et al., ICCV 2017 (Grad-CAM, and guided); Springenberg et al., ICLR workshop 2015 (guided backpropagation).

    Args:
        network: the cascade.
        head: name of the classifier in it.
        layer: of the classifier, whose channels are weighed; its resolution is that of Grad-CAM.

    Raises:
        ValueError: where the cascade has no such head, or that no such layer.
    """

    def __init__(self, network: Any, head: str = "siamese", layer: str = "encoder.backbone.layer4") -> None:
        if head not in network.heads:
            raise ValueError(
                f"head {head}: the cascade has {', '.join(network.heads)}; expected one of these. Nothing was explained."
            )
        self.classifier: nn.Module = network.heads[head]
        if layer not in dict(self.classifier.named_modules()):
            raise ValueError(f"layer {layer}: head {head} has none of that name. Nothing was explained.")
        self.layer = layer

    def __call__(self, seen: Seen) -> Explanation | None:
        """Explain one radiograph; None where neither hip is measured."""
        return self.explain(self.classifier, seen)

    def explain(self, classifier: nn.Module, seen: Seen) -> Explanation | None:
        """The same by another classifier of the same build, such as one whose weights are drawn at random."""
        if not any(hip.reason is None for hip in seen.screening.hips):
            return None
        told = told_of(seen, next(classifier.parameters()).device)
        crops = told.pop("crops")
        with torch.enable_grad():
            judged = _Judged(copy.deepcopy(classifier).eval(), told)
            with torch.no_grad():
                logit = float(judged(crops)[0, 1])
            side = int(logit > 0)
            coarse = GradCAM(judged, f"classifier.{self.layer}", postprocessing=nn.Identity())(crops.clone(), side)[:, 0]
            _guide(judged)
            fine = coarse * VanillaGrad(judged)(crops.clone(), side)[0].abs()
        shown = told["valid"][0] > 0
        coarse, fine = (_scaled(torch.where(shown.view(2, 1, 1), found.detach(), 0.0)).cpu() for found in (coarse, fine))
        return Explanation(logit, tuple(shown.tolist()), coarse, fine)


def told_of(seen: Seen, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """What a classifier was told of a radiograph whose refused hips are left out: see `scripts.networks.Head.estimate`."""
    prediction: Mapping[str, Tensor] = seen.prediction
    valid = torch.tensor([[float(hip.reason is None) for hip in seen.screening.hips]])
    told = {key: prediction[key][None].float() for key in ("crops", "around", "poses")}
    told |= {key: told[key] * valid.view(1, 2, 1, 1) for key in ("crops", "around")}
    told |= {"valid": valid, "covariates": seen.covariates[None].float()}
    return {key: value.to(device) for key, value in told.items()}


def on_image(values: Tensor, transform: Tensor, shape: tuple[int, int]) -> Tensor:
    """A map of a hip's crop (rows, cols) on the image, (H, W), 0 beyond the crop.

    Args:
        values: of the crop.
        transform: (2, 3), image (row, col) = A @ (crop row, crop col, 1).
        shape: (H, W).
    """
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[:2] = transform.double()
    rows, cols = values.shape
    # To coordinates of -1 to 1, in the order (x, y) that PyTorch's sampling takes; pixel centres count.
    flip = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    from_unit, to_unit = _unit(shape).inverse(), _unit((rows, cols))
    theta = flip @ to_unit @ matrix.inverse() @ from_unit @ flip
    grid = affine_grid(theta[None, :2].float(), [1, 1, *shape], align_corners=True)
    return grid_sample(values[None, None].float(), grid, align_corners=True)[0, 0]


def _unit(shape: tuple[int, int]) -> Tensor:
    """From (row, col) of pixels to -1 to 1, homogeneous."""
    rows, cols = (max(size - 1, 1) for size in shape)
    return torch.tensor([[2 / rows, 0.0, -1.0], [0.0, 2 / cols, -1.0], [0.0, 0.0, 1.0]], dtype=torch.float64)


class _Judged(nn.Module):
    """A classifier of crops alone, all else given: logits against and for osteoporosis, (1, 2)."""

    def __init__(self, classifier: nn.Module, told: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.classifier, self.told = classifier, told

    def forward(self, crops: Tensor) -> Tensor:
        logit = self.classifier(crops=crops, **self.told)["logit"]
        return torch.cat((-logit, logit), dim=1)


def _guide(network: nn.Module) -> None:
    """Let only positive gradients pass back through every ReLU (MONAI's own guidance knows them by their names alone)."""
    for part in network.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
            part.register_full_backward_hook(_only_positive)


def _only_positive(part: nn.Module, inward: Any, outward: Any) -> tuple[Tensor]:
    return (inward[0].clamp(min=0.0),)


def _scaled(found: Tensor) -> Tensor:
    return found / found.max().clamp(min=1e-12)
