"""What a film shows and how: is it an upright AP view of adult hips, how is the patient turned, is a femur broken?"""

import torch
from torch import Tensor, nn

from scripts.networks.hips import HipEncoder


class ViewNetwork(nn.Module):
    """Judges a whole film, small, and the canonical crop of each hip.

    Novelty is the Mahalanobis distance of the film's features from those of the films that were learnt from (Lee et al.,
    NeurIPS 2018), divided by the square root of their number, so that a usual film has about 1.

    Args:
        film_encoder: backbone that maps a film (B, 1, h, w) to (B, features).
        hip_encoder: backbone that maps crops (N, 1, rows, cols) to (N, hip_features).
        features: number of the film backbone's features.
        hip_features: number of the crop backbone's features.
        crop_spacing: of the typical crop, see `HipEncoder`.
    """

    feature_mean: Tensor
    feature_whitening: Tensor

    def __init__(self, film_encoder: nn.Module, hip_encoder: nn.Module, features: int = 64, hip_features: int = 64) -> None:
        super().__init__()
        self.degrees = 10.0  # that count as one unit of the network's own outputs
        self.film_encoder = film_encoder
        self.hip_encoder = HipEncoder(hip_encoder)
        self.film_head = nn.Sequential(nn.LeakyReLU(), nn.Dropout(0.1), nn.Linear(features, 2))
        self.hip_head = nn.Sequential(nn.LeakyReLU(), nn.Dropout(0.1), nn.Linear(hip_features + 2, 2))
        self.register_buffer("feature_mean", torch.zeros(features))
        self.register_buffer("feature_whitening", torch.eye(features))

    def film(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Judge whole films.

        Args:
            image: (B, 1, h, w), normalised, at 1.8 mm.

        Returns:
            logit (B,) of an upright AP view of an adult's hips; rotation of the pelvis about the body's long axis (B,),
            degrees; features (B, features).
        """
        features = self.film_encoder(nn.functional.avg_pool2d(image, 2))
        out = self.film_head(features)
        return out[:, 0], out[:, 1] * self.degrees, features

    def hips(self, crops: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
        """Judge hips.

        Args:
            crops: (B, 2, rows, cols), right hip first, left hip mirrored.
            poses: (B, 2, 2), see `HipLocaliser.poses`.

        Returns:
            logit (B, 2) of a broken or deformed femur; rotation of the femur (B, 2), degrees outward.
        """
        out = self.hip_head(self.hip_encoder(crops, poses))
        return out[:, :, 0], out[:, :, 1] * self.degrees

    def novelty(self, features: Tensor) -> Tensor:
        """How unlike the learnt films (B, features) are: (B,), about 1 for a usual film."""
        white = (features - self.feature_mean) @ self.feature_whitening
        return torch.sqrt((white * white).mean(dim=1))

    def forward(self, film: Tensor, crops: Tensor, poses: Tensor) -> Tensor:
        """Judge film and hips together, for training: (B, 6) hip_view logit, pelvic turn, then fracture logits (right, left)
        and rotations (right, left); angles in degrees."""
        view, turn, _ = self.film(film)
        fracture, rotation = self.hips(crops, poses)
        return torch.cat((view.unsqueeze(1), turn.unsqueeze(1), fracture, rotation), dim=1)
