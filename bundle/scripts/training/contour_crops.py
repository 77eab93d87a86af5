"""Crops of one hip for the segmentation network, placed as uncertainly as the cascade's first look places them."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import RandomizableTransform
from torch import Tensor

from scripts.training.hip_crops import Localiser
from scripts.training.jitter import LandmarkJitter

_METAL_SHARE = 0.85  # how often the hip with metal is drawn of two: metal is rare


class RandContourCropd(RandomizableTransform):
    """Replaces a film by the canonical crop of one of its hips.

    Returns "image" (1, rows, cols), "label" (3, rows, cols), 0..1, and "landmarks" (5, 2), (row, col) in pixels of the crop,
    NaN where a landmark is not on the film or not in the crop.

    Args:
        localiser: the cascade's own, so that training and inference resample alike.
        spacing_mm: pixel spacing of the film.
        random_side: draw one of the visible hips, one with metal more often; else the one with more visible landmarks.
        jitter: errors of the landmarks that place the crop; none where None.
        shear_sd: standard deviation of a shear, which makes hips of other shapes.
    """

    def __init__(
        self,
        localiser: Localiser,
        spacing_mm: float,
        random_side: bool = True,
        jitter: LandmarkJitter | None = None,
        shear_sd: float = 0.0,
    ) -> None:
        super().__init__(prob=1.0)
        self.localiser = localiser
        self.spacing_mm = spacing_mm
        self.random_side = random_side
        self.jitter = jitter or LandmarkJitter()
        self.shear_sd = shear_sd

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Crop."""
        points = torch.as_tensor(data["landmarks"]).float()
        visible = torch.isfinite(points).all(dim=2)
        weight = visible.float()
        label = torch.as_tensor(data["label"])
        side = self._side(points, visible, label)
        seen = points[side][visible[side]]
        guessed = self.jitter.apply(torch.nan_to_num(points), weight, self.spacing_mm, self.R)
        transforms = self.localiser.fit(guessed[None], weight[None])
        transform = transforms[0, side].clone()
        if self.shear_sd and len(seen):
            middle, shear = seen.mean(dim=0), self.R.normal(0.0, self.shear_sd, size=(2, 2))
            kept = to_crop(transform, middle)
            transform[:, :2] = transform[:, :2] @ (torch.eye(2) + torch.as_tensor(shear, dtype=torch.float32))
            transform[:, 2] += middle - to_film(transform, kept)
        crop = self._sampled(torch.as_tensor(data["image"]), label, transform)
        landmarks = to_crop(transform, torch.nan_to_num(points[side]))
        limit = torch.tensor(crop.shape[1:]) - 1
        inside = visible[side] & (landmarks >= 0).all(dim=1) & (landmarks <= limit).all(dim=1)
        rest = {key: value for key, value in data.items() if key not in ("image", "label", "landmarks")}
        landmarks = torch.where(inside.unsqueeze(1), landmarks, torch.tensor(float("nan")))
        return {**rest, "image": crop[:1], "label": crop[1:], "landmarks": landmarks}

    def _sampled(self, image: Tensor, label: Tensor, transform: Tensor) -> Tensor:
        """Sample the crop (4, rows, cols) from the part of the film that it needs: a copy of all of it would take longer."""
        rows, cols = self.localiser.crop_rows, self.localiser.crop_cols
        corners = to_film(transform, torch.tensor([[0.0, 0.0], [0.0, cols], [rows, 0.0], [rows, cols]]))
        size = torch.tensor(image.shape[1:])
        top, left = (corners.min(dim=0)[0].int() - 2).clamp(min=0).minimum(size - 1).tolist()
        bottom, right = (corners.max(dim=0)[0].int() + 3).clamp(min=1).minimum(size).tolist()
        part = (slice(None), slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1)))
        film = torch.cat((image[part].float(), label[part].float() / 255))
        moved = torch.cat((transform[:, :2], transform[:, 2:] - torch.tensor([[float(top)], [float(left)]])), dim=1)
        return self.localiser.sample(film[None], moved[None, None])[0, 0]

    def _side(self, points: Tensor, visible: Tensor, label: Tensor) -> int:
        if not self.random_side:
            return int(visible.sum(dim=1).argmax())
        sides = [side for side in range(2) if int(visible[side].sum()) >= 2]
        if len(sides) < 2:
            return sides[0] if sides else 0
        middle = int(torch.nan_to_num(points[visible].mean(dim=0)[1]))
        metal = [bool(half.any()) for half in (label[1:, :, :middle], label[1:, :, middle:])]
        if metal[0] != metal[1] and self.R.random() < _METAL_SHARE:
            return metal.index(True)
        return int(self.R.randint(2))


def to_film(transform: Tensor, points: Tensor) -> Tensor:
    """Crop points (..., 2) in film pixels; ``transform`` (2, 3) of `HipLocaliser.fit`."""
    return points @ transform[:, :2].T + transform[:, 2]


def to_crop(transform: Tensor, points: Tensor) -> Tensor:
    """Film points (..., 2) in crop pixels; NaN where the transform is degenerate, as that of a hip that is not there."""
    matrix = transform[:, :2]
    if abs(float(torch.linalg.det(matrix))) < 1e-6:
        return torch.full_like(points, float("nan"))
    return (points - transform[:, 2]) @ torch.linalg.inv(matrix).T
