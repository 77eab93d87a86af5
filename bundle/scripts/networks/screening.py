"""The cascade: find the hips, draw their contours, judge the view, classify and regress, as one exportable network."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.clinical.anatomy import COVARIATES, HIP
from scripts.clinical.findings import CHANNELS, Of
from scripts.networks.localisation import HipLocaliser, shaft_angle
from scripts.networks.search import HipSearch
from scripts.networks.segmentation import CONTOUR_FACTOR, coarser
from scripts.networks.view import ViewNetwork


class ScreeningNetwork(nn.Module):
    """Screens a radiograph of the hips: one row of channels per image, named in `scripts.clinical.findings.CHANNELS`.

    A look at the whole film at 1.8 mm finds the hips; three more at each of them, upright and in one size at 0.6 mm, a left hip
    mirrored into a right one, draw the contours and place the landmarks. A hip that is absent or implanted is
    masked out: it lends nothing to the other estimates, and its own are 0.

    Args:
        search: `HipSearch`, all looks.
        localiser: `HipLocaliser` of the crops that the hip networks were trained with.
        view: `ViewNetwork`.
        siamese: `SiameseNetwork`.
        bmd: `BmdNetwork`.
        spacing_mm: pixel spacing of the input.
        presence_threshold: a hip whose least certain landmark (the shaft's aside) peaks below this probability is masked out.
        implant_threshold: so is a hip with at least this fraction of metal in its proximal-femur mask.
    """

    def __init__(
        self,
        search: HipSearch,
        localiser: HipLocaliser,
        view: ViewNetwork,
        siamese: nn.Module,
        bmd: nn.Module,
        spacing_mm: float = 0.3,
        presence_threshold: float = 0.25,
        implant_threshold: float = 0.05,
    ) -> None:
        super().__init__()
        self.search = search
        self.localiser = localiser
        self.view = view
        self.siamese = siamese
        self.bmd = bmd
        self.spacing_mm = spacing_mm
        self.presence_threshold = presence_threshold
        self.implant_threshold = implant_threshold
        self.factor = CONTOUR_FACTOR
        self.block = self.factor * search.block
        self.locating, self.shaft = HIP.locating, HIP.landmark("shaft")
        self.hip_channels = len(CHANNELS.of(Of.BONE))
        self.covariates = len(COVARIATES)

    def forward(self, image: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Screen.

        Args:
            image: (B, 1, H, W) normalised radiograph at 0.3 mm; H and W at least 256.
            covariates: (B, 4) age (years), sex (0 female, 1 male), weight (kg), height (cm); NaN, or None, is unknown.

        Returns:
            (B, K), see `CHANNELS`.
        """
        return self.predict(image, covariates)["channels"]

    def predict(self, image: Tensor, covariates: Tensor | None = None) -> dict[str, Tensor]:
        """Screen, and return everything a report shows.

        Args:
            image: as for `forward`.
            covariates: as for `forward`.

        Returns:
            channels (B, K); mask_logits (B, 3, H, W) for femur, prosthesis, fixation; landmarks (B, 2, 5, 2), (row, col)
            in image pixels; landmark_confidence (B, 2, 5), 0..1; crops (B, 2, rows, cols) of the image;
            crop_transforms (B, 2, 2, 3) with image (row, col) = A @ (crop row, crop col, 1); poses (B, 2, 2), see
            `HipLocaliser.poses`; valid (B, 2), 1 where the hip was measured.
        """
        if covariates is None:
            covariates = torch.full((image.shape[0], self.covariates), float("nan"), device=image.device)
        height, width = image.shape[2], image.shape[3]
        seen = self.search(self.searched(image))
        points, confidence, masks = seen["landmarks"], seen["confidence"], seen["masks"]
        landmarks = (points + 0.5) * self.factor - 0.5

        # A landmark that is not seen peaks anywhere: it must not pull at the pose.
        weight = confidence * (confidence >= self.presence_threshold).to(confidence.dtype)
        transforms = self.localiser.fit(landmarks, weight)
        crops = self.localiser.sample(image, transforms)[:, :, 0]
        poses = self.localiser.poses(transforms, self.spacing_mm)
        shaped = self.search.femur(landmarks, weight, transforms, self.localiser)
        present = confidence[:, :, : self.locating].min(dim=2)[0] * shaped.to(confidence.dtype)
        present = self._in_order(points, present)
        implant = self._metal_fraction(masks, self.localiser.fit(points, weight))
        valid = ((present >= self.presence_threshold) & (implant < self.implant_threshold)).to(image.dtype)

        # Where the film ends above the shaft's landmark, the pose of the whole hip stands for the shaft's.
        shaft_seen = confidence[:, :, self.shaft] >= self.presence_threshold
        angle = torch.where(shaft_seen, shaft_angle(landmarks), torch.rad2deg(poses[:, :, 1]))
        femur, fracture, rotation = self.view.hips(seen["hip_features"])
        hips = torch.stack(
            (
                present,
                torch.sigmoid(femur) * seen["found"],
                implant,
                torch.sigmoid(fracture) * valid,
                angle,
                rotation * valid,
                seen["agreement"],
            ),
            dim=2,
        )
        features, pelvis = seen["film_features"], self.view.pelvis(seen["small"], seen["heads"])
        view, turn = self.view.film(features, pelvis, seen["found"].min(dim=1)[0])
        film = torch.stack((torch.sigmoid(view), self.view.novelty(features), turn), dim=1)
        estimates, probability = self.estimate(crops, poses, valid, covariates)
        channels = torch.cat((torch.cat((hips, estimates.flatten(2)), dim=2).flatten(1), probability, film), dim=1)
        mask_logits = F.interpolate(masks, scale_factor=float(self.factor), mode="bilinear", align_corners=False)
        return {
            "channels": channels,
            "mask_logits": mask_logits[:, :, :height, :width],
            "landmarks": landmarks,
            "landmark_confidence": confidence,
            "crops": crops,
            "crop_transforms": transforms,
            "poses": poses,
            "valid": valid,
        }

    def searched(self, image: Tensor) -> Tensor:
        """The film that is searched, at 0.6 mm, of an image as for `forward`."""
        # Padded to whole blocks of the coarsest backbone, and always by at least a pixel, so that an exported graph need
        # not tell sizes that fit from sizes that do not.
        height, width = image.shape[2], image.shape[3]
        below, beside = self.block * (height // self.block + 1) - height, self.block * (width // self.block + 1) - width
        return coarser(F.pad(image, (0, beside, 0, below)), self.factor)

    def estimate(self, crops: Tensor, poses: Tensor, valid: Tensor, covariates: Tensor) -> tuple[Tensor, Tensor]:
        """Estimate bone density and the probability of osteoporosis from the crops of a patient's hips.

        Args:
            crops: (B, 2, rows, cols).
            poses: (B, 2, 2).
            valid: (B, 2), 1 for a hip to use.
            covariates: (B, 4).

        Returns:
            aBMD (B, 2, 2, 2): side, site (neck, total), mean and standard deviation in g/cm², 0 where not valid; and the
            probability (B, 1), 0 where no hip is valid.
        """
        used = crops * valid.unsqueeze(2).unsqueeze(3)
        bmd = self.bmd(used, poses, valid, covariates) * valid.unsqueeze(2).unsqueeze(3)
        probability = torch.sigmoid(self.siamese(used, poses, valid, covariates)) * valid.max(dim=1, keepdim=True)[0]
        return bmd, probability

    def join(self, predictions: Sequence[Mapping[str, Tensor]], usable: Tensor, covariates: Tensor) -> tuple[Tensor, Tensor]:
        """Estimate anew for a patient of whom several films are there, each hip from the film that shows it best.

        Args:
            predictions: of `predict`, without the batch axis, one a film.
            usable: (films, 2) bool, whether a film's right and left hip may be measured.
            covariates: (4,), of the patient.

        Returns:
            channels (K,) of the patient: a hip's are those of its film, but for the estimates, and the film's own are those
            of the first film used; films (2,) int, from which film the right and the left hip come, -1 for none.
        """
        confidence = torch.stack([prediction["channels"][: 2 * self.hip_channels] for prediction in predictions])
        present = confidence.view(-1, 2, self.hip_channels)[:, :, 0]
        films = torch.where(usable, present, torch.full_like(present, -1.0)).argmax(dim=0)
        films = torch.where(usable.any(dim=0), films, torch.full_like(films, -1))
        hips = [predictions[max(int(film), 0)] for film in films]
        crops, poses = (torch.stack([hip[key][side] for side, hip in enumerate(hips)]) for key in ("crops", "poses"))
        valid = (films >= 0).to(crops.dtype)
        bmd, probability = self.estimate(crops[None], poses[None], valid[None], covariates[None])
        channels = hips[0 if films[0] >= 0 else 1]["channels"].clone()
        for side, hip in enumerate(hips):
            begin, end = side * self.hip_channels, (side + 1) * self.hip_channels
            channels[begin:end] = hip["channels"][begin:end] * valid[side]
            channels[end - 4 : end] = bmd[0, side].flatten()
        channels[2 * self.hip_channels] = probability[0, 0]
        return channels, films

    def _in_order(self, points: Tensor, present: Tensor) -> Tensor:
        """Drop the less certain hip of two whose right one lies at the viewer's right of the left one: present (B, 2)."""
        both = (present >= self.presence_threshold).all(dim=1, keepdim=True)
        crossed = points[:, :1, 0, 1] >= points[:, 1:, 0, 1]
        weaker = torch.stack((present[:, 0] < present[:, 1], present[:, 1] <= present[:, 0]), dim=1)
        return torch.where(both & crossed & weaker, torch.zeros_like(present), present)

    def _metal_fraction(self, masks: Tensor, transforms: Tensor) -> Tensor:
        """Fraction of metal in the proximal-femur mask of each crop: masks (B, 3, h, w) logits -> (B, 2)."""
        inside = self.localiser.sample((masks > 0).to(masks.dtype), transforms)  # (B, 2, 3, rows, cols)
        area = inside.sum(dim=(3, 4))
        metal = area[:, :, 1] + area[:, :, 2]
        return metal / (area[:, :, 0] + metal).clamp(min=1.0)
