"""Random bones and backgrounds: what no simulator's own variety covers."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import RandomizableTransform
from torch import Tensor

from scripts.training.appearance import HIGH, LOW, smooth


class RandClutterd(RandomizableTransform):
    """Makes a film's bone lighter, darker, smoother or coarser than its surroundings, and lays another film over it.

    So that contours are found by the shape of a femur, and not by how the simulator's bone or background happens to look.

    Args:
        image_key: (1, H, W) normalised image.
        label_key: (classes, H, W), how much of a pixel each class covers, 0..1; the first is femur.
        bone: probability of another lightness of the bone.
        texture: probability of another texture inside and outside the bone.
        overlaid: probability that the film before this one shines through.
    """

    def __init__(
        self,
        image_key: Hashable = "image",
        label_key: Hashable = "label",
        bone: float = 0.4,
        texture: float = 0.4,
        overlaid: float = 0.3,
    ) -> None:
        super().__init__(prob=1.0)
        self.image_key, self.label_key = image_key, label_key
        self.bone, self.texture, self.overlaid = bone, texture, overlaid
        self.before: Tensor | None = None

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with a cluttered image; its labels stay."""
        image, femur = torch.as_tensor(data[self.image_key]), torch.as_tensor(data[self.label_key])[:1]
        clean = image
        if self.R.random() < self.bone:
            soft = smooth(femur, int(self.R.choice([1, 2, 4])))
            image = image + float(self.R.normal(0.0, 0.12)) * soft
        if self.R.random() < self.texture:
            fine = image - smooth(image, int(self.R.choice([1, 2, 3])))
            inside, outside = (float(self.R.uniform(-0.9, 1.2)) for _ in range(2))
            image = image + fine * torch.lerp(torch.tensor(outside), torch.tensor(inside), femur)
        if self.before is not None and self.before.shape == image.shape and self.R.random() < self.overlaid:
            other = self.before.flip(int(self.R.choice([1, 2]))).roll(int(self.R.randint(image.shape[1])), 1)
            image = torch.lerp(image, other, float(self.R.uniform(0.05, 0.3)))
        self.before = clean
        return {**data, self.image_key: image.clamp(LOW, HIGH)}
