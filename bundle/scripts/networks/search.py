"""The search for the hips: a look at the whole radiograph finds them, three more at each of them draw its contours."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.clinical.anatomy import HIP
from scripts.networks.contours import between, lay_on_radiograph, mirrored, nudged, to_radiograph
from scripts.networks.fitting import MISFIT, tried
from scripts.networks.localisation import PEAKS, HipLocaliser, find_landmarks, find_peaks
from scripts.networks.segmentation import CONTOUR_FACTOR, MASKS, WHOLE_FACTOR, SegmentationNetwork, coarser


class HipSearch(nn.Module):
    """Finds both hips on a radiograph, draws their contours, and describes both by the features it did so with.

    Each hip is drawn three times: where the first look's landmarks place it, and twice where those of the drawing before do, a
    little turned this way and that, and enlarged. The mean of the last two is better than either. How far the first two agree
    tells how far a hip can be trusted: one that the first look places badly is a strange one.

    Args:
        localisation: `SegmentationNetwork` of whole radiographs at 1.8 mm.
        segmentation: `SegmentationNetwork` of one hip's crop at 0.6 mm, upright and in one size, a left hip mirrored; it tells
            where the femur is broken too.
        framer: `HipLocaliser` of these crops.
        presence_threshold: a landmark that peaks below this probability is not seen.
        misfit_threshold_mm: landmarks that lie further than this from the shape of a femur are none; those of simulated
            hips lie within 10 (AP) and 21 mm (frog-leg).
        peaks_apart_mm: so far from each other lie peaks of a heat map of the first look. A lower one may be the landmark, where
            the highest is at the other hip or on metal.
        heads_apart_mm: two femoral heads that lie nearer are one hip, seen as a right and as a left one; those of simulated
            adults lie at least 155 mm from each other.
        spacing_mm: of the radiograph as the cascade takes it; it is searched at twice this.
        whole_radius_mm: radius of the disc round a heat map's peak whose centroid is the landmark, in the first look.
        crop_radius_mm: the same on a crop.
        turn_degrees: by which the second drawing's crop is turned, and the third's the other way.
        enlargement: factor by which they cover more of the radiograph, along each side.
        tip_mm, tip_from_head_mm: the tip of the greater trochanter, which reaches so far below its landmark, and so near to the
            middle of the head. There nothing tells of a break: the notch behind the tip looks broken on many a sound hip.
    """

    tip: Tensor

    def __init__(
        self,
        localisation: SegmentationNetwork,
        segmentation: SegmentationNetwork,
        framer: HipLocaliser,
        presence_threshold: float,
        misfit_threshold_mm: float,
        peaks_apart_mm: float,
        heads_apart_mm: float,
        spacing_mm: float = 0.3,
        whole_radius_mm: float = 12.0,
        crop_radius_mm: float = 7.0,
        turn_degrees: float = 5.0,
        enlargement: float = 1.05,
        tip_mm: float = 20.0,
        tip_from_head_mm: float = 16.0,
    ) -> None:
        super().__init__()
        self.localisation = localisation
        self.segmentation = segmentation
        self.framer = framer
        self.image_mm, self.spacing_mm = spacing_mm, spacing_mm * CONTOUR_FACTOR
        self.presence_threshold = presence_threshold
        self.misfit_threshold_mm = misfit_threshold_mm
        self.whole_factor = WHOLE_FACTOR // CONTOUR_FACTOR
        self.block = self.whole_factor * localisation.multiple
        self.whole_radius = whole_radius_mm / (spacing_mm * WHOLE_FACTOR)
        self.crop_radius = crop_radius_mm / framer.crop_spacing_mm
        self.peaks = PEAKS
        self.peaks_apart = peaks_apart_mm / (spacing_mm * WHOLE_FACTOR)
        self.heads_apart = heads_apart_mm / self.spacing_mm
        self.turn, self.enlargement = math.radians(turn_degrees), enlargement
        self.masks = len(MASKS)
        self.landmarks, self.head = len(HIP.landmarks), HIP.landmark("head_centre")
        tip, head = framer.template[HIP.landmark("greater_trochanter")], framer.template[self.head]
        low, near = tip[0] + tip_mm / framer.crop_spacing_mm, head[1] - tip_from_head_mm / framer.crop_spacing_mm
        rows, cols = torch.arange(framer.crop_rows).view(-1, 1), torch.arange(framer.crop_cols)
        self.no_break = -10.0  # logit of a break where none is looked for
        self.register_buffer("tip", (rows < low) & (cols < near), persistent=False)
        self.radiograph_features = _features("localisation", localisation, f"{2 * self.landmarks} landmarks", 2 * self.landmarks)
        self.hip_features = _features("segmentation", segmentation, f"{self.landmarks} landmarks, fracture", self.landmarks + 1)

    def forward(self, radiograph: Tensor) -> dict[str, Tensor]:
        """Search.

        Args:
            radiograph: (B, 1, H, W), normalised, at 0.6 mm.

        Returns:
            small (B, 1, H / 3, W / 3), which the first look sees; landmarks (B, 2, 5, 2), (row, col) in pixels of the radiograph;
            heads (B, 2, 2), the centres of the femoral heads in pixels of ``small``; confidence (B, 2, 5), 0..1, 0 where no
            hip was found; masks (B, 3, H, W) logits; agreement (B, 2), Dice of the first two drawings of a femur, 0 where no hip
            was found; radiograph_features (B, 2 F) of the first look; hip_features (B, 2, 2 G) of the second drawing, 0 where
            no hip was found; shapes (B, 2, 12) of the landmarks, see `HipLocaliser.shape`, 0 where they do not lie as a femur's
            do; fracture (B, 2, rows, cols), logits of where the third drawing saw the femur broken, and the frames of it,
            fracture_frames (B, 2, 2, 3); breaks (B, 2, 3), see `signs_of_break`, 0 where no hip was found; found (B, 2), 1 or 0.
        """
        small = coarser(radiograph, self.whole_factor)
        logits, deep = self.localisation.look(small)
        peaks, certainty = find_peaks(logits[:, self.masks :], self.whole_radius, self.peaks_apart, self.peaks)
        peaks = (peaks.view(-1, 2, self.landmarks, self.peaks, 2) + 0.5) * self.whole_factor - 0.5
        certainty = certainty.view(-1, 2, self.landmarks, self.peaks)
        certainty = certainty * (certainty >= self.presence_threshold).to(certainty.dtype)
        points, weight = self.framer.likeliest(peaks, certainty, self.spacing_mm)
        frames = self.framer.fit(points, weight)
        found = self.femur(points, weight, frames, self.framer)

        there = found.to(weight.dtype).unsqueeze(2)
        first, first_points, first_confidence, _, _, _ = self.draw(radiograph, frames)
        again = self.replaced(frames, first_points, first_confidence * there, self.turn)
        second, second_points, second_confidence, fine_deep, _, second_breaks = self.draw(radiograph, again)
        agreement = self.agreement(first, second, between(frames, again))
        last = self.replaced(again, second_points, second_confidence * there, -self.turn)
        third, third_points, third_confidence, _, fracture, third_breaks = self.draw(radiograph, last)

        share = (third_confidence / (second_confidence + third_confidence).clamp(min=1e-6)).unsqueeze(3)
        fine_points = second_points + share * (third_points - second_points)
        fine_confidence = (second_confidence + third_confidence) / 2 * there
        there = there * self.once(fine_points[:, :, self.head], agreement * fine_confidence.mean(dim=2)).unsqueeze(2)
        fine_confidence = fine_confidence * there
        placed, drawn = self.place(fine_points, fine_confidence)
        coarse = F.interpolate(
            logits[:, : self.masks], scale_factor=float(self.whole_factor), mode="bilinear", align_corners=False
        )
        used = drawn.to(coarse.dtype)
        masks = lay_on_radiograph(
            torch.cat((second, third), dim=1), torch.cat((again, last), dim=1), torch.cat((used, used), dim=1), coarse
        )
        return {
            "small": small,
            "landmarks": fine_points,
            "heads": (fine_points[:, :, self.head] + 0.5) / self.whole_factor - 0.5,
            "confidence": fine_confidence,
            "masks": masks,
            "agreement": agreement * there[:, :, 0],
            "radiograph_features": pooled(deep),
            "hip_features": fine_deep * there,
            "shapes": self.framer.shape(fine_points, placed, self.spacing_mm) * drawn.to(fine_deep.dtype).unsqueeze(2),
            "fracture": fracture,
            "fracture_frames": last,
            "breaks": (second_breaks + third_breaks) / 2 * there,
            "found": there[:, :, 0],
        }

    def draw(self, radiograph: Tensor, frames: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Draw each hip in its frame (B, 2, 2, 3).

        Returns:
            mask logits (B, 2, 3, rows, cols); landmarks (B, 2, 5, 2), (row, col) in pixels of the radiograph; their confidence
            (B, 2, 5), 0..1; features (B, 2, 2 G); logits (B, 2, rows, cols) of where it is broken, and signs
            of a break (B, 2, 3).
        """
        crops = self.framer.sample(radiograph, frames)  # (B, 2, 1, rows, cols)
        logits, deep = self.segmentation.look(crops.flatten(0, 1))
        points, confidence = find_landmarks(logits[:, self.masks : -1], self.crop_radius)
        broken = logits[:, -1].masked_fill(self.tip, self.no_break)
        batch = radiograph.shape[0]
        return (
            logits[:, : self.masks].reshape(batch, 2, self.masks, crops.shape[3], crops.shape[4]),
            to_radiograph(points.view(batch, 2, self.landmarks, 2), frames),
            confidence.view(batch, 2, self.landmarks),
            pooled(deep).reshape(batch, 2, -1),
            broken.reshape(batch, 2, crops.shape[3], crops.shape[4]),
            signs_of_break(broken.unsqueeze(1)).view(batch, 2, -1),
        )

    def redraw(self, radiograph: Tensor, points: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw each hip twice where landmarks place it that a person has set.

        Args:
            radiograph: as for `forward`.
            points: (B, 2, 5, 2), (row, col) in pixels of it.
            confidence: (B, 2, 5), 0 leaves a landmark out.

        Returns:
            hip_features, breaks, fracture and fracture_frames, as `forward` returns them.
        """
        frames, _ = self.place(points, confidence)
        again = self.replaced(frames, points, confidence, self.turn)
        _, _, _, deep, _, breaks = self.draw(radiograph, again)
        last = self.replaced(frames, points, confidence, -self.turn)
        _, _, _, _, fracture, last_breaks = self.draw(radiograph, last)
        return deep, (breaks + last_breaks) / 2, fracture, last

    def replaced(self, frames: Tensor, points: Tensor, confidence: Tensor, turn: float) -> Tensor:
        """Frames by a drawing's landmarks, or those it was drawn in where these are no femur's; turned and enlarged a little."""
        own, drawn = self.place(points, confidence)
        placed = torch.where(drawn.view(-1, 2, 1, 1), own, frames)
        return nudged(placed, self.framer.crop_rows, self.framer.crop_cols, turn, self.enlargement)

    def place(self, points: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (B, 2, 2, 3) by the landmarks that are seen, and whether these lie as a femur's do, (B, 2) bool."""
        certain = confidence * (confidence >= self.presence_threshold).to(confidence.dtype)
        frames = self.framer.fit(points, certain)
        return frames, self.femur(points, certain, frames, self.framer)

    def once(self, heads: Tensor, certainty: Tensor) -> Tensor:
        """Of a hip that was found as a right and as a left one, only what is more certain: (B, 2), 1 or 0.

        Args:
            heads: (B, 2, 2), (row, col) of the femoral heads in pixels of the radiograph.
            certainty: (B, 2), 0 for a hip that was not found.
        """
        one = torch.linalg.vector_norm(heads[:, 0] - heads[:, 1], dim=1) < self.heads_apart
        right = certainty[:, 0] > certainty[:, 1]
        other = torch.stack((~right, right), dim=1) & one.unsqueeze(1) & (certainty > 0).all(dim=1, keepdim=True)
        return 1.0 - other.to(certainty.dtype)

    def agreement(self, first: Tensor, second: Tensor, moves: Tensor) -> Tensor:
        """Dice of two drawings of each femur, as probabilities, where both have seen the radiograph.

        Args:
            first, second: (B, 2, 3, rows, cols) logits.
            moves: (B, 2, 2, 3), from pixels of the second crop to pixels of the first.

        Returns:
            (B, 2).
        """
        femur = torch.sigmoid(first[:, :, :1]).flatten(0, 1)
        seen = torch.cat((femur, torch.ones_like(femur)), dim=1)
        laid = self.framer.sample(seen, moves.flatten(0, 1).unsqueeze(1))[:, 0].view(-1, 2, 2, first.shape[3], first.shape[4])
        one, other = laid[:, :, 0], torch.sigmoid(second[:, :, 0]) * laid[:, :, 1]
        apart = (one - other).abs().sum(dim=(2, 3))
        return 1.0 - apart / (one + other).sum(dim=(2, 3)).clamp(min=1.0)

    def femur(self, points: Tensor, weight: Tensor, transforms: Tensor, localiser: HipLocaliser) -> Tensor:
        """Whether landmarks lie as a femur's do, and run round it as that side's: (B, 2) bool.

        Three seen ones are needed: any two fit a similarity.
        """
        shaped = localiser.misfit(points, weight, transforms) <= self.misfit_threshold_mm
        return shaped & ~mirrored(points, weight) & ((weight > 0).sum(dim=2) >= localiser.fewest)


def _features(name: str, network: SegmentationNetwork, further: str, number: int) -> int:
    """How many features a look gives; refuses one that gives other maps than the masks and a number of further ones."""
    expected = f"radiographs (N, 1, rows, cols) to {len(MASKS) + number} maps ({', '.join(MASKS)}, {further})"
    try:
        with tried(network):
            maps, deep = network.look(torch.zeros(1, 1, network.multiple, network.multiple))
    except MISFIT as error:
        raise ValueError(f"The {name} network does not map {expected}: {error}") from error
    if maps.shape[1] != len(MASKS) + number:
        raise ValueError(f"The {name} network gives {maps.shape[1]} maps; it is to map {expected}.")
    return 2 * deep.shape[1]


SIGNS = 3
"""Numbers of `signs_of_break`."""


def signs_of_break(logits: Tensor, wide: int = 5, few: int = 50, many: int = 500) -> Tensor:
    """Tell from the map of where a femur is broken how much speaks for a break.

    Args:
        logits: (N, 1, h, w), at 0.6 mm.
        wide: pixels along each side whose mean is taken first.
        few, many: pixels of a small and of a large break, 18 and 180 mm².

    Returns:
        (N, 3): the highest mean logit, and the mean of the highest few and many; 1 = 5.
    """
    highest = torch.topk(F.avg_pool2d(logits, wide, stride=1).flatten(1), many, dim=1)[0]
    return torch.stack((highest[:, 0], highest[:, :few].mean(dim=1), highest[:, :many].mean(dim=1)), dim=1) / 5.0


def pooled(features: Tensor) -> Tensor:
    """Mean and maximum of each feature map: (N, C, h, w) -> (N, 2 C)."""
    return torch.cat((features.mean(dim=(2, 3)), features.amax(dim=(2, 3))), dim=1)
