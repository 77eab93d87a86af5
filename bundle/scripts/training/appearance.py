"""Random appearances of a radiograph: what exposure, scatter, detectors and vendors' processing do to grey values."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import RandomizableTransform
from torch import Tensor

LOW, HIGH = -0.25, 1.25
"""The range that normalised radiographs are clipped to."""

_LEVELS = 1024


class RandAppearanced(RandomizableTransform):
    """Redraws the grey values of normalised images: tone curve, uneven field, blur or edge enhancement, noise, objects.

    One monotone curve stands for gamma, contrast, brightness and histogram changes together: it is a table look-up, cheap
    enough to draw anew for every image.

    Args:
        key: (C, rows, cols) float, normalised; the channels (both hips of one film) get the same curve.
        strength: 1 for the widest variation (segmentation of films never seen); less where the grey values
            themselves are to be measured; 0 changes nothing.
        invert: probability of a negative image.
        objects: probability of bright or dark rectangles (markers, shields, tape).
    """

    def __init__(self, key: Hashable = "image", strength: float = 1.0, invert: float = 0.04, objects: float = 0.3) -> None:
        super().__init__(prob=1.0)
        self.key, self.strength, self.invert, self.objects = key, strength, invert, objects

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with a new appearance of the image."""
        image = torch.as_tensor(data[self.key]).float()
        if self.R.random() < 0.4:
            image = self._sharpen_or_blur(image)
        if self.R.random() < 0.5:
            image = image + self._uneven_field(image)
        image = self._tone(image)
        if self.R.random() < self.objects:
            image = self._cover(image)
        if self.R.random() < 0.6:
            image = image + self._noise(image)
        return {**data, self.key: image.clamp(LOW, HIGH)}

    def _tone(self, image: Tensor) -> Tensor:
        s = self.strength
        level = np.linspace(0.0, 1.0, _LEVELS)
        knots = np.linspace(0.0, 1.0, 9)
        steps = np.exp(self.R.normal(0.0, 0.6 * s, size=8))
        curve = np.interp(level, knots, np.concatenate(([0.0], np.cumsum(steps))) / steps.sum())
        curve = curve ** np.exp(self.R.normal(0.0, 0.35 * s))
        contrast, brightness = np.exp(self.R.normal(0.0, 0.2 * s)), self.R.normal(0.0, 0.08 * s)
        curve = (curve - 0.5) * contrast + 0.5 + brightness
        if self.R.random() < self.invert:
            curve = curve[::-1].copy()
        table = torch.as_tensor(LOW + (HIGH - LOW) * curve, dtype=torch.float32)
        position = ((image - LOW) * ((_LEVELS - 1) / (HIGH - LOW))).clamp(0, _LEVELS - 1)
        return table[position.round().long()]

    def _uneven_field(self, image: Tensor) -> Tensor:
        size = int(self.R.randint(2, 6))
        coarse = torch.as_tensor(self.R.normal(0.0, 0.12 * self.strength, size=(1, 1, size, size)), dtype=torch.float32)
        return F.interpolate(coarse, size=image.shape[1:], mode="bilinear", align_corners=True)[0]

    def _sharpen_or_blur(self, image: Tensor) -> Tensor:
        width = int(self.R.choice([1, 2, 3, 8]))
        blurred = smooth(image, width)
        if width <= 2 and self.R.random() < 0.5:
            return torch.lerp(image, blurred, min(1.0, self.strength))
        return image + self.R.uniform(0.0, 1.5 * self.strength) * (image - blurred)

    def _noise(self, image: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(int(self.R.randint(2**31)))
        noise = torch.randn(image.shape, generator=generator) * float(self.R.exponential(0.03 * self.strength))
        return 3.0 * smooth(noise, 1) if self.R.random() < 0.3 else noise

    def _cover(self, image: Tensor) -> Tensor:
        image = image.clone()
        rows, cols = image.shape[1:]
        for _ in range(int(self.R.randint(1, 4))):
            height, width = (self.R.uniform(0.02, 0.18, size=2) * (rows, cols)).astype(int) + 1
            top, left = self.R.randint(0, rows - height), self.R.randint(0, cols - width)
            value, opacity = self.R.uniform(LOW, HIGH), self.R.uniform(0.3, 1.0)
            patch = image[:, top : top + height, left : left + width]
            patch.lerp_(torch.tensor(value, dtype=patch.dtype), opacity)
        return image


def smooth(image: Tensor, width: int) -> Tensor:
    """Two box filters of 2 width + 1 pixels: close to a Gaussian, at a cost that does not grow with the width."""
    for _ in range(2):
        image = F.avg_pool2d(image, 2 * width + 1, stride=1, padding=width, count_include_pad=False)
    return image
