"""What a radiograph shows and how: an upright AP view of hips? How does the pelvis lie? Is a femur broken, or still growing?"""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.networks.heads import Head
from scripts.networks.hips import local_contrast
from scripts.networks.localisation import SHAPE
from scripts.networks.sampling import sample_at
from scripts.networks.search import SIGNS

OUTPUTS: Final = (
    "view", "turn", "tilt", "femur", "femur", "fracture", "fracture", "growth", "growth", "rotation", "rotation",
)  # fmt: skip
"""Columns of `ViewNetwork.forward`; of the two of hips the right's comes first."""

_QUANTITIES = (
    "femur_probability",
    "fracture_probability",
    "growth_probability",
    "outward_rotation_deg",
    "hip_view",
    "novelty",
    "pelvic_turn_deg",
    "pelvic_tilt_deg",
)


class ViewNetwork(Head):
    """Judges a radiograph and its hips by the features with which `HipSearch` found them, and the pelvis by a crop of its own.

    Novelty is the Mahalanobis distance of the radiograph's features from those of the ones that were learnt from (Lee et al.,
    NeurIPS 2018), divided by the square root of their number, so that a usual radiograph has about 1.

    What is learnt of the pelvis' angles keeps to their mean, the more so the less it is sure; they are told larger than that, by
    what was learnt on the radiographs of the validation, so that a limit of so many degrees means so many.

    A hip is judged by the features by which it was drawn and by the form in which its landmarks lie, also beside the other
    hip's; a fracture by nothing but where a femur looked broken, by itself and beside the other, since a person's two hips are
    alike until one breaks. (Features and form rank simulated fractures better, and real ones worse, than those signs alone.)

    Args:
        pelvis_encoder: backbone that maps pelvic crops (N, 1, 48, 72) to (N, 3): its turn, its tilt, and its share of the view.
        radiograph_features: number of features of a radiograph, see `HipSearch`.
        hip_features: number of features of a hip.
        hidden: width of the layer between features and judgements.
        pelvis_spacing_mm: pixel of the pelvic crop, of heads ``heads_mm`` apart.
        heads_mm: distance of the centres of the femoral heads that every pelvis is brought to.
    """

    feature_mean: Tensor
    feature_whitening: Tensor
    angle_scale: Tensor

    def __init__(
        self,
        pelvis_encoder: nn.Module,
        radiograph_features: int,
        hip_features: int,
        hidden: int = 64,
        pelvis_spacing_mm: float = 2.0,
        heads_mm: float = 176.0,
    ) -> None:
        super().__init__(_QUANTITIES)
        self.pelvis_encoder = pelvis_encoder
        self.radiograph_judge = nn.Sequential(nn.LayerNorm(radiograph_features), _judge(radiograph_features, hidden, 1))
        self.hip_norm = nn.LayerNorm(hip_features)
        self.hip_judge = _judge(hip_features + 2 * SHAPE + 1, hidden, 3)
        self.fracture_judge = nn.Sequential(nn.Linear(2 * SIGNS + 1, 16), nn.LeakyReLU(), nn.Linear(16, 1))
        self.degrees = 10.0  # that count as one unit of the network's own outputs
        self.window = 41  # over which the local contrast is taken, pixels
        self.rows, self.cols, self.top, self.left = 96, 144, 56.0, (143 - heads_mm / pelvis_spacing_mm) / 2
        self.heads = heads_mm / pelvis_spacing_mm
        self.register_buffer("feature_mean", torch.zeros(radiograph_features))
        self.register_buffer("feature_whitening", torch.eye(radiograph_features))
        self.register_buffer("angle_scale", torch.ones(2))  # of turn and tilt

    def radiograph(self, features: Tensor, pelvis: Tensor, both: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Judge whole radiographs.

        A mirrored pelvis is turned the other way, and tilted as far and as good a view, by construction.

        Args:
            features: (B, radiograph_features).
            pelvis: (B, 1, 48, 72), see `pelvis`.
            both: (B,), 1 where both hips were found, 0 where there is no pelvic crop to speak of.

        Returns:
            logit (B,) of an upright AP view of an adult's hips; rotation of the pelvis about the body's long axis (B,), and
            its tilt forward (B,), degrees, 0 where not both hips were found.
        """
        seen, mirrored = self.pelvis_encoder(pelvis), self.pelvis_encoder(pelvis.flip(3))
        turn = (seen[:, 0] - mirrored[:, 0]) * self.degrees * self.angle_scale[0] * both
        tilt = (seen[:, 1] + mirrored[:, 1]) / 2 * self.degrees * self.angle_scale[1] * both
        return self.radiograph_judge(features)[:, 0] + (seen[:, 2] + mirrored[:, 2]) * both, turn, tilt

    def hips(self, features: Tensor, shapes: Tensor, breaks: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Judge hips.

        Args:
            features: (B, 2, hip_features).
            shapes: (B, 2, 12), see `HipLocaliser.shape`; 0 for a hip that was not found, or is implanted.
            breaks: (B, 2, 3), see `signs_of_break`; 0 as shapes.

        Returns:
            logits (B, 2) of a proximal femur, seen from the front; of a broken or deformed one; and of one that grows, the same
            of both where both are shown;
            rotation of the femur (B, 2), degrees outward.
        """
        both = (shapes != 0).any(dim=2).all(dim=1).to(shapes.dtype).view(-1, 1, 1)
        paired = both.expand(-1, 2, -1)
        form = torch.cat((shapes, (shapes - shapes.flip(1)) * both, paired), dim=2)
        alone = self.fracture_judge(torch.cat((breaks, torch.zeros_like(breaks), torch.zeros_like(paired)), dim=2))
        # A hip that looks broken by itself is no measure of what the other should look like.
        whole = both * (alone.flip(1) <= 0).to(shapes.dtype)
        signs = torch.cat((breaks, (breaks - breaks.flip(1)) * whole, whole), dim=2)
        out = self.hip_judge(torch.cat((self.hip_norm(features), form), dim=2))
        # Growth plates are open on both sides or on neither, a break looks like one on its own.
        growth = out[:, :, 1] + both[:, :, 0] * (out[:, :, 1].flip(1) - out[:, :, 1]) / 2
        return out[:, :, 0], self.fracture_judge(signs)[:, :, 0], growth, out[:, :, 2] * self.degrees

    def pelvis(self, radiograph: Tensor, heads: Tensor) -> Tensor:
        """Bring pelves to one place and size by the heads of their femurs.

        Args:
            radiograph: (B, 1, h, w).
            heads: (B, 2, 2) centres of the right and left femoral head, (row, col) in its pixels.

        Returns:
            (B, 1, 48, 72) local contrast, 0 outside the radiograph.
        """
        across = (heads[:, 1] - heads[:, 0]) / self.heads  # (row, col) of one crop pixel to the patient's left
        rows = torch.arange(self.rows, device=radiograph.device, dtype=radiograph.dtype).view(1, -1, 1) - self.top
        cols = torch.arange(self.cols, device=radiograph.device, dtype=radiograph.dtype).view(1, 1, -1) - self.left
        step_row, step_col = across[:, 0].view(-1, 1, 1), across[:, 1].view(-1, 1, 1)
        row = heads[:, 0, 0].view(-1, 1, 1) + step_row * cols + step_col * rows
        col = heads[:, 0, 1].view(-1, 1, 1) + step_col * cols - step_row * rows
        return F.avg_pool2d(local_contrast(sample_at(radiograph, row, col), self.window), 2)

    def novelty(self, features: Tensor) -> Tensor:
        """How unlike the learnt ones a radiograph is, by its features (B, radiograph_features): (B,), about 1 for a usual one."""
        white = (features - self.feature_mean) @ self.feature_whitening
        return torch.sqrt((white * white).mean(dim=1))

    def forward(
        self, radiograph_features: Tensor, hip_features: Tensor, pelvis: Tensor, shapes: Tensor, breaks: Tensor
    ) -> Tensor:
        """Judge radiograph, hips and pelvis together, for training.

        Returns:
            (B, 11), see `OUTPUTS`: logits, and angles in degrees.
        """
        femur, fracture, growth, rotation = self.hips(hip_features, shapes, breaks)
        both = (hip_features != 0).any(dim=2).all(dim=1).to(pelvis.dtype)
        whole = torch.stack(self.radiograph(radiograph_features, pelvis, both), dim=1)
        return torch.cat((whole, femur, fracture, growth, rotation), dim=1)

    def estimate(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give what it judges; of a hip, the probability of a femur is 0 where none was found, the rest where it is not valid."""
        found, valid = seen["found"], seen["valid"]
        # A hip that is not valid is no measure of what the other should look like.
        shapes, breaks = seen["shapes"] * valid.unsqueeze(2), seen["breaks"] * valid.unsqueeze(2)
        femur, fracture, growth, rotation = self.hips(seen["hip_features"], shapes, breaks)
        features, pelvis = seen["radiograph_features"], self.pelvis(seen["small"], seen["heads"])
        view, turn, tilt = self.radiograph(features, pelvis, found.min(dim=1)[0])
        return {
            "femur_probability": torch.sigmoid(femur) * found,
            "fracture_probability": torch.sigmoid(fracture) * valid,
            "growth_probability": torch.sigmoid(growth) * valid,
            "outward_rotation_deg": rotation * valid,
            "hip_view": torch.sigmoid(view),
            "novelty": self.novelty(features),
            "pelvic_turn_deg": turn,
            "pelvic_tilt_deg": tilt,
        }


def _judge(features: int, hidden: int, judgements: int) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(0.4), nn.Linear(features, hidden), nn.LeakyReLU(), nn.Linear(hidden, judgements))
