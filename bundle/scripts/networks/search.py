"""The search for the hips: a first look at the whole film finds them, a second at each of them draws its contours."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.networks.contours import lay_on_film, mirrored, to_film
from scripts.networks.localisation import HipLocaliser, find_landmarks
from scripts.networks.segmentation import CONTOUR_FACTOR, FILM_FACTOR, MASKS, SegmentationNetwork, coarser
from scripts.radiograph import LANDMARKS


class HipSearch(nn.Module):
    """Finds both hips on a film, draws their contours, and describes film and hips by the features it did so with.

    Args:
        localisation: `SegmentationNetwork` of whole films at 1.8 mm.
        segmentation: `SegmentationNetwork` of one hip's crop at 0.6 mm, upright and in one size, a left hip mirrored.
        framer: `HipLocaliser` of these crops.
        spacing_mm: of the radiograph; a film is searched at twice this.
        presence_threshold: a landmark that peaks below this probability is not seen.
        misfit_threshold_mm: landmarks that lie further than this from the shape of a femur are none; those of simulated
            hips lie within 10 (AP) and 21 mm (frog-leg).
        film_radius_mm: radius of the disc round a heat map's peak whose centroid is the landmark, on the film.
        crop_radius_mm: the same on a crop.
    """

    def __init__(
        self,
        localisation: SegmentationNetwork,
        segmentation: SegmentationNetwork,
        framer: HipLocaliser,
        spacing_mm: float = 0.3,
        presence_threshold: float = 0.25,
        misfit_threshold_mm: float = 25.0,
        film_radius_mm: float = 12.0,
        crop_radius_mm: float = 7.0,
    ) -> None:
        super().__init__()
        self.localisation = localisation
        self.segmentation = segmentation
        self.framer = framer
        self.spacing_mm = spacing_mm * CONTOUR_FACTOR
        self.presence_threshold = presence_threshold
        self.misfit_threshold_mm = misfit_threshold_mm
        self.film_factor = FILM_FACTOR // CONTOUR_FACTOR
        self.block = self.film_factor * localisation.multiple
        self.film_radius = film_radius_mm / (spacing_mm * FILM_FACTOR)
        self.crop_radius = crop_radius_mm / framer.crop_spacing_mm
        self.masks = len(MASKS)
        self.landmarks = len(LANDMARKS)

    def forward(self, film: Tensor) -> dict[str, Tensor]:
        """Search.

        Args:
            film: (B, 1, H, W) normalised radiograph at 0.6 mm.

        Returns:
            small (B, 1, H / 3, W / 3), the film of the first look; landmarks (B, 2, 5, 2), (row, col) in pixels of the film;
            heads (B, 2, 2), the centres of the femoral heads in pixels of ``small``; confidence (B, 2, 5), 0..1, 0 where no
            hip was found; masks (B, 3, H, W) logits; film_features (B, 2 F) of the first look; hip_features (B, 2, 2 G) of
            the second, 0 where no hip was found; found (B, 2), 1 or 0.
        """
        small = coarser(film, self.film_factor)
        logits, deep = self.localisation.look(small)
        points, confidence = find_landmarks(logits[:, self.masks :], self.film_radius)
        shape = (points.shape[0], 2, self.landmarks)
        points = (points.view(shape[0], 2, self.landmarks, 2) + 0.5) * self.film_factor - 0.5
        seen = (confidence.view(shape) >= self.presence_threshold).to(confidence.dtype)
        weight = self.framer.without_outliers(points, confidence.view(shape) * seen, self.spacing_mm)
        frames = self.framer.fit(points, weight)
        found = self.femur(points, weight, frames, self.framer)

        crops = self.framer.sample(film, frames)  # (B, 2, 1, rows, cols)
        fine, fine_deep = self.segmentation.look(crops.flatten(0, 1))
        fine_points, fine_confidence = find_landmarks(fine[:, self.masks :], self.crop_radius)
        fine_points = to_film(fine_points.view(shape[0], 2, self.landmarks, 2), frames)
        there = found.to(confidence.dtype)
        fine_confidence = fine_confidence.view(shape) * there.unsqueeze(2)
        certain = fine_confidence * (fine_confidence >= self.presence_threshold).to(confidence.dtype)
        drawn_on = found & self.femur(fine_points, certain, self.framer.fit(fine_points, certain), self.framer)

        coarse = F.interpolate(
            logits[:, : self.masks], scale_factor=float(self.film_factor), mode="bilinear", align_corners=False
        )
        drawn = fine[:, : self.masks].reshape(shape[0], 2, self.masks, crops.shape[3], crops.shape[4])
        hip_features = pooled(fine_deep).reshape(shape[0], 2, -1)
        return {
            "small": small,
            "landmarks": fine_points,
            "heads": (fine_points[:, :, 0] + 0.5) / self.film_factor - 0.5,
            "confidence": fine_confidence,
            "masks": lay_on_film(drawn, frames, drawn_on.to(coarse.dtype), coarse),
            "film_features": pooled(deep),
            "hip_features": hip_features * there.unsqueeze(2),
            "found": there,
        }

    def femur(self, points: Tensor, weight: Tensor, transforms: Tensor, localiser: HipLocaliser) -> Tensor:
        """Whether landmarks lie as a femur's do, and run round it as that side's: (B, 2) bool.

        Three seen ones are needed: any two fit a similarity.
        """
        shaped = localiser.misfit(points, weight, transforms) <= self.misfit_threshold_mm
        return shaped & ~mirrored(points, weight) & ((weight > 0).sum(dim=2) >= localiser.fewest)


def pooled(features: Tensor) -> Tensor:
    """Mean and maximum of each feature map: (N, C, h, w) -> (N, 2 C)."""
    return torch.cat((features.mean(dim=(2, 3)), features.amax(dim=(2, 3))), dim=1)
