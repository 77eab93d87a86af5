"""The cascade: find the hips, draw their contours, judge and estimate by its heads, as one exportable network."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.clinical.anatomy import COVARIATES, HIP
from scripts.clinical.findings import CHANNELS, QUANTITIES, Channels, Of, Quantity, Source
from scripts.networks.checkpoint import from_tensor, to_tensor
from scripts.networks.fitting import MISFIT, tried
from scripts.networks.heads import Head
from scripts.networks.hips import Surroundings
from scripts.networks.localisation import SHAPE, HipLocaliser, shaft_angle
from scripts.networks.search import SIGNS, HipSearch
from scripts.networks.segmentation import CONTOUR_FACTOR, coarser

JOINT = ("crops", "around", "poses", "valid", "covariates")
"""What a joint head is told."""

_OWN = ("landmark_confidence", "metal_fraction", "shaft_abduction_deg", "contour_agreement")


class ScreeningNetwork(nn.Module):
    """Screens a radiograph of the hips: one row of numbers an image, named by `channels`.

    A look at the whole radiograph at 1.8 mm finds the hips; three more at each of them, upright and in one size at 0.6 mm, a left
    hip mirrored into a right one, draw the contours and place the landmarks. A hip that is absent or implanted is
    masked out: it lends nothing to the other estimates, and its own are 0. Everything else is judged and estimated by the heads.

    Its state dict holds, under "_extra_state", the `provenance` of the weights.

    Args:
        search: `HipSearch`, all looks.
        localiser: `HipLocaliser` of the crops that the heads were trained with.
        surroundings: of what surrounds those crops.
        heads: by name. Together they give each quantity of the table that is a channel, once, but for landmark_confidence,
            metal_fraction, shaft_abduction_deg and contour_agreement; what they give beyond the table becomes a channel too.
        implant_threshold: a hip with at least this fraction of metal in its proximal-femur mask is masked out, and so is one
            whose least certain landmark (the shaft's aside) peaks below the search's presence_threshold.

    Raises:
        ValueError: when the parts do not fit: it says which, what it gives, and what was expected.

    Example:
        >>> from scripts.screening import load_screen
        >>> network = load_screen().network
        >>> with torch.inference_mode():
        ...     numbers = network(torch.rand(1, 1, 512, 640))  # 0.3 mm pixels, normalised; covariates unknown
        >>> numbers.shape, network.channels.names[28]
        (torch.Size([1, 33]), 'osteoporosis_probability')
    """

    def __init__(
        self,
        search: HipSearch,
        localiser: HipLocaliser,
        surroundings: Surroundings,
        heads: Mapping[str, Head],
        implant_threshold: float,
    ) -> None:
        super().__init__()
        self.channels = channels_of(heads)
        self.search = search
        self.localiser, self.surroundings = localiser, surroundings
        self.heads = nn.ModuleDict(heads)
        self.spacing_mm = search.image_mm
        self.implant_threshold = implant_threshold
        self.factor = CONTOUR_FACTOR
        self.block = self.factor * search.block
        self.locating, self.shaft = HIP.locating, HIP.landmark("shaft")
        self.bones = [quantity.name for quantity in self.channels.of(Of.BONE)]
        self.others = [quantity.name for kind in (Of.PATIENT, Of.RADIOGRAPH) for quantity in self.channels.of(kind)]
        self.covariates = len(COVARIATES)
        self.provenance = dict[str, Any]()
        self._refuse_misfits()

    def forward(self, image: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Screen.

        Args:
            image: (B, 1, H, W) normalised radiograph at 0.3 mm; H and W at least 256.
            covariates: (B, 4) age (years), sex (0 female, 1 male), weight (kg), height (cm); NaN, or None, is unknown.

        Returns:
            (B, K), see `channels`.
        """
        return self.predict(image, covariates)["channels"]

    def predict(self, image: Tensor, covariates: Tensor | None = None) -> dict[str, Tensor]:
        """Screen, and return everything a report shows.

        Args:
            image: as for `forward`.
            covariates: as for `forward`.

        Returns:
            channels (B, K); mask_logits (B, 3, H, W) for femur, prosthesis, fixation; landmarks (B, 2, 5, 2), (row, col)
            in image pixels; landmark_confidence (B, 2, 5), 0..1; crops (B, 2, rows, cols) of the image; around (B, 2, h, w), see
            `Surroundings`; crop_transforms (B, 2, 2, 3) with image (row, col) = A @ (crop row, crop col, 1); poses (B, 2, 2), see
            `HipLocaliser.poses`; valid (B, 2), 1 where the hip was measured; fracture_logits (B, 2, h, w) of where a femur looks
            broken, in a crop of its own, and fracture_transforms (B, 2, 2, 3), as those of the crops; radiograph_features
            (B, 2 F), hip_features (B, 2, 2 G) and breaks (B, 2, 3), see `HipSearch.forward`.
        """
        if covariates is None:
            covariates = torch.full((image.shape[0], self.covariates), float("nan"), device=image.device)
        return self.judge(self.search(self.searched(image)), image, covariates)

    def judge(self, seen: dict[str, Tensor], image: Tensor, covariates: Tensor) -> dict[str, Tensor]:
        """Judge and estimate by what the search has seen, or by what a person made of that: as `predict` returns it.

        Args:
            seen: of `HipSearch.forward`.
            image: as for `forward`.
            covariates: as for `forward`, and always given.
        """
        values, told, shown = self.look(seen, image, covariates)
        for head in self.heads.values():
            values.update(head.estimate(told))  # type: ignore[operator]
        shown["channels"] = self.pack(values)
        return shown

    def look(
        self, seen: dict[str, Tensor], image: Tensor, covariates: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        """Cut out the hips that were found, and decide what is to be measured.

        Args:
            seen: of `HipSearch.forward`.
            image: as for `forward`.
            covariates: as for `forward`, and always given.

        Returns:
            values by name that no head gives; what the heads are told, see `Head.estimate`; and what `predict` returns, but for
            the channels.
        """
        height, width = image.shape[2], image.shape[3]
        points, confidence, masks = seen["landmarks"], seen["confidence"], seen["masks"]
        landmarks = (points + 0.5) * self.factor - 0.5

        # A landmark that is not seen peaks anywhere: it must not pull at the pose.
        weight = confidence * (confidence >= self.search.presence_threshold).to(confidence.dtype)
        transforms = self.localiser.fit(landmarks, weight)
        crops = self.localiser.sample(image, transforms)[:, :, 0]
        around = self.surroundings(image, landmarks, weight)
        poses = self.localiser.poses(transforms, self.spacing_mm)
        shaped = self.search.femur(landmarks, weight, transforms, self.localiser)
        present = confidence[:, :, : self.locating].min(dim=2)[0] * shaped.to(confidence.dtype)
        present = self._in_order(points, present)
        implant = self._metal_fraction(masks, self.localiser.fit(points, weight))
        valid = ((present >= self.search.presence_threshold) & (implant < self.implant_threshold)).to(image.dtype)

        # Where the radiograph ends above the shaft's landmark, the pose of the whole hip stands for the shaft's.
        shaft_seen = confidence[:, :, self.shaft] >= self.search.presence_threshold
        angle = torch.where(shaft_seen, shaft_angle(landmarks), torch.rad2deg(poses[:, :, 1]))
        values = {
            "landmark_confidence": present,
            "metal_fraction": implant,
            "shaft_abduction_deg": angle,
            "contour_agreement": seen["agreement"],
        }
        told = {
            "crops": crops * valid.unsqueeze(2).unsqueeze(3),
            "around": around * valid.unsqueeze(2).unsqueeze(3),
            "poses": poses,
            "valid": valid,
            "covariates": covariates,
            "image": image,
            "landmarks": landmarks,
            "weight": weight,
            "found": seen["found"],
            "hip_features": seen["hip_features"],
            "shapes": seen["shapes"],
            "breaks": seen["breaks"],
            "radiograph_features": seen["radiograph_features"],
            "small": seen["small"],
            "heads": seen["heads"],
        }
        mask_logits = F.interpolate(masks, scale_factor=float(self.factor), mode="bilinear", align_corners=False)
        shown = {
            "mask_logits": mask_logits[:, :, :height, :width],
            "landmarks": landmarks,
            "landmark_confidence": confidence,
            "crops": crops,
            "around": around,
            "crop_transforms": transforms,
            "poses": poses,
            "valid": valid,
            "fracture_logits": seen["fracture"],
            "fracture_transforms": self._at_image(seen["fracture_frames"]),
            "radiograph_features": seen["radiograph_features"],
            "hip_features": seen["hip_features"],
            "breaks": seen["breaks"],
        }
        return values, told, shown

    def correct(
        self,
        reading: Mapping[str, Tensor],
        image: Tensor,
        covariates: Tensor,
        masks: Tensor,
        landmarks: Tensor,
        corrected: Tensor,
        absent: Tensor,
    ) -> dict[str, Tensor]:
        """Judge and estimate anew by what a person corrected; what nobody did stays as it was read.

        A landmark that was set is certain, and its hip is looked at anew where it now lies. The drawings of a corrected hip
        agree: there is one.

        Args:
            reading: of `predict`, for one image, and maybe of another reading of it.
            image: (1, 1, H, W), as for `forward`.
            covariates: (1, 4), as for `forward`.
            masks: (1, 3, H, W) logits of both hips, corrected.
            landmarks: (1, 2, 5, 2), (row, col) in image pixels; NaN for those that nobody set.
            corrected: (1, 2) bool, hips of which a person drew the contour or set landmarks.
            absent: (1, 2) bool, hips that are not to be measured and lend nothing.

        Returns:
            as `predict`.
        """
        moved = torch.isfinite(landmarks).all(dim=3)
        points = torch.where(moved.unsqueeze(3), landmarks.nan_to_num(), reading["landmarks"])
        numbers = reading["channels"][:, : 2 * len(self.bones)].view(1, 2, -1)
        there = (corrected | (numbers != 0).any(dim=2)) & ~absent  # a reading may have taken a hip out
        confidence = torch.where(moved, torch.ones_like(reading["landmark_confidence"]), reading["landmark_confidence"])
        confidence = confidence * there.unsqueeze(2)
        radiograph = self.searched(image)
        searched = (points + 0.5) / self.factor - 0.5
        placed, drawn = self.search.place(searched, confidence)
        seen = {
            "small": coarser(radiograph, self.search.whole_factor),
            "landmarks": searched,
            "heads": (searched[:, :, self.search.head] + 0.5) / self.search.whole_factor - 0.5,
            "confidence": confidence,
            "masks": self.searched(masks),
            "agreement": torch.where(corrected, torch.ones_like(numbers[:, :, 0]), self._agreement(numbers)) * there,
            "shapes": self.search.framer.shape(searched, placed, self.search.spacing_mm) * drawn.unsqueeze(2),
            "found": (confidence > 0).any(dim=2).to(image.dtype),
            "radiograph_features": reading["radiograph_features"],
            "hip_features": reading["hip_features"] * there.unsqueeze(2),
            "breaks": reading["breaks"] * there.unsqueeze(2),
            "fracture": reading["fracture_logits"],
            "fracture_frames": self._at_searched(reading["fracture_transforms"]),
        }
        if bool(moved.any()):
            again = moved.any(dim=2)
            names = ("hip_features", "breaks", "fracture", "fracture_frames")
            for name, anew in zip(names, self.search.redraw(radiograph, searched, confidence), strict=True):
                seen[name] = torch.where(again.view(1, 2, *[1] * (anew.dim() - 2)), anew, seen[name])
        return {**self.judge(seen, image, covariates), "mask_logits": masks}

    def _agreement(self, numbers: Tensor) -> Tensor:
        return numbers[:, :, self.bones.index("contour_agreement")]

    def _at_searched(self, transforms: Tensor) -> Tensor:
        """What `_at_image` undoes."""
        shift = torch.cat((torch.zeros_like(transforms[..., :2]), torch.ones_like(transforms[..., 2:])), dim=3)
        return (transforms - shift * ((self.factor - 1) / 2)) / self.factor

    def _at_image(self, frames: Tensor) -> Tensor:
        """Transforms to pixels of the searched radiograph (B, 2, 2, 3), to pixels of the image."""
        shift = torch.cat((torch.zeros_like(frames[..., :2]), torch.ones_like(frames[..., 2:])), dim=3)
        return frames * self.factor + shift * ((self.factor - 1) / 2)

    def searched(self, image: Tensor) -> Tensor:
        """The radiograph that is searched, at 0.6 mm, of an image as for `forward`."""
        # Padded to whole blocks of the coarsest backbone, and always by at least a pixel, so that an exported graph need
        # not tell sizes that fit from sizes that do not.
        height, width = image.shape[2], image.shape[3]
        below, beside = self.block * (height // self.block + 1) - height, self.block * (width // self.block + 1) - width
        return coarser(F.pad(image, (0, beside, 0, below)), self.factor)

    def pack(self, values: dict[str, Tensor]) -> Tensor:
        """Put values by name, (B, 2) of bones and (B,) of others, into the order of the `channels`: (B, K)."""
        bones = torch.stack([values[name] for name in self.bones], dim=2)
        others = torch.stack([values[name] for name in self.others], dim=1)
        return torch.cat((bones.flatten(1), others), dim=1)

    def join(self, predictions: Sequence[Mapping[str, Tensor]], usable: Tensor, covariates: Tensor) -> tuple[Tensor, Tensor]:
        """Estimate anew for a patient of whom several radiographs are there, each hip from the one that shows it best.

        Args:
            predictions: of `predict`, without the batch axis, one a radiograph.
            usable: (radiographs, 2) bool, whether a radiograph's right and left hip may be measured.
            covariates: (4,), of the patient.

        Returns:
            channels (K,) of the patient: a hip's are those of its radiograph, and the others those of the first one used, but for
            what joint heads estimate; sources (2,) int, from which radiograph the right and the left hip come, -1 for none.
        """
        bones = torch.stack([prediction["channels"][: 2 * len(self.bones)].view(2, -1) for prediction in predictions])
        present = bones[:, :, self.bones.index("landmark_confidence")]
        sources = torch.where(usable, present, torch.full_like(present, -1.0)).argmax(dim=0)
        sources = torch.where(usable.any(dim=0), sources, torch.full_like(sources, -1))
        valid = (sources >= 0).to(bones.dtype)
        best = [max(int(source), 0) for source in sources]
        kept = torch.stack([bones[source, side] * valid[side] for side, source in enumerate(best)])
        others = predictions[best[0] if sources[0] >= 0 else best[1]]["channels"][2 * len(self.bones) :]
        crops, around, poses = (
            torch.stack([predictions[source][key][side] for side, source in enumerate(best)])[None]
            for key in ("crops", "around", "poses")
        )
        told = {
            "crops": crops * valid.view(1, 2, 1, 1),
            "around": around * valid.view(1, 2, 1, 1),
            "poses": poses,
            "valid": valid[None],
            "covariates": covariates[None],
        }
        values = dict(zip(self.bones, kept.unsqueeze(0).unbind(dim=2), strict=True))
        values |= dict(zip(self.others, others.unsqueeze(0).unbind(dim=1), strict=True))
        for head in self._heads().values():
            if head.joint:
                values |= head.estimate(told)
        return self.pack(values)[0], sources

    def get_extra_state(self) -> Tensor:
        """The provenance, see `to_tensor`."""
        return to_tensor(self.provenance)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the provenance of the weights that are being loaded."""
        self.provenance = from_tensor(state)

    def _refuse_misfits(self) -> None:
        """Let each head work once."""
        for name, head in self._heads().items():
            told = self._nothing()
            if head.joint:
                told = {key: told[key] for key in JOINT}
            expected = {row.name: (1, 2) if row.of is Of.BONE else (1,) for row in head.quantities}
            try:
                with tried(head):
                    found = {key: tuple(value.shape) for key, value in head.estimate(told).items()}
            except MISFIT as error:
                shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in told.items())
                raise ValueError(f"Head {name} does not fit what it is told ({shapes}): {error}") from error
            if found != expected:
                raise ValueError(f"Head {name} gives {found} of one radiograph; expected {expected}.")

    def _nothing(self) -> dict[str, Tensor]:
        """What heads are told of one empty radiograph."""
        return {
            "crops": torch.zeros(1, 2, self.localiser.crop_rows, self.localiser.crop_cols),
            "around": torch.zeros(1, 2, self.surroundings.localiser.crop_rows, self.surroundings.localiser.crop_cols),
            "poses": torch.zeros(1, 2, 2),
            "valid": torch.ones(1, 2),
            "covariates": torch.zeros(1, self.covariates),
            "image": torch.zeros(1, 1, 256, 256),
            "landmarks": self._template(),
            "weight": torch.ones(1, 2, len(HIP.landmarks)),
            "found": torch.ones(1, 2),
            "hip_features": torch.zeros(1, 2, self.search.hip_features),
            "shapes": torch.zeros(1, 2, SHAPE),
            "breaks": torch.zeros(1, 2, SIGNS),
            "radiograph_features": torch.zeros(1, self.search.radiograph_features),
            "small": torch.zeros(1, 1, 64, 64),
            "heads": torch.tensor([[[10.0, 10.0], [10.0, 50.0]]]),
        }

    def _template(self) -> Tensor:
        """Landmarks (1, 2, 5, 2) where both crops' own pixels have them."""
        return self.localiser.template * torch.stack((torch.ones(2), self.localiser.mirror), dim=1)[None, :, None]

    def _heads(self) -> dict[str, Head]:
        return {name: head for name, head in self.heads.items() if isinstance(head, Head)}

    def _in_order(self, points: Tensor, present: Tensor) -> Tensor:
        """Drop the less certain hip of two whose right one lies at the viewer's right of the left one: present (B, 2)."""
        both = (present >= self.search.presence_threshold).all(dim=1, keepdim=True)
        crossed = points[:, :1, 0, 1] >= points[:, 1:, 0, 1]
        weaker = torch.stack((present[:, 0] < present[:, 1], present[:, 1] <= present[:, 0]), dim=1)
        return torch.where(both & crossed & weaker, torch.zeros_like(present), present)

    def _metal_fraction(self, masks: Tensor, transforms: Tensor) -> Tensor:
        """Fraction of metal in the proximal-femur mask of each crop: masks (B, 3, h, w) logits -> (B, 2)."""
        inside = self.localiser.sample((masks > 0).to(masks.dtype), transforms)  # (B, 2, 3, rows, cols)
        area = inside.sum(dim=(3, 4))
        metal = area[:, :, 1] + area[:, :, 2]
        return metal / (area[:, :, 0] + metal).clamp(min=1.0)


def channels_of(heads: Mapping[str, Head]) -> Channels:
    """The channels of a cascade with these heads: the table's, and what they give beyond it.

    Raises:
        ValueError: when something is no head, when a quantity is given twice or not at all, or is none that a head may give, such
            as one of its own with limits: the gate asks those of `QUANTITIES`.
    """
    given_by = dict.fromkeys(_OWN, "the cascade itself")
    added: list[Quantity] = []
    for name, head in heads.items():
        if not isinstance(head, Head):
            raise ValueError(
                f"Head {name} is a {type(head).__name__}; expected a scripts.networks.Head, which names its quantities."
            )
        for row in head.quantities:
            if row.source is not Source.NETWORK:
                raise ValueError(f"Head {name}: {row.name} is measured on the picture; expected a quantity that networks give.")
            if row.name in given_by:
                raise ValueError(
                    f"Head {name} gives {row.name}, which {given_by[row.name]} gives already; expected another name."
                )
            if row.limits and row not in QUANTITIES:
                raise ValueError(
                    f"Head {name}: {row.name} has limits, which the gate asks of the table's quantities alone; expected none."
                )
            given_by[row.name] = f"head {name}"
        added += [row for row in head.quantities if row not in QUANTITIES]
    if taken := {row.name for row in added} & {row.name for row in QUANTITIES}:
        raise ValueError(
            f"{', '.join(sorted(taken))}: in the table with another meaning; expected its name alone, or another one."
        )
    if missing := [row.name for row in CHANNELS.quantities if row.name not in given_by]:
        raise ValueError(
            f"No head gives {', '.join(missing)}; expected all of the table from the heads {', '.join(heads)} together."
        )
    return Channels((*CHANNELS.quantities, *added))
