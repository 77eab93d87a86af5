"""Random poses and framings of a radiograph, applied to its mask and landmarks alike."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import RandomizableTransform
from torch import Tensor


class RandRadiographPosed(RandomizableTransform):
    """Turns, scales, shears, mirrors, shifts and crops a radiograph to a fixed size, as other hospitals frame theirs.

    Sometimes it is centred on one hip, and sometimes a collimator covers a part. A mirror image swaps the sides of the
    landmarks. A landmark that is no longer visible becomes NaN.

    Args:
        image_key: (1, H, W) float.
        label_key: (classes, H, W) uint8, 0..255: how much of a pixel each covers; becomes float 0..1.
        landmarks_key: (2, 5, 2), (row, col) in pixels.
        size: (rows, cols) of the result.
        degrees: standard deviation of the rotation; it is limited to ±25 degrees.
        scale: range of the magnification.
        shear_sd: standard deviation of a shear, which makes hips of other shapes.
        shift_sd: standard deviation of the shift, as a share of height and width.
        one_hip: probability of centring on one hip.
        collimate: probability of a collimator.
        mirror: probability of a mirror image.
    """

    def __init__(
        self,
        image_key: Hashable = "image",
        label_key: Hashable = "label",
        landmarks_key: Hashable = "landmarks",
        size: Sequence[int] = (320, 384),
        degrees: float = 10.0,
        scale: tuple[float, float] = (0.8, 1.25),
        shear_sd: float = 0.04,
        shift_sd: float = 0.07,
        one_hip: float = 0.25,
        collimate: float = 0.3,
        mirror: float = 0.5,
    ) -> None:
        super().__init__(prob=1.0)
        self.image_key, self.label_key, self.landmarks_key = image_key, label_key, landmarks_key
        self.rows, self.cols = size
        self.degrees, self.scale, self.shear_sd, self.shift_sd = degrees, scale, shear_sd, shift_sd
        self.one_hip, self.collimate, self.mirror = one_hip, collimate, mirror

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with the three keys posed alike."""
        image, label = torch.as_tensor(data[self.image_key]).float(), torch.as_tensor(data[self.label_key])
        landmarks = torch.as_tensor(data[self.landmarks_key]).float()
        matrix, centre = self._affine(image.shape[1], image.shape[2], landmarks)
        grid, inside = self._grid(matrix, centre, image.shape[1], image.shape[2])
        inside &= self._aperture()
        border = float(self.R.choice([0.0, 0.0, 1.0, self.R.uniform(0.0, 1.0)]))
        posed = F.grid_sample(image[None], grid, mode="bilinear", padding_mode="border", align_corners=False)[0]
        classes = F.grid_sample(label[None].float() / 255, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
        posed = torch.where(inside, posed, torch.tensor(border))
        classes = torch.where(inside, classes, torch.zeros(()))
        points = self._move(landmarks, matrix, centre)
        if self.R.random() < self.mirror:
            posed, classes, inside = posed.flip(2), classes.flip(2), inside.flip(1)
            points = torch.stack((points[..., 0], self.cols - 1 - points[..., 1]), dim=-1).flip(0)
        points = self._hide(points, inside)
        return {**data, self.image_key: posed, self.label_key: classes, self.landmarks_key: points}

    def _affine(self, height: int, width: int, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the 2 x 2 matrix and the centre, both (row, col): radiograph = centre + matrix @ (posed - posed centre)."""
        angle = np.deg2rad(np.clip(self.R.normal(0.0, self.degrees), -25.0, 25.0))
        stretch = 1.0 / self.R.uniform(*self.scale)
        shear = self.R.normal(0.0, self.shear_sd, size=(2, 2))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        matrix = stretch * turn @ (np.eye(2) + shear)
        visible = torch.isfinite(landmarks).all(dim=2)
        hips = [side for side in range(2) if bool(visible[side].any())]
        if hips and self.R.random() < self.one_hip:
            side = hips[self.R.randint(len(hips))]
            centre = landmarks[side][visible[side]].mean(dim=0).numpy() + self.R.normal(0.0, 30.0, size=2)
        else:
            centre = np.array([height, width]) * (0.5 + self.R.normal(0.0, self.shift_sd, size=2)) - 0.5
        return torch.tensor(matrix, dtype=torch.float32), torch.tensor(centre, dtype=torch.float32)

    def _grid(self, matrix: Tensor, centre: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        rows = torch.arange(self.rows, dtype=torch.float32).view(-1, 1) - (self.rows - 1) / 2
        cols = torch.arange(self.cols, dtype=torch.float32).view(1, -1) - (self.cols - 1) / 2
        row = centre[0] + matrix[0, 0] * rows + matrix[0, 1] * cols
        col = centre[1] + matrix[1, 0] * rows + matrix[1, 1] * cols
        grid = torch.stack(((2 * col + 1) / width - 1, (2 * row + 1) / height - 1), dim=2)
        return grid[None], (grid.abs() <= 1.0).all(dim=2)

    def _aperture(self) -> Tensor:
        """Draw the rectangle that the collimator leaves open, (rows, cols) bool."""
        inside = torch.ones(self.rows, self.cols, dtype=torch.bool)
        if self.R.random() < self.collimate:
            top, bottom, left, right = self.R.uniform(0.0, 0.3, size=4) * self.R.randint(0, 2, size=4)
            inside[: int(top * self.rows)] = False
            inside[self.rows - int(bottom * self.rows) :] = False
            inside[:, : int(left * self.cols)] = False
            inside[:, self.cols - int(right * self.cols) :] = False
        return inside

    def _move(self, landmarks: Tensor, matrix: Tensor, centre: Tensor) -> Tensor:
        inverse = torch.linalg.inv(matrix)
        posed_centre = torch.tensor([(self.rows - 1) / 2, (self.cols - 1) / 2])
        return (landmarks - centre) @ inverse.T + posed_centre

    def _hide(self, points: Tensor, inside: Tensor) -> Tensor:
        index = torch.nan_to_num(points, nan=-1.0).round().long()
        within = ((index >= 0) & (index < torch.tensor([self.rows, self.cols]))).all(dim=2)
        index = index.clamp(min=0).minimum(torch.tensor([self.rows - 1, self.cols - 1]))
        visible = within & inside[index[..., 0], index[..., 1]]
        return torch.where(visible.unsqueeze(2), points, torch.tensor(float("nan")))
