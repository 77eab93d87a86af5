"""Random appearances: what exposure, detectors and vendors' processing do to grey values, and bone no simulator makes."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import RandomizableTransform
from torch import Tensor

from scripts.clinical.anatomy import NETWORK_SPACING_MM

LOW, HIGH = -0.25, 1.25
"""The range that normalised radiographs are clipped to."""

_LEVELS = 1024
_COARSER = 8  # pixels of a radiograph to one of what changes slowly
_ENDS = torch.tensor([0.02, 0.98])  # quantiles that stay


class RandAppearanced(RandomizableTransform):
    """Redraws the grey values of normalised images: tone curve, uneven field, blur or edge enhancement, noise, objects.

    One monotone curve stands for gamma, contrast, brightness and histogram changes together: it is a table look-up, cheap
    enough to draw anew for every image.

    Args:
        key: (C, rows, cols) float, normalised; the channels (both hips of one radiograph) get the same curve.
        also: keys of what else is cut from the same radiograph; it gets the same curve, and nothing else; what is exactly 0 lies
            outside the radiograph and stays.
        strength: multiplies all that follows but the probabilities: 1 for the widest variation (segmentation of radiographs
            never seen); less where the grey values themselves are to be measured; 0 changes nothing.
        blur: probability of blur or edge enhancement.
        sharpest: the strongest enhancement, as a share of the fine detail that is added.
        field: probability of uneven brightness.
        field_sd: standard deviation of that brightness over the image; the range of the image is 1.
        steps_sd: standard deviation of the logarithm of the tone curve's slope, in each eighth of the range.
        gamma_sd: standard deviation of the logarithm of its exponent.
        contrast_sd: standard deviation of the logarithm of its contrast.
        brightness_sd: standard deviation of its brightness.
        invert: probability of a negative image.
        objects: probability of bright or dark rectangles (markers, shields, tape).
        noise: probability of noise.
        noise_sd: mean of its standard deviation, which is drawn from an exponential distribution.
    """

    def __init__(
        self,
        key: Hashable = "image",
        strength: float = 1.0,
        also: Sequence[Hashable] = (),
        blur: float = 0.4,
        sharpest: float = 1.5,
        field: float = 0.5,
        field_sd: float = 0.12,
        steps_sd: float = 0.6,
        gamma_sd: float = 0.35,
        contrast_sd: float = 0.2,
        brightness_sd: float = 0.08,
        invert: float = 0.04,
        objects: float = 0.3,
        noise: float = 0.6,
        noise_sd: float = 0.03,
    ) -> None:
        super().__init__(prob=1.0)
        self.key, self.strength, self.also = key, strength, also
        self.blur, self.sharpest, self.field, self.field_sd = blur, sharpest, field, field_sd
        self.steps_sd, self.gamma_sd, self.contrast_sd, self.brightness_sd = steps_sd, gamma_sd, contrast_sd, brightness_sd
        self.invert, self.objects, self.noise, self.noise_sd = invert, objects, noise, noise_sd

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with a new appearance of the image."""
        image = torch.as_tensor(data[self.key]).float()
        if self.R.random() < self.blur:
            image = self._sharpen_or_blur(image)
        if self.R.random() < self.field:
            image = image + self._uneven_field(image)
        curve = self._curve()
        image = _looked_up(curve, image)
        others = {key: _inside(curve, torch.as_tensor(data[key]).float()) for key in self.also}
        if self.R.random() < self.objects:
            image = self._cover(image)
        if self.R.random() < self.noise:
            image = image + self._noise(image)
        return {**data, **others, self.key: image.clamp(LOW, HIGH)}

    def _curve(self) -> Tensor:
        """Draw a tone curve: what each of the levels from `LOW` to `HIGH` becomes."""
        s = self.strength
        level = np.linspace(0.0, 1.0, _LEVELS)
        knots = np.linspace(0.0, 1.0, 9)
        steps = np.exp(self.R.normal(0.0, self.steps_sd * s, size=8))
        curve = np.interp(level, knots, np.concatenate(([0.0], np.cumsum(steps))) / steps.sum())
        curve = curve ** np.exp(self.R.normal(0.0, self.gamma_sd * s))
        contrast, brightness = np.exp(self.R.normal(0.0, self.contrast_sd * s)), self.R.normal(0.0, self.brightness_sd * s)
        curve = (curve - 0.5) * contrast + 0.5 + brightness
        if self.R.random() < self.invert:
            curve = curve[::-1].copy()
        return torch.as_tensor(LOW + (HIGH - LOW) * curve, dtype=torch.float32)

    def _uneven_field(self, image: Tensor) -> Tensor:
        size = int(self.R.randint(2, 6))
        spread = self.field_sd * self.strength
        coarse = torch.as_tensor(self.R.normal(0.0, spread, size=(1, 1, size, size)), dtype=torch.float32)
        return F.interpolate(coarse, size=image.shape[1:], mode="bilinear", align_corners=True)[0]

    def _sharpen_or_blur(self, image: Tensor) -> Tensor:
        width = int(self.R.choice([1, 2, 3, 8]))
        blurred = smooth(image, width)
        if width <= 2 and self.R.random() < 0.5:
            return torch.lerp(image, blurred, min(1.0, self.strength))
        return image + self.R.uniform(0.0, self.sharpest * self.strength) * (image - blurred)

    def _noise(self, image: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(int(self.R.randint(2**31)))
        noise = torch.randn(image.shape, generator=generator) * float(self.R.exponential(self.noise_sd * self.strength))
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


def _inside(curve: Tensor, image: Tensor) -> Tensor:
    return torch.where(image == 0, image, _looked_up(curve, image).clamp(LOW, HIGH))


def _looked_up(curve: Tensor, image: Tensor) -> Tensor:
    position = ((image - LOW) * ((_LEVELS - 1) / (HIGH - LOW))).clamp(0, _LEVELS - 1)
    return curve[position.round().long()]


class RandEqualised(RandomizableTransform):
    """Takes out, or puts back, a share of what changes slowly across a radiograph, as vendors' dynamic range compression does.

    How much brighter bone is than the tissue beside it stays; how much brighter thick parts are than thin ones does not, nor
    how both compare. The range of the radiograph stays what it is normalised to.

    Args:
        key: (1, H, W) float, normalised.
        prob: probability of it.
        amount: range of the share that is taken out; what is put back is negative.
        slow_mm: range of the standard deviation (mm) of the smoothing that tells what is slow.
        spacing_mm: pixel size of the image.
    """

    def __init__(
        self,
        key: Hashable = "image",
        prob: float = 0.6,
        amount: tuple[float, float] = (-0.5, 0.6),
        slow_mm: tuple[float, float] = (20.0, 55.0),
        spacing_mm: float = NETWORK_SPACING_MM,
    ) -> None:
        super().__init__(prob=prob)
        self.key, self.amount, self.slow_mm, self.spacing_mm = key, amount, slow_mm, spacing_mm

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with its image equalised, or not."""
        if self.R.random() >= self.prob:
            return dict(data)
        image = torch.as_tensor(data[self.key]).float()
        small = F.avg_pool2d(image, _COARSER)
        amount, slow_mm = float(self.R.uniform(*self.amount)), float(self.R.uniform(*self.slow_mm))
        # Two boxes of 2 w + 1 pixels have a variance of 2 w (w + 1) / 3.
        width = max(1, round(math.sqrt(1.5) * slow_mm / (_COARSER * self.spacing_mm) - 0.5))
        slow = smooth(small, min(width, (min(small.shape[1:]) - 1) // 2))
        slow = slow - slow.mean()
        before, after = (torch.quantile(shown, _ENDS) for shown in (small, small - amount * slow))
        stretch = (before[1] - before[0]) / (after[1] - after[0]).clamp(min=1e-3)
        changed = image - amount * F.interpolate(slow[None], size=image.shape[1:], mode="bilinear")[0]
        return {**data, self.key: ((changed - after[0]) * stretch + before[0]).clamp(LOW, HIGH)}


class RandClutterd(RandomizableTransform):
    """Makes a radiograph's bone lighter, darker, smoother or coarser than its surroundings, and draws lines in it and over it.

    So that contours are found by the shape of a femur, and not by how the simulator's bone or background happens to look.

    Args:
        image_key: (1, H, W) normalised image.
        label_key: (classes, H, W), how much of a pixel each class covers, 0..1; the first is femur.
        bone: probability of another lightness of the bone.
        bone_sd: standard deviation of that lightness; the range of the image is 1.
        texture: probability of another texture inside and outside the bone.
        coarseness: range of the share of the fine detail that is added; -1 takes all of it away.
        mottled: probability of coarse marrow in the bone, all over it or round one place: spots of all sizes up to 15 pixels.
        mottle_sd: largest standard deviation of it.
        ridges: probability of one to eight ridges: short bows inside the bone, in half of the cases round one place, like crests,
            rims and the walls of vessels, that are no fracture.
        ridge_sd: standard deviation of the height of each; one in four is a furrow.
        folds: probability of one to three folds: long curves of skin, clothes or pads, each an edge or a line that goes on beyond
            the bone, as that of a fracture does not.
        fold_sd: standard deviation of the step or height of each.
        overlaid: probability that the radiograph before this one shines through.
        opacity: range of how much of it.
    """

    def __init__(
        self,
        image_key: Hashable = "image",
        label_key: Hashable = "label",
        bone: float = 0.4,
        bone_sd: float = 0.12,
        texture: float = 0.4,
        coarseness: tuple[float, float] = (-0.9, 1.2),
        mottled: float = 0.5,
        mottle_sd: float = 0.1,
        ridges: float = 0.5,
        ridge_sd: float = 0.1,
        folds: float = 0.3,
        fold_sd: float = 0.08,
        overlaid: float = 0.3,
        opacity: tuple[float, float] = (0.05, 0.3),
    ) -> None:
        super().__init__(prob=1.0)
        self.image_key, self.label_key = image_key, label_key
        self.bone, self.bone_sd, self.texture, self.coarseness = bone, bone_sd, texture, coarseness
        self.mottled, self.mottle_sd = mottled, mottle_sd
        self.ridges, self.ridge_sd = ridges, ridge_sd
        self.folds, self.fold_sd = folds, fold_sd
        self.overlaid, self.opacity = overlaid, opacity
        self.before: Tensor | None = None

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with a cluttered image; its labels stay."""
        image, femur = torch.as_tensor(data[self.image_key]), torch.as_tensor(data[self.label_key])[:1]
        clean = image
        if self.R.random() < self.bone:
            soft = smooth(femur, int(self.R.choice([1, 2, 4])))
            image = image + float(self.R.normal(0.0, self.bone_sd)) * soft
        if self.R.random() < self.texture:
            fine = image - smooth(image, int(self.R.choice([1, 2, 3])))
            inside, outside = (float(self.R.uniform(*self.coarseness)) for _ in range(2))
            image = image + fine * torch.lerp(torch.tensor(outside), torch.tensor(inside), femur)
        if self.R.random() < self.mottled:
            image = image + self._mottle(femur)
        if self.R.random() < self.ridges:
            where = femur * self._spot(femur)
            for _ in range(int(self.R.randint(1, 9))):
                image = image + self._ridge(femur, where)
        if self.R.random() < self.folds:
            for _ in range(int(self.R.randint(1, 4))):
                image = image + self._fold(image)
        if self.before is not None and self.before.shape == image.shape and self.R.random() < self.overlaid:
            other = self.before.flip(int(self.R.choice([1, 2]))).roll(int(self.R.randint(image.shape[1])), 1)
            image = torch.lerp(image, other, float(self.R.uniform(*self.opacity)))
        self.before = clean
        return {**data, self.image_key: image.clamp(LOW, HIGH)}

    def _spot(self, femur: Tensor) -> Tensor:
        """1 round one place in the bone and 0 far from it; half of the time 1 everywhere."""
        inside = torch.nonzero(femur[0] > 0.5)
        if len(inside) == 0 or self.R.random() < 0.5:
            return torch.ones_like(femur)
        row, col = inside[int(self.R.randint(len(inside)))].tolist()
        down = torch.arange(femur.shape[1], dtype=torch.float32).view(-1, 1) - row
        right = torch.arange(femur.shape[2], dtype=torch.float32).view(1, -1) - col
        return torch.exp(-(down**2 + right**2) / (2 * float(self.R.uniform(15.0, 60.0)) ** 2))[None]

    def _mottle(self, femur: Tensor) -> Tensor:
        """Spots of several sizes inside the bone."""
        generator = torch.Generator().manual_seed(int(self.R.randint(2**31)))
        spots = torch.zeros_like(femur)
        for width in (1, 2, 4, 7):
            noise = smooth(torch.randn(femur.shape, generator=generator), width)
            spots = spots + float(self.R.exponential(1.0)) * noise / noise.std().clamp(min=1e-6)
        height = float(self.R.uniform(0.0, self.mottle_sd)) / spots.std().clamp(min=1e-6)
        return height * spots * smooth(femur, 2) * self._spot(femur)

    def _ridge(self, femur: Tensor, where: Tensor) -> Tensor:
        """A short bow inside the bone, its middle where it is wanted, softened at both ends."""
        inside = torch.nonzero(where[0] > 0.5)
        if len(inside) == 0:
            return torch.zeros_like(femur)
        row, col = inside[int(self.R.randint(len(inside)))].tolist()
        distance, along = self._bow(femur.shape[1], femur.shape[2], row, col, self.R.normal(0.0, 0.02))
        length = float(self.R.uniform(8.0, 45.0))
        shape = torch.exp(-(distance**2) / 2) * torch.sigmoid((length - along.abs()) / 3) * smooth(femur, 2)[0]
        height = abs(float(self.R.normal(0.0, self.ridge_sd))) * (1.0 if self.R.random() < 0.75 else -1.0)
        return (height * shape)[None]

    def _bow(self, rows: int, cols: int, row: float, col: float, bend: float) -> tuple[Tensor, Tensor]:
        """Distance from a bow through a point, in its own widths, and the way along it, in pixels: (rows, cols) each."""
        angle = self.R.uniform(0.0, 2 * np.pi)
        down = torch.arange(rows, dtype=torch.float32).view(-1, 1) - row
        right = torch.arange(cols, dtype=torch.float32).view(1, -1) - col
        across, along = down * np.cos(angle) + right * np.sin(angle), right * np.cos(angle) - down * np.sin(angle)
        return (across + bend * along**2) / float(self.R.uniform(0.7, 4.0)), along

    def _fold(self, image: Tensor) -> Tensor:
        """An edge, or a line, along a bow from border to border."""
        rows, cols = image.shape[1:]
        row, col = float(self.R.uniform(0.0, rows)), float(self.R.uniform(0.0, cols))
        distance, _ = self._bow(rows, cols, row, col, self.R.normal(0.0, 0.4) / max(rows, cols))
        edge = self.R.random() < 0.5
        shape = torch.sigmoid(2 * distance) * torch.exp(-distance.clamp(min=0.0) / 20) if edge else torch.exp(-(distance**2) / 2)
        return (float(self.R.normal(0.0, self.fold_sd)) * shape)[None]


def smooth(image: Tensor, width: int) -> Tensor:
    """Two box filters of 2 width + 1 pixels: close to a Gaussian."""
    for _ in range(2):
        for window, padding in (((2 * width + 1, 1), (width, 0)), ((1, 2 * width + 1), (0, width))):
            image = F.avg_pool2d(image, window, stride=1, padding=padding, count_include_pad=False)
    return image
