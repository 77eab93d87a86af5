"""Between a radiograph and the crops of its hips: maps from one to the other, and masks of the crops laid back onto it."""

import math

import torch
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.networks.sampling import sample_at

HEAD, GREATER, LESSER = (HIP.landmark(name) for name in ("head_centre", "greater_trochanter", "lesser_trochanter"))


def to_radiograph(points: Tensor, transforms: Tensor) -> Tensor:
    """Points of crops on the radiograph: points (B, 2, N, 2), (row, col) in crop pixels; transforms (B, 2, 2, 3)."""
    return points @ transforms[:, :, :, :2].transpose(2, 3) + transforms[:, :, :, 2].unsqueeze(2)


def nudged(transforms: Tensor, rows: int, cols: int, angle: float, enlargement: float) -> Tensor:
    """Turn crops about their own middle, and let them cover more of the radiograph.

    Args:
        transforms: (B, N, 2, 3) with radiograph (row, col) = A @ (crop row, crop col, 1).
        rows, cols: size of a crop.
        angle: radians.
        enlargement: factor along each side.

    Returns:
        (B, N, 2, 3).
    """
    cos, sin = math.cos(angle) * enlargement, math.sin(angle) * enlargement
    row, col = (rows - 1) / 2, (cols - 1) / 2
    turn = [[cos, sin, row - cos * row - sin * col], [-sin, cos, col + sin * row - cos * col]]
    moved = transforms[..., :2] @ torch.tensor(turn, dtype=transforms.dtype, device=transforms.device)
    return torch.cat((moved[..., :2], moved[..., 2:] + transforms[..., 2:]), dim=3)


def between(first: Tensor, second: Tensor) -> Tensor:
    """Transforms from pixels of second crops to pixels of first ones, of the same radiograph: all (B, N, 2, 3)."""
    a, b, c, d = first[..., 0, 0], first[..., 0, 1], first[..., 1, 0], first[..., 1, 1]
    determinant = a * d - b * c
    determinant = torch.where(determinant.abs() < 1e-6, torch.ones_like(determinant), determinant)
    inverse = torch.stack((torch.stack((d, -b), dim=2), torch.stack((-c, a), dim=2)), dim=2)
    inverse = inverse / determinant.unsqueeze(2).unsqueeze(3)
    shift = second[..., 2:] - first[..., 2:]
    return inverse @ torch.cat((second[..., :2], shift), dim=3)


def mirrored(
    points: Tensor, weight: Tensor, sine: float = 0.3, head: int = HEAD, greater: int = GREATER, lesser: int = LESSER
) -> Tensor:
    """Whether landmarks run round the hip as the other side's do, which no pose can bring about: a left hip is no right one.

    Args:
        points: (B, 2, 5, 2), (row, col) on the radiograph; the right hip first.
        weight: (B, 2, 5), 0 for a landmark that is not seen; a hip that lacks its head or a trochanter is not judged.
        sine: of the angle at the head, from which on; a bent hip brings both trochanters into one line with it.
        head, greater, lesser: indices of these landmarks (arguments, since TorchScript knows no constants of a module).

    Returns:
        (B, 2) bool.
    """
    one, other = points[:, :, greater] - points[:, :, head], points[:, :, lesser] - points[:, :, head]
    length = torch.linalg.vector_norm(one, dim=2) * torch.linalg.vector_norm(other, dim=2)
    area = (one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]) / length.clamp(min=1e-6)
    seen = (weight[:, :, head] > 0) & (weight[:, :, greater] > 0) & (weight[:, :, lesser] > 0)
    return torch.stack((area[:, 0] < -sine, area[:, 1] > sine), dim=1) & seen


def lay_on_radiograph(crops: Tensor, transforms: Tensor, used: Tensor, whole: Tensor, ramp_px: float = 12.0) -> Tensor:
    """Replace the logits of a radiograph by those of its hips' crops where there are any.

    Args:
        crops: (B, N, C, rows, cols) logits; where crops overlap, their mean counts.
        transforms: (B, N, 2, 3) with radiograph (row, col) = A @ (crop row, crop col, 1).
        used: (B, N), 1 for a crop to use and 0 for one to leave.
        whole: (B, C, H, W) logits.
        ramp_px: at a crop's border its logits give way to the others over so many pixels.

    Returns:
        (B, C, H, W).
    """
    number, rows, cols = crops.shape[1], crops.shape[3], crops.shape[4]
    height, width = whole.shape[2], whole.shape[3]
    a, b = transforms[:, :, 0, 0], transforms[:, :, 0, 1]
    c, d = transforms[:, :, 1, 0], transforms[:, :, 1, 1]
    determinant = a * d - b * c
    determinant = torch.where(determinant.abs() < 1e-6, torch.ones_like(determinant), determinant)
    shape = (a.shape[0], number, 1, 1)
    row = torch.arange(height, device=whole.device, dtype=whole.dtype).view(1, 1, -1, 1) - transforms[:, :, 0, 2].view(shape)
    col = torch.arange(width, device=whole.device, dtype=whole.dtype).view(1, 1, 1, -1) - transforms[:, :, 1, 2].view(shape)
    crop_row = (d / determinant).view(shape) * row - (b / determinant).view(shape) * col
    crop_col = (a / determinant).view(shape) * col - (c / determinant).view(shape) * row
    laid = sample_at(crops.flatten(0, 1), crop_row.flatten(0, 1), crop_col.flatten(0, 1), outside="border")
    laid = laid.view(crops.shape[0], number, crops.shape[2], height, width)
    # How deep inside the crop a pixel lies decides how much the crop counts.
    depth = torch.minimum(torch.minimum(crop_row, rows - 1 - crop_row), torch.minimum(crop_col, cols - 1 - crop_col))
    weight = (depth / ramp_px).clamp(0.0, 1.0) * used.view(shape)
    total = weight.sum(dim=1, keepdim=True)
    weight = weight / total.clamp(min=1.0)
    rest = 1.0 - total.clamp(max=1.0)
    return whole * rest + (laid * weight.unsqueeze(2)).sum(dim=1)
