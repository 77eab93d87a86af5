"""What the view network is taught: whole films, the right way up or not, and the crops of their hips."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.transforms import RandomizableTransform, Transform
from torch import Tensor, nn
from tqdm import tqdm

from scripts.clinical import SIDES, RefusedError
from scripts.radiograph.landmarks import LOCATING
from scripts.training.grid import Reduce
from scripts.training.hip_crops import Localiser
from scripts.training.items import number, training_items
from scripts.training.jitter import LandmarkJitter
from scripts.training.pose import RandFilmPosed

ANGLE_SCALE_DEGREES = 10.0
"""Degrees of error that count as one unit of the loss."""

_IMPORTANCE = torch.tensor([2.0, 1.0, 1.0])  # of hip_view and of each side's fracture

_MOST_ROTATED = 75.0
"""Degrees; a frog-leg femur beyond this has no rotation that a film tells."""


def view_items(folders: Sequence[str], split: str, read: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """List the radiographs of a split of several folders, see `training_items`, of which the picture tells what it shows.

    Left out of those with a `kind` are the ones that are refused before any network sees them, and `wrong_scale` of
    `simulate_others.yaml`: only its pixel size is wrong.

    Args:
        folders: data sets.
        split: "train" or "validation".
        read: the preprocessing of the main job, for an item; it raises where a radiograph is refused.
    """
    items = [item for folder in folders for item in training_items(folder, split, [])]
    unknown = [item for item in items if item.get("kind")]
    refused = {item["image"] for item in tqdm(unknown, desc=f"{split}: films of other kinds") if not _shown(item, read)}
    return [item for item in items if item["image"] not in refused]


def _shown(item: Mapping[str, Any], read: Callable[[Any], Any]) -> bool:
    try:
        read(item)
    except RuntimeError as error:  # MONAI's, of the transform that failed
        if isinstance(error.__cause__, RefusedError):
            return False
        raise
    return item["kind"] != "wrong_scale"


class ViewTargetsd(Transform):
    """Adds "view" (6,) float32 to an item, NaN where unknown: hip_view (0 or 1), pelvic turn (degrees), whether the right and the
    left femur is broken (0 or 1), their outward rotations (degrees).

    From the manifest's columns `kind` (what a film shows that is no hip), `view`, `pelvic_turn_deg`, and for each side
    `fracture` and `rotation_deg`.
    """

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Add the targets."""
        shown = not data.get("kind")
        frontal = data.get("view") in ("", "AP", None)
        broken = [data.get(f"{side}_fracture") for side in SIDES]
        fractures = [float(value != "none") if value else math.nan for value in broken]
        rotations = [number(data.get(f"{side}_rotation_deg")) for side in SIDES]
        values = [float(shown and frontal), number(data.get("pelvic_turn_deg")), *fractures, *rotations]
        return {**data, "view": torch.tensor(values, dtype=torch.float32)}


class RandViewd(RandomizableTransform):
    """Replaces a film at 0.6 mm by "film" (1, rows, cols) at 1.8 mm, posed at random, and by "image" (2, rows, cols), the
    canonical crops of its hips, with their "poses" (2, 2).

    Some films are turned upside down or on their side, or shown far too large or too small, or without their hips: those
    are no views of a hip any more. Of a hip that is not visible nothing is known: its targets become NaN.

    Args:
        localiser: the cascade's own.
        reduce: averages a (B, C, H, W) image by a factor of 3; the cascade's own.
        pose: of the film at 1.8 mm.
        spoilt: probability of a film that is no view of a hip any more.
        jitter: errors of the landmarks that place the crops.
        spacing_mm: pixel spacing of the film.
    """

    def __init__(
        self,
        localiser: Localiser,
        reduce: Reduce,
        pose: RandFilmPosed,
        spoilt: float = 0.25,
        jitter: LandmarkJitter | None = None,
        spacing_mm: float = 0.6,
    ) -> None:
        super().__init__(prob=1.0)
        self.localiser, self.reduce, self.pose = localiser, reduce, pose
        self.spoilt, self.jitter, self.spacing_mm = spoilt, jitter or LandmarkJitter(), spacing_mm

    def set_random_state(self, seed: int | None = None, state: Any = None) -> "RandViewd":
        """Seed this transform and the pose that it draws."""
        super().set_random_state(seed, state)
        self.pose.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Pose and crop."""
        image = torch.as_tensor(data["image"]).float()
        points = torch.as_tensor(data["landmarks"]).float()
        target = torch.as_tensor(data["view"]).clone()
        film, seen, spoilt = self._film(image, points)
        if spoilt or not bool(seen[:, :LOCATING].all(dim=1).any()):
            target[0] = 0.0
        visible = torch.isfinite(points).all(dim=2)
        weight = visible.float()
        guessed = self.jitter.apply(torch.nan_to_num(points), weight, self.spacing_mm, self.R)
        transforms = self.localiser.fit(guessed[None], weight[None])
        whole = visible[:, :LOCATING].all(dim=1)
        crops = self.localiser.sample(image[None], transforms)[0, :, 0] * whole.view(2, 1, 1)
        unknown = torch.tensor(math.nan)
        target[2:4] = torch.where(whole, target[2:4], unknown)
        target[4:6] = torch.where(whole & (target[4:6].abs() <= _MOST_ROTATED), target[4:6], unknown)
        rest = {key: value for key, value in data.items() if key not in ("image", "label", "landmarks")}
        poses = self.localiser.poses(transforms, self.spacing_mm)[0]
        return {**rest, "film": film, "image": crops, "poses": poses, "view": target}

    def _film(self, image: Tensor, points: Tensor) -> tuple[Tensor, Tensor, bool]:
        """The posed film, which landmarks (2, 5) are on it, and whether it was spoilt."""
        small = self.reduce(image[None])[0]
        scale, turn = 1.0, 0
        spoilt = bool(self.R.random() < self.spoilt)
        if spoilt:
            if self.R.random() < 0.6:
                turn = int(self.R.randint(1, 4))
            else:
                scale = float(self.R.choice([self.R.uniform(0.35, 0.6), self.R.uniform(1.7, 2.5)]))
        item: dict[Hashable, Tensor] = {
            "image": small,
            "label": torch.zeros(1, *small.shape[1:]),
            "landmarks": (points + 0.5) / 3 - 0.5,
        }
        posed = self.pose(item)
        film = posed["image"]
        if turn:
            film = F.interpolate(torch.rot90(film, turn, (1, 2))[None], size=film.shape[1:], mode="bilinear")[0]
        if scale != 1.0:
            film = _zoomed(film, scale)
        return film, torch.isfinite(posed["landmarks"]).all(dim=2), spoilt


class ViewLoss(nn.Module):
    """Cross-entropy of view and fractures, and absolute error of the angles; NaN targets count for nothing."""

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of `ViewNetwork.forward`'s (B, 6) against (B, 6) targets of `ViewTargetsd`."""
        known = torch.isfinite(target)
        target, predicted = torch.nan_to_num(target), predicted.float()
        logits, angles = [0, 2, 3], [1, 4, 5]
        yes_or_no = F.binary_cross_entropy_with_logits(predicted[:, logits], target[:, logits], reduction="none")
        errors = F.smooth_l1_loss(
            predicted[:, angles] / ANGLE_SCALE_DEGREES, target[:, angles] / ANGLE_SCALE_DEGREES, reduction="none"
        )
        return (_known_mean(yes_or_no, known[:, logits]) * _IMPORTANCE).sum() + _known_mean(errors, known[:, angles]).sum()


def _known_mean(values: Tensor, known: Tensor) -> Tensor:
    """The mean of each column over its known rows."""
    return (values * known).sum(dim=0) / known.sum(dim=0).clamp(min=1)


def _zoomed(film: Tensor, scale: float) -> Tensor:
    """Show the middle of a film larger (scale > 1), or all of it smaller on black."""
    matrix = torch.tensor([[[1 / scale, 0.0, 0.0], [0.0, 1 / scale, 0.0]]])
    grid = F.affine_grid(matrix, [1, 1, *film.shape[1:]], align_corners=False)
    return F.grid_sample(film[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
