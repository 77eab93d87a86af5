"""Crops of hips, made as the cascade makes them and placed as uncertainly as its search places them."""

import copy
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import RandomizableTransform, Transform
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.networks.hips import Surroundings
from scripts.networks.localisation import HipLocaliser
from scripts.networks.sampling import sample_at
from scripts.training.appearance import smooth


@dataclass(frozen=True)
class LandmarkJitter:
    """Standard deviations of the errors of a hip's landmarks; all 0 changes nothing.

    Args:
        landmark_sd_mm: of each landmark, per axis.
        shift_sd_mm: of a shift common to a hip's landmarks.
        scale_sd: of their common magnification (natural logarithm).
        turn_sd_degrees: of their common rotation.
    """

    landmark_sd_mm: float = 0.0
    shift_sd_mm: float = 0.0
    scale_sd: float = 0.0
    turn_sd_degrees: float = 0.0

    def apply(self, points: Tensor, weight: Tensor, spacing_mm: float, random: np.random.RandomState) -> Tensor:
        """Move landmarks.

        Args:
            points: (2, 5, 2), (row, col) in pixels of ``spacing_mm``.
            weight: (2, 5), 0 for a landmark that is not visible.
            spacing_mm: pixel size.
            random: source of the errors.

        Returns:
            (2, 5, 2).
        """

        def normal(size: Sequence[int], sd: float) -> Tensor:
            return torch.as_tensor(random.normal(0.0, 1.0, size=tuple(size)) * sd, dtype=torch.float32)

        seen = weight.unsqueeze(2)
        centre = (points * seen).sum(dim=1, keepdim=True) / seen.sum(dim=1, keepdim=True).clamp(min=1.0)
        angle = torch.deg2rad(normal((2, 1), self.turn_sd_degrees))
        cos, sin = torch.cos(angle), torch.sin(angle)
        offset = (points - centre) * torch.exp(normal((2, 1, 1), self.scale_sd))
        turned = torch.stack((cos * offset[..., 0] - sin * offset[..., 1], sin * offset[..., 0] + cos * offset[..., 1]), 2)
        shift = normal((2, 1, 2), self.shift_sd_mm) + normal((2, 5, 2), self.landmark_sd_mm)
        return centre + turned + shift / spacing_mm


class HipMetald(Transform):
    """Replaces a radiograph's mask, "label", by "metal" (2,) float32, 0..1: how much of the mask in each hip's crop is metal.

    Args:
        localiser: the cascade's own.
    """

    def __init__(self, localiser: HipLocaliser) -> None:
        self.localiser = copy.deepcopy(localiser).cpu()  # a head's own goes to its device with it

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Measure."""
        classes, points = torch.as_tensor(data["label"])[None], torch.as_tensor(data["landmarks"]).float()[None]
        weight = torch.isfinite(points).all(dim=3).float()
        masks = torch.cat((classes == 1, classes > 1), dim=1).float()
        area = self.localiser.sample(masks, self.localiser.fit(torch.nan_to_num(points), weight))[0].sum(dim=(2, 3))
        rest = {key: value for key, value in data.items() if key != "label"}
        return {**rest, "metal": area[:, 1] / area.sum(dim=1).clamp(min=1.0)}


class RandHipCropsd(RandomizableTransform):
    """Replaces a radiograph by the canonical crops of its hips, with landmarks as uncertain as a segmentation network's.

    Adds "around" (2, h, w), what surrounds them, "poses" (2, 2) and "valid" (2,): 1 for a hip whose landmarks, the shaft's aside,
    are all visible and that holds no metal. The targets of what is not valid become NaN: "bmd" (2, 2) or "quantities" (2, Q) of
    that hip, and "osteoporosis" (1,) when no hip is left.

    Args:
        localiser: the cascade's own, so that training and inference resample alike.
        surroundings: the cascade's own.
        spacing_mm: pixel spacing of the radiograph.
        jitter: errors of the landmarks that place the crops; none where None.
        implant_threshold: fraction of metal in the femur's mask from which a hip is not valid.

    Raises:
        ValueError: when an item holds a mask.
    """

    def __init__(
        self,
        localiser: HipLocaliser,
        surroundings: Surroundings,
        spacing_mm: float = 0.3,
        jitter: LandmarkJitter | None = None,
        implant_threshold: float = 0.05,
    ) -> None:
        super().__init__(prob=1.0)
        self.localiser, self.surroundings = localiser, surroundings
        self.spacing_mm = spacing_mm
        self.jitter = jitter or LandmarkJitter()
        self.implant_threshold = implant_threshold

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with "image" (2, rows, cols) and what is added, instead of the radiograph, metal and landmarks."""
        if "label" in data:
            raise ValueError("A mask is where its metal must be: the cache is of an older version. Give another --cache_dir.")
        radiograph = torch.as_tensor(data["image"]).float()[None]
        points = torch.as_tensor(data["landmarks"]).float()[None]
        visible = torch.isfinite(points).all(dim=3)
        points, weight = torch.nan_to_num(points), visible.float()
        valid = visible[:, :, : HIP.locating].all(dim=2).float()
        if "metal" in data:
            valid = valid * (torch.as_tensor(data["metal"]) < self.implant_threshold)
        guessed = self.jitter.apply(points[0], weight[0], self.spacing_mm, self.R)
        transforms = self.localiser.fit(guessed[None], weight)
        crops = self.localiser.sample(radiograph, transforms)[0, :, 0]
        around = self.surroundings(radiograph, guessed[None], weight)[0]
        poses = self.localiser.poses(transforms, self.spacing_mm)[0]
        rest = {key: value for key, value in data.items() if key not in ("image", "metal", "landmarks")}
        unknown = torch.tensor(float("nan"))
        for key in {"bmd", "quantities"} & rest.keys():
            rest[key] = torch.where(valid[0].view(2, 1) > 0, torch.as_tensor(data[key]), unknown)
        if "osteoporosis" in rest:
            rest["osteoporosis"] = torch.where(valid[0].max() > 0, torch.as_tensor(data["osteoporosis"]), unknown)
        shown = valid[0].view(2, 1, 1)
        return {**rest, "image": crops * shown, "around": around * shown, "poses": poses, "valid": valid[0]}


class RandContourCropd(RandomizableTransform):
    """Replaces a radiograph by the canonical crop of one of its hips.

    Returns "image" (1, rows, cols), "label" (classes, rows, cols), 0..1, as many as the item's, and "landmarks" (5, 2),
    (row, col) in pixels of the crop, NaN where a landmark is not on the radiograph or not in the crop.

    Args:
        localiser: the cascade's own, so that training and inference resample alike.
        spacing_mm: pixel spacing of the radiograph.
        random_side: draw one of the visible hips, one with metal or a fracture more often; else the one with more visible
            landmarks.
        jitter: errors of the landmarks that place the crop; none where None.
        shear_sd: standard deviation of a shear, which makes hips of other shapes.
        rare_share: how often the hip that alone has metal or a fracture, any class but the first, is drawn of two.
    """

    def __init__(
        self,
        localiser: HipLocaliser,
        spacing_mm: float,
        random_side: bool = True,
        jitter: LandmarkJitter | None = None,
        shear_sd: float = 0.0,
        rare_share: float = 0.85,
    ) -> None:
        super().__init__(prob=1.0)
        self.localiser = localiser
        self.spacing_mm = spacing_mm
        self.random_side = random_side
        self.jitter = jitter or LandmarkJitter()
        self.shear_sd = shear_sd
        self.rare_share = rare_share

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
            transform[:, 2] += middle - to_radiograph(transform, kept)
        crop = self._sampled(torch.as_tensor(data["image"]), label, transform)
        landmarks = to_crop(transform, torch.nan_to_num(points[side]))
        limit = torch.tensor(crop.shape[1:]) - 1
        inside = visible[side] & (landmarks >= 0).all(dim=1) & (landmarks <= limit).all(dim=1)
        rest = {key: value for key, value in data.items() if key not in ("image", "label", "landmarks")}
        landmarks = torch.where(inside.unsqueeze(1), landmarks, torch.tensor(float("nan")))
        return {**rest, "image": crop[:1], "label": crop[1:], "landmarks": landmarks}

    def _sampled(self, image: Tensor, label: Tensor, transform: Tensor) -> Tensor:
        """Sample the crop (1 + classes, rows, cols) from the part it needs: a copy of the whole radiograph would take longer."""
        rows, cols = self.localiser.crop_rows, self.localiser.crop_cols
        corners = to_radiograph(transform, torch.tensor([[0.0, 0.0], [0.0, cols], [rows, 0.0], [rows, cols]]))
        size = torch.tensor(image.shape[1:])
        top, left = (corners.min(dim=0)[0].int() - 2).clamp(min=0).minimum(size - 1).tolist()
        bottom, right = (corners.max(dim=0)[0].int() + 3).clamp(min=1).minimum(size).tolist()
        part = (slice(None), slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1)))
        radiograph = torch.cat((image[part].float(), label[part].float() / 255))
        moved = torch.cat((transform[:, :2], transform[:, 2:] - torch.tensor([[float(top)], [float(left)]])), dim=1)
        return self.localiser.sample(radiograph[None], moved[None, None])[0, 0]

    def _side(self, points: Tensor, visible: Tensor, label: Tensor) -> int:
        if not self.random_side:
            return int(visible.sum(dim=1).argmax())
        sides = [side for side in range(2) if int(visible[side].sum()) >= 2]
        if len(sides) < 2:
            return sides[0] if sides else 0
        middle = int(torch.nan_to_num(points[visible].mean(dim=0)[1]))
        rare = [bool(half.any()) for half in (label[1:, :, :middle], label[1:, :, middle:])]
        if rare[0] != rare[1] and self.R.random() < self.rare_share:
            return rare.index(True)
        return int(self.R.randint(2))


class RandRoughd(RandomizableTransform):
    """Makes the outline of a bone uneven: knobs and notches, with the picture round them, as muscles and age make them.

    Args:
        prob: probability of it.
        most: knobs and notches, at most.
        height_sd: standard deviation of their height, pixels.
        width: range of their radius, pixels.
    """

    def __init__(
        self, prob: float = 0.5, most: int = 16, height_sd: float = 2.0, width: tuple[float, float] = (4.0, 12.0)
    ) -> None:
        super().__init__(prob=prob)
        self.most, self.height_sd, self.width = most, height_sd, width

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with "image" (1, rows, cols) and "label" (classes, rows, cols), the bone first, moved alike."""
        if self.R.random() >= self.prob:
            return dict(data)
        image, label = torch.as_tensor(data["image"]), torch.as_tensor(data["label"])
        bone = label[0] > 0.5
        rim = torch.nonzero(bone & ~(-F.max_pool2d(-bone.float()[None], 3, 1, 1)[0] > 0))
        if len(rim) == 0:
            return dict(data)
        rows, cols = bone.shape
        row, col = torch.arange(rows, dtype=torch.float32).view(-1, 1), torch.arange(cols, dtype=torch.float32).view(1, -1)
        # Knobs follow the normal of a softened outline; what a pixel shows comes from further in, or out.
        depth = smooth(bone.float()[None], 4)[0]
        down, right = torch.gradient(depth)
        length = torch.sqrt(down**2 + right**2).clamp(min=1e-4)
        heights = torch.zeros(rows, cols)
        for _ in range(int(self.R.randint(1, self.most + 1))):
            r, c = rim[int(self.R.randint(len(rim)))].tolist()
            bump = torch.exp(-((row - r) ** 2 + (col - c) ** 2) / (2 * float(self.R.uniform(*self.width)) ** 2))
            heights = heights + float(self.R.normal(0.0, self.height_sd)) * bump
        moved = sample_at(
            torch.cat((image.float(), label))[None], (row + heights * down / length)[None], (col + heights * right / length)[None]
        )[0]
        return {**data, "image": moved[:1], "label": moved[1:]}


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


class RandOneHipd(RandomizableTransform):
    """Hides one hip of a patient at random, so that a network does well with one: what is said of a hip that is not valid holds.

    Args:
        prob: probability, where both hips are valid.
    """

    def __init__(self, prob: float = 0.15) -> None:
        super().__init__(prob=prob)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item of `RandHipCropsd` with "image", "around" and "valid" of a hip 0, and its "bmd" NaN."""
        self.randomize(None)
        side = int(self.R.randint(2))
        if not self._do_transform or not bool(torch.as_tensor(data["valid"]).min() > 0):
            return dict(data)
        kept = torch.ones(2)
        kept[side] = 0.0
        shown: dict[Hashable, Any] = {key: torch.as_tensor(data[key]) * kept.view(2, 1, 1) for key in ("image", "around")}
        bmd = torch.where(kept.view(2, 1) > 0, torch.as_tensor(data["bmd"]), torch.tensor(float("nan")))
        return {**data, **shown, "bmd": bmd, "valid": torch.as_tensor(data["valid"]) * kept}


def to_radiograph(transform: Tensor, points: Tensor) -> Tensor:
    """Crop points (..., 2) in radiograph pixels; ``transform`` (2, 3) of `HipLocaliser.fit`."""
    return points @ transform[:, :2].T + transform[:, 2]


def to_crop(transform: Tensor, points: Tensor) -> Tensor:
    """Radiograph points (..., 2) in crop pixels; NaN where the transform is degenerate, as that of a hip that is not there."""
    matrix = transform[:, :2]
    if abs(float(torch.linalg.det(matrix))) < 1e-6:
        return torch.full_like(points, float("nan"))
    return (points - transform[:, 2]) @ torch.linalg.inv(matrix).T
