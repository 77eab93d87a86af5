"""Hip crops for the classifier and the BMD regressor, made as the cascade makes them."""

from collections.abc import Hashable, Mapping
from typing import Any, Protocol

import torch
from monai.transforms import RandomizableTransform
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.training.jitter import LandmarkJitter


class Localiser(Protocol):
    """What a `scripts.networks.HipLocaliser` has and does."""

    crop_rows: int
    crop_cols: int

    def fit(self, points: Tensor, confidence: Tensor) -> Tensor: ...  # noqa: D102
    def poses(self, transforms: Tensor, spacing_mm: float) -> Tensor: ...  # noqa: D102
    def sample(self, image: Tensor, transforms: Tensor) -> Tensor: ...  # noqa: D102


class RandHipCropsd(RandomizableTransform):
    """Replaces a film by the canonical crops of its hips, with landmarks as uncertain as a segmentation network's.

    Adds "poses" (2, 2) and "valid" (2,): 1 for a hip whose landmarks, the shaft's aside, are all visible and that holds no
    metal. The targets of what is not valid become NaN: "bmd" (2, 2) of that hip, and "osteoporosis" (1,) when no hip is left.

    Args:
        localiser: the cascade's own, so that training and inference resample alike.
        spacing_mm: pixel spacing of the film.
        jitter: errors of the landmarks that place the crops; none where None.
        implant_threshold: fraction of metal in the femur's mask from which a hip is not valid.
    """

    def __init__(
        self,
        localiser: Localiser,
        spacing_mm: float = 0.3,
        jitter: LandmarkJitter | None = None,
        implant_threshold: float = 0.05,
    ) -> None:
        super().__init__(prob=1.0)
        self.localiser = localiser
        self.spacing_mm = spacing_mm
        self.jitter = jitter or LandmarkJitter()
        self.implant_threshold = implant_threshold

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with "image" (2, rows, cols), "poses" and "valid" instead of the film, mask and landmarks."""
        film = torch.as_tensor(data["image"]).float()[None]
        points = torch.as_tensor(data["landmarks"]).float()[None]
        visible = torch.isfinite(points).all(dim=3)
        points, weight = torch.nan_to_num(points), visible.float()
        valid = visible[:, :, : HIP.locating].all(dim=2).float()
        if "label" in data:
            valid = valid * (self._metal(torch.as_tensor(data["label"])[None], points, weight) < self.implant_threshold)
        guessed = self.jitter.apply(points[0], weight[0], self.spacing_mm, self.R)
        transforms = self.localiser.fit(guessed[None], weight)
        crops = self.localiser.sample(film, transforms)[0, :, 0]
        poses = self.localiser.poses(transforms, self.spacing_mm)[0]
        rest = {key: value for key, value in data.items() if key not in ("image", "label", "landmarks")}
        unknown = torch.tensor(float("nan"))
        rest["bmd"] = torch.where(valid[0].view(2, 1) > 0, torch.as_tensor(data["bmd"]), unknown)
        rest["osteoporosis"] = torch.where(valid[0].max() > 0, torch.as_tensor(data["osteoporosis"]), unknown)
        return {**rest, "image": crops * valid[0].view(2, 1, 1), "poses": poses, "valid": valid[0]}

    def _metal(self, classes: Tensor, points: Tensor, weight: Tensor) -> Tensor:
        masks = torch.cat((classes == 1, classes > 1), dim=1).float()
        area = self.localiser.sample(masks, self.localiser.fit(points, weight)).sum(dim=(3, 4))
        return area[:, :, 1] / area.sum(dim=2).clamp(min=1.0)


class RandUnknownd(RandomizableTransform):
    """Hides covariates at random, so that a network does well without them.

    Args:
        key: (4,) covariates.
        each: probability of hiding each one.
        all_of_them: probability of hiding all.
    """

    def __init__(self, key: Hashable = "covariates", each: float = 0.15, all_of_them: float = 0.15) -> None:
        super().__init__(prob=1.0)
        self.key, self.each, self.all_of_them = key, each, all_of_them

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with NaN in place of the hidden covariates."""
        covariates = torch.as_tensor(data[self.key]).float()
        hidden = torch.as_tensor(self.R.random(covariates.shape) < self.each)
        hidden |= bool(self.R.random() < self.all_of_them)
        return {**data, self.key: torch.where(hidden, torch.tensor(float("nan")), covariates)}
