"""The cascade: segment, localise the hips, classify and regress, as one exportable network."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.networks.localisation import HipLocaliser, find_landmarks, shaft_angle
from scripts.networks.segmentation import MASKS, SEGMENTATION_FACTOR, SegmentationNetwork, to_segmentation_grid
from scripts.radiograph import COVARIATES
from scripts.radiograph.landmarks import LOCATING


class ScreeningNetwork(nn.Module):
    """Screens a radiograph of the hips: 15 channels per image, named in `scripts.clinical.channels.CHANNELS`.

    A hip that is absent or implanted is masked out: it lends nothing to the other estimates, and its own are 0.

    Args:
        segmentation: `SegmentationNetwork`.
        localiser: `HipLocaliser`, the one the hip networks were trained with.
        siamese: `SiameseNetwork`.
        bmd: `BmdNetwork`.
        spacing_mm: pixel spacing of the input.
        presence_threshold: a hip whose least certain landmark (the shaft's aside) peaks below this probability is masked out.
        implant_threshold: so is a hip with at least this fraction of metal in its proximal-femur mask.
        misfit_threshold_mm: landmarks that lie further than this from the shape of a femur are none; those of simulated
            hips lie within 10 (AP) and 21 mm (frog-leg).
        landmark_radius_mm: radius of the disc round a heat map's peak whose centroid is the landmark.
    """

    def __init__(
        self,
        segmentation: SegmentationNetwork,
        localiser: HipLocaliser,
        siamese: nn.Module,
        bmd: nn.Module,
        spacing_mm: float = 0.3,
        presence_threshold: float = 0.25,
        implant_threshold: float = 0.05,
        landmark_radius_mm: float = 12.0,
        misfit_threshold_mm: float = 25.0,
    ) -> None:
        super().__init__()
        self.segmentation = segmentation
        self.localiser = localiser
        self.siamese = siamese
        self.bmd = bmd
        self.spacing_mm = spacing_mm
        self.presence_threshold = presence_threshold
        self.implant_threshold = implant_threshold
        self.misfit_threshold_mm = misfit_threshold_mm
        self.factor = SEGMENTATION_FACTOR
        self.block = SEGMENTATION_FACTOR * segmentation.multiple
        self.landmark_radius = landmark_radius_mm / (spacing_mm * SEGMENTATION_FACTOR)
        self.masks = len(MASKS)
        self.locating = LOCATING
        self.covariates = len(COVARIATES)

    def forward(self, image: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Screen.

        Args:
            image: (B, 1, H, W) normalised radiograph at 0.3 mm; H and W at least 256.
            covariates: (B, 4) age (years), sex (0 female, 1 male), weight (kg), height (cm); NaN, or None, is unknown.

        Returns:
            (B, 15), see `CHANNELS`.
        """
        return self.predict(image, covariates)["channels"]

    def predict(self, image: Tensor, covariates: Tensor | None = None) -> dict[str, Tensor]:
        """Screen, and return everything a report shows.

        Args:
            image: as for `forward`.
            covariates: as for `forward`.

        Returns:
            channels (B, 15); mask_logits (B, 3, H, W) for femur, prosthesis, fixation; landmarks (B, 2, 5, 2), (row, col)
            in image pixels; landmark_confidence (B, 2, 5), 0..1; crops (B, 2, rows, cols) of the image;
            crop_transforms (B, 2, 2, 3) with image (row, col) = A @ (crop row, crop col, 1); present, implant and
            shaft_angle (B, 2); valid (B, 2), 1 where the hip was measured; bmd (B, 2, 2, 2): site (neck, total), mean and
            standard deviation in g/cm².
        """
        if covariates is None:
            covariates = torch.full((image.shape[0], self.covariates), float("nan"), device=image.device)
        height, width = image.shape[2], image.shape[3]
        # Padded to whole blocks of the segmentation's backbone, and always by at least a pixel, so that an exported graph
        # need not tell sizes that fit from sizes that do not.
        below, beside = self.block * (height // self.block + 1) - height, self.block * (width // self.block + 1) - width
        logits = self.segmentation(to_segmentation_grid(F.pad(image, (0, beside, 0, below)), self.factor))
        masks, heat = logits[:, : self.masks], logits[:, self.masks :]

        coarse, confidence = find_landmarks(heat, self.landmark_radius)
        landmarks = (coarse + 0.5) * self.factor - 0.5
        # A landmark that is not seen peaks anywhere: it must not pull at the pose.
        weight = confidence * (confidence >= self.presence_threshold).to(confidence.dtype)
        transforms = self.localiser.fit(landmarks, weight)
        crops = self.localiser.sample(image, transforms)[:, :, 0]
        poses = self.localiser.poses(transforms, self.spacing_mm)

        shaped = self.localiser.misfit(landmarks, weight, transforms) <= self.misfit_threshold_mm
        present = confidence[:, :, : self.locating].min(dim=2)[0] * shaped.to(confidence.dtype)
        implant = self._metal_fraction(masks, self.localiser.fit(coarse, weight))
        valid = ((present >= self.presence_threshold) & (implant < self.implant_threshold)).to(image.dtype)
        crops_used = crops * valid.unsqueeze(2).unsqueeze(3)

        # Where the film ends above the shaft's landmark, the pose of the whole hip stands for the shaft's.
        shaft_seen = confidence[:, :, self.locating] >= self.presence_threshold
        angle = torch.where(shaft_seen, shaft_angle(landmarks), torch.rad2deg(poses[:, :, 1]))
        measured = valid.unsqueeze(2).unsqueeze(3)
        bmd = self.bmd(crops_used, poses, valid, covariates) * measured
        any_valid = valid.max(dim=1, keepdim=True)[0]
        probability = torch.sigmoid(self.siamese(crops_used, poses, valid, covariates)) * any_valid
        per_hip = torch.cat((torch.stack((present, implant, angle), dim=2), bmd.flatten(2)), dim=2)

        mask_logits = F.interpolate(masks, scale_factor=float(self.factor), mode="bilinear", align_corners=False)
        return {
            "channels": torch.cat((per_hip.flatten(1), probability), dim=1),
            "mask_logits": mask_logits[:, :, :height, :width],
            "landmarks": landmarks,
            "landmark_confidence": confidence,
            "crops": crops,
            "crop_transforms": transforms,
            "present": present,
            "implant": implant,
            "shaft_angle": angle,
            "valid": valid,
            "bmd": bmd,
        }

    def _metal_fraction(self, masks: Tensor, transforms: Tensor) -> Tensor:
        """Fraction of metal in the proximal-femur mask of each crop: masks (B, 3, h, w) logits -> (B, 2)."""
        inside = self.localiser.sample((masks > 0).to(masks.dtype), transforms)  # (B, 2, 3, rows, cols)
        area = inside.sum(dim=(3, 4))
        metal = area[:, :, 1] + area[:, :, 2]
        return metal / (area[:, :, 0] + metal).clamp(min=1.0)
