"""From landmark heat maps to one canonical crop of each hip."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scripts.clinical.anatomy import HIP
from scripts.networks.sampling import sample_at

SHAFT, NECK_BASE = HIP.landmark("shaft"), HIP.landmark("neck_base")

SHAPE = 2 * len(HIP.landmarks) + 2
"""Numbers of `HipLocaliser.shape`."""

PEAKS = 3
"""Places of a heat map that are considered for a landmark."""


def find_landmarks(heat: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Locate the peak of every heat map to a fraction of a pixel (soft-argmax in a disc around the maximum).

    Args:
        heat: (B, N, h, w) logits.
        radius: radius of the disc, pixels.

    Returns:
        points (B, N, 2), (row, col) in pixels of the heat map; and confidence (B, N), the probability at the peak.
    """
    probability = torch.sigmoid(heat)
    height, width = heat.shape[2], heat.shape[3]
    peak, index = probability.flatten(2).max(dim=2)
    # In floating point, since not every export knows integer division; the half keeps the floor off the rounding error.
    position = index.to(heat.dtype).unsqueeze(2).unsqueeze(3)
    row = torch.floor((position + 0.5) / width)
    col = position - row * width
    rows = torch.arange(height, device=heat.device, dtype=heat.dtype).view(1, 1, -1, 1)
    cols = torch.arange(width, device=heat.device, dtype=heat.dtype).view(1, 1, 1, -1)
    inside = ((rows - row) ** 2 + (cols - col) ** 2 <= radius**2).to(heat.dtype)
    weight = probability * inside
    total = weight.sum(dim=(2, 3)).clamp(min=1e-12)
    points = torch.stack(((weight * rows).sum(dim=(2, 3)) / total, (weight * cols).sum(dim=(2, 3)) / total), dim=2)
    return points, peak


def find_peaks(heat: Tensor, radius: float, apart: float, count: int) -> tuple[Tensor, Tensor]:
    """Locate the highest peaks of every heat map, as `find_landmarks` does one.

    Args:
        heat: (B, N, h, w) logits.
        radius: as for `find_landmarks`.
        apart: how far from each other peaks lie at least, pixels.
        count: K, how many.

    Returns:
        points (B, N, K, 2), (row, col); and confidence (B, N, K), the highest first.
    """
    rows = torch.arange(heat.shape[2], device=heat.device, dtype=heat.dtype).view(1, 1, -1, 1)
    cols = torch.arange(heat.shape[3], device=heat.device, dtype=heat.dtype).view(1, 1, 1, -1)
    peaks, confidences = [], []
    for _ in range(count):
        points, confidence = find_landmarks(heat, radius)
        row, col = points[..., 0].unsqueeze(2).unsqueeze(3), points[..., 1].unsqueeze(2).unsqueeze(3)
        near = ((rows - row) ** 2 + (cols - col) ** 2 <= apart**2).to(heat.dtype)
        heat = heat - 40.0 * near  # a logit that no probability is left of
        peaks.append(points)
        confidences.append(confidence)
    return torch.stack(peaks, dim=2), torch.stack(confidences, dim=2)


def shaft_angle(points: Tensor, shaft: int = SHAFT, neck_base: int = NECK_BASE) -> Tensor:
    """Abduction of the femoral shaft axis (neck base to shaft) from the image's vertical.

    Args:
        points: (B, 2, 5, 2) landmarks, (row, col).
        shaft, neck_base: indices of these landmarks (arguments, since TorchScript knows no constants of a module).

    Returns:
        (B, 2) degrees, positive when the knee points laterally.
    """
    axis = points[:, :, shaft] - points[:, :, neck_base]
    lateral = torch.stack((-axis[:, 0, 1], axis[:, 1, 1]), dim=1)  # a right hip's lateral side is the viewer's left
    return torch.rad2deg(torch.atan2(lateral, axis[:, :, 0]))


class HipLocaliser(nn.Module):
    """Places and samples the canonical crops: every hip upright, at one size, and a left hip mirrored into a right one.

    Args:
        crop_size: (rows, cols) of a crop, pixels.
        crop_spacing_mm: size of a crop pixel on the template, mm.
        origin_mm: (row, col) on the template of the crop's first pixel centre. The default covers 25 mm above the
            head centre to the shaft point, and 25 mm lateral of the greater trochanter.

    Example:
        >>> localiser = HipLocaliser(crop_size=(224, 224))
        >>> landmarks = torch.rand(1, 2, 5, 2) * 400  # (row, col) of a right and a left hip's on the radiograph
        >>> transforms = localiser.fit(landmarks, torch.ones(1, 2, 5))
        >>> localiser.sample(torch.rand(1, 1, 500, 400), transforms).shape
        torch.Size([1, 2, 1, 224, 224])
    """

    crop_rows: int
    crop_cols: int
    template: Tensor
    mirror: Tensor
    choices: Tensor

    def __init__(
        self,
        crop_size: Sequence[int] = (224, 224),
        crop_spacing_mm: float = 0.55,
        origin_mm: Sequence[float] = (-25.0, -80.0),
    ) -> None:
        super().__init__()
        self.crop_rows, self.crop_cols = crop_size
        millimetres = torch.tensor([HIP.template_mm[name] for name in HIP.landmarks])
        right = (millimetres - torch.tensor(origin_mm)) / crop_spacing_mm
        self.crop_spacing_mm, self.origin_mm = crop_spacing_mm, [float(place) for place in origin_mm]
        self.register_buffer("template", right, persistent=False)  # crop pixels, (5, 2)
        # TorchScript sees attributes only, no constants of a module.
        self.fewest = 3  # landmarks that place a hip: any two fit a similarity
        # Of every landmark one peak or none; the first choice is all the first ones.
        peaks = torch.eye(PEAKS + 1)[:, :PEAKS]
        choices = peaks[torch.tensor(list(itertools.product(range(PEAKS + 1), repeat=len(HIP.landmarks))))]
        self.register_buffer("choices", choices[choices.sum(dim=(1, 2)) >= self.fewest], persistent=False)  # (918, 5, 3)
        self.gain_mm = 8.0  # by which leaving one out must bring the others nearer; a simulated hip's lie within 10 of its shape
        self.lower_mm = 4.0  # by which a lower peak than the first must
        self.good_fit_mm = 12.0  # what is left must fit well: any few points of many fit somehow
        self.impossible = 1000.0
        self.mirrored_mm = 6.0  # by which a hip must fit better as one of the other side to be one
        self.size_range = 0.45  # natural logarithm of a hip's size to the template's
        self.register_buffer("mirror", torch.tensor([1.0, -1.0]), persistent=False)  # of the columns: right, left

    def fit(self, points: Tensor, confidence: Tensor) -> Tensor:
        """Fit each hip's similarity from the crop to the image, least squares weighted by confidence.

        The closed form is that of a complex linear regression (Umeyama 1991, restricted to the plane).

        Args:
            points: (B, 2, 5, 2) landmarks, (row, col) in image pixels.
            confidence: (B, 2, 5) weights >= 0; 0 leaves a landmark out.

        Returns:
            (B, 2, 2, 3) matrices A with image (row, col) = A @ (crop row, crop col, 1). A hip with fewer than two
            weighted landmarks gets a degenerate matrix whose crop is one point.
        """
        weight = confidence / confidence.sum(dim=2, keepdim=True).clamp(min=1e-6)
        template_row = self.template[:, 0].view(1, 1, -1).to(points.dtype)
        template_col = self.template[:, 1].view(1, 1, -1).to(points.dtype) * self.mirror.view(1, -1, 1).to(points.dtype)
        row, col = points[..., 0], points[..., 1]
        centre_row, centre_col = (weight * row).sum(dim=2), (weight * col).sum(dim=2)
        template_centre_row, template_centre_col = (weight * template_row).sum(dim=2), (weight * template_col).sum(dim=2)
        delta_row, delta_col = row - centre_row.unsqueeze(2), col - centre_col.unsqueeze(2)
        q_row = template_row - template_centre_row.unsqueeze(2)
        q_col = template_col - template_centre_col.unsqueeze(2)
        spread = (weight * (q_row**2 + q_col**2)).sum(dim=2).clamp(min=1e-6)
        cos = (weight * (q_col * delta_col + q_row * delta_row)).sum(dim=2) / spread
        sin = (weight * (q_col * delta_row - q_row * delta_col)).sum(dim=2) / spread
        mirror = self.mirror.view(1, -1).to(points.dtype)
        shift_row = centre_row - (cos * template_centre_row + sin * template_centre_col)
        shift_col = centre_col - (cos * template_centre_col - sin * template_centre_row)
        return torch.stack(
            (
                torch.stack((cos, sin * mirror, shift_row), dim=2),
                torch.stack((-sin, cos * mirror, shift_col), dim=2),
            ),
            dim=2,
        )

    def likeliest(self, points: Tensor, weight: Tensor, spacing_mm: float) -> tuple[Tensor, Tensor]:
        """Choose the peak of each landmark, or none, with which the landmarks lie as a femur's do.

        Every choice with three or more landmarks is tried; each that is left out must bring the others nearer by some mm, each
        lower peak by half as much, and the hip must have a believable size, else there is none. Nor is there where the first
        peaks fit better as one of the other side, mirrored: left and right are never swapped.

        Args:
            points: (B, 2, 5, 3, 2) peaks of each landmark, (row, col) in image pixels.
            weight: (B, 2, 5, 3), 0 for a peak that is none.
            spacing_mm: pixel spacing of the image.

        Returns:
            points (B, 2, 5, 2) and weight (B, 2, 5), 0 where a landmark was left out; all of them where there is no hip.
        """
        own, best = self._best_choice(points, weight, spacing_mm)
        first = weight * self.choices[0].to(weight.dtype)
        other, _ = self._best_choice(points * self.mirror.to(points.dtype), first, spacing_mm)
        chosen = self.choices.to(weight.dtype)[best]  # (B, 2, 5, 3)
        believed = (own <= other + self.mirrored_mm) & (own < self.impossible / 2)
        return (points * chosen.unsqueeze(4)).sum(dim=3), (weight * chosen).sum(dim=3) * believed.to(weight.dtype).unsqueeze(2)

    def _best_choice(self, points: Tensor, weight: Tensor, spacing_mm: float) -> tuple[Tensor, Tensor]:
        """The least cost (B, 2) of any choice of landmarks, and which choice it is (B, 2)."""
        number, batch = self.choices.shape[0], points.shape[0]
        choices = self.choices.to(weight.dtype).view(number, 1, 1, self.template.shape[0], -1)
        tried = (weight.unsqueeze(0) * choices).sum(dim=4).flatten(0, 1)
        peaks = (points.unsqueeze(0) * choices.unsqueeze(5)).sum(dim=4).flatten(0, 1)
        transforms = self.fit(peaks, tried)
        misfit = self.misfit(peaks, tried, transforms).view(number, batch, -1)
        size = (self.poses(transforms, spacing_mm)[:, :, 0] - math.log(self.crop_spacing_mm)).view(number, batch, -1)
        kept = (tried > 0).to(weight.dtype).sum(dim=2).view(number, batch, -1)
        lower = choices[..., 1:].sum(dim=(3, 4))  # (choices, 1, 1)
        plain = (kept == kept[:1]) & (lower == 0)  # all the first peaks
        impossible = (size.abs() > self.size_range) | (kept < self.fewest) | (~plain & (misfit > self.good_fit_mm))
        cost = misfit - self.gain_mm * kept + self.lower_mm * lower + self.impossible * impossible.to(weight.dtype)
        least, best = cost.min(dim=0)
        return least, best

    def misfit(self, points: Tensor, confidence: Tensor, transforms: Tensor) -> Tensor:
        """How far a hip's landmarks lie from where the similarity puts the template's: the shape of a femur, or of nothing.

        Args:
            points: (B, 2, 5, 2), as given to `fit`.
            confidence: (B, 2, 5), as given to `fit`.
            transforms: (B, 2, 2, 3) from `fit`.

        Returns:
            (B, 2): weighted mean distance in mm on the template.
        """
        a = transforms.to(points.dtype)
        template_row = self.template[:, 0].view(1, 1, -1).to(points.dtype)
        template_col = self.template[:, 1].view(1, 1, -1).to(points.dtype)
        row = a[:, :, 0, :1] * template_row + a[:, :, 0, 1:2] * template_col + a[:, :, 0, 2:]
        col = a[:, :, 1, :1] * template_row + a[:, :, 1, 1:2] * template_col + a[:, :, 1, 2:]
        distance = torch.sqrt((points[..., 0] - row) ** 2 + (points[..., 1] - col) ** 2)
        weight = confidence / confidence.sum(dim=2, keepdim=True).clamp(min=1e-6)
        scale = torch.sqrt(a[:, :, 0, 0] ** 2 + a[:, :, 1, 0] ** 2).clamp(min=1e-3)
        return (distance * weight).sum(dim=2) / scale * self.crop_spacing_mm

    def shape(self, points: Tensor, transforms: Tensor, spacing_mm: float) -> Tensor:
        """Describe the form of hips, whatever their place: where the landmarks lie beside the template's, and size and turn.

        Args:
            points: (B, 2, 5, 2), (row, col) in image pixels.
            transforms: (B, 2, 2, 3) from `fit` of these.
            spacing_mm: pixel spacing of the image.

        Returns:
            (B, 2, 12): of each landmark how far it lies distal and medial of the template's, 1 = 10 mm; 10 times the natural
            logarithm of the size to the template's; and abduction, 1 = 10 degrees.
        """
        a = transforms.to(points.dtype)
        square = (a[:, :, 0, 0] ** 2 + a[:, :, 1, 0] ** 2).clamp(min=1e-6).unsqueeze(2)
        row, col = points[..., 0] - a[:, :, 0, 2:], points[..., 1] - a[:, :, 1, 2:]
        # The inverse of a turn and an enlargement, mirrored for a left hip, is its transpose over their square.
        own_row = (a[:, :, 0, :1] * row + a[:, :, 1, :1] * col) / square - self.template[:, 0].to(points.dtype)
        own_col = (a[:, :, 0, 1:2] * row + a[:, :, 1, 1:2] * col) / square - self.template[:, 1].to(points.dtype)
        apart = torch.cat((own_row, own_col), dim=2) * (self.crop_spacing_mm / 10.0)
        poses = self.poses(transforms, spacing_mm)
        size = (poses[:, :, :1] - math.log(self.crop_spacing_mm)) * 10.0
        return torch.cat((apart, size, torch.rad2deg(poses[:, :, 1:]) / 10.0), dim=2)

    def poses(self, transforms: Tensor, spacing_mm: float) -> Tensor:
        """Describe the similarity by what the canonical crop hides: how large and how turned the hip was.

        Args:
            transforms: (B, 2, 2, 3) from `fit`.
            spacing_mm: pixel spacing of the image.

        Returns:
            (B, 2, 2): natural logarithm of the size of a crop pixel in mm, and rotation in radians, positive towards abduction.
        """
        cos, sin = transforms[:, :, 0, 0], -transforms[:, :, 1, 0]
        size = torch.sqrt(cos**2 + sin**2).clamp(min=1e-3) * spacing_mm
        abduction = torch.atan2(sin * self.mirror.view(1, -1).to(sin.dtype), cos)
        return torch.stack((torch.log(size), abduction), dim=2)

    def sample(self, image: Tensor, transforms: Tensor) -> Tensor:
        """Sample the crops, bilinear; what lies outside the image is 0.

        Args:
            image: (B, C, H, W).
            transforms: (B, hips, 2, 3) from `fit`, in pixels of this image.

        Returns:
            (B, hips, C, rows, cols), in the order of the transforms.
        """
        rows = torch.arange(self.crop_rows, device=image.device, dtype=image.dtype).view(1, 1, -1, 1)
        cols = torch.arange(self.crop_cols, device=image.device, dtype=image.dtype).view(1, 1, 1, -1)
        a = transforms.to(image.dtype).unsqueeze(4).unsqueeze(5)  # (B, 2, 2, 3, 1, 1)
        row = a[:, :, 0, 0] * rows + a[:, :, 0, 1] * cols + a[:, :, 0, 2]
        col = a[:, :, 1, 0] * rows + a[:, :, 1, 1] * cols + a[:, :, 1, 2]
        # All hips go through one call, one above the other, so that the image is not copied for each.
        stacked = sample_at(image, row.flatten(1, 2), col.flatten(1, 2))
        hips = transforms.shape[1]
        return stacked.view(image.shape[0], image.shape[1], hips, self.crop_rows, self.crop_cols).transpose(1, 2)
