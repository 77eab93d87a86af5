"""From the cascade's tensors to findings: the clinical interpretation, and the mask on the radiograph's own grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from monai.transforms import Transform
from numpy.typing import NDArray
from torch import Tensor

from scripts.clinical import CHANNELS, HIP, Calibration, Channels, Gate, RadiographFacts, Screening, Uncertainty, interpret
from scripts.measurement.contours import NOTHING, classify_pixels, fill_holes, remove_strays, sharpen_metal, trim_spurs
from scripts.measurement.quality import measure_exposure, measure_head_density, measure_head_diameter, select_measured_femur
from scripts.radiograph.exposure import find_white_frames
from scripts.screening.correction import CORRECTION, of_hips
from scripts.screening.heads import HEADS_ALIKE

_COVARIATES = ("age", "sex", "weight", "height")


class Interpretd(Transform):
    """Adds "facts", what is known of a radiograph, and "screening", its clinical meaning.

    An item needs the cascade's "channels" (K,), "mask_logits" (3, H, W) and "landmarks" (2, 5, 2), and "image" and "covariates"
    of the reader.

    Args:
        channels: names of the cascade's channels.
        sex_specific: take men's T-scores from young men; by default the female reference serves both sexes (ISCD).
        gate: what is measured at all; the shipped limits if None.
        calibration: the hospital's, of BMD and its standard deviation; none if None.
        uncertainty: how far the estimates are from DXA; as of a normal distribution if None.
    """

    def __init__(
        self,
        channels: Channels = CHANNELS,
        sex_specific: bool = False,
        gate: Gate | None = None,
        calibration: Calibration | None = None,
        uncertainty: Uncertainty | None = None,
    ) -> None:
        self.channels, self.sex_specific, self.gate = channels, sex_specific, gate
        self.calibration, self.uncertainty = calibration, uncertainty

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Interpret one item."""
        both = all(data["channels"][self.channels.index("landmark_confidence", side)] > 0 for side in HIP.sides)
        rejected = data[CORRECTION].rejected if CORRECTION in data else (False,) * len(HIP.sides)
        facts = gather_facts(data["image"].meta, data["covariates"])
        facts = replace(facts, measured=measure_picture(data, both), rejected=rejected)
        return {**data, "facts": facts, "screening": self.interpret(data["channels"], facts)}

    def interpret(self, channels: Tensor, facts: RadiographFacts) -> Screening:
        """Interpret the (K,) channels of a radiograph, or of the radiographs of a study together."""
        found = self.channels.unpack(channels.tolist())
        return interpret(
            found,
            facts,
            gate=self.gate,
            sex_specific=self.sex_specific,
            calibration=self.calibration,
            uncertainty=self.uncertainty,
        )


class DrawMaskd(Transform):
    """Adds "mask": (rows, cols) uint8 on the grid of the file; 0 background, 1 femur, 2 prosthesis, 3 fixation.

    A hip that a person drew (`Correction`) stays as it was drawn.
    """

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Clear "mask_logits" (3, H, W) of frames, strays, holes and spurs, sharpen metal, and take them to the file's grid."""
        meta = data["image"].meta
        found = [hip.shown for hip in data["screening"].hips]
        image = data["image"][0].as_tensor()
        frames = torch.from_numpy(find_white_frames(image.numpy()))
        logits = data["mask_logits"].masked_fill(frames, NOTHING)
        bone = fill_holes(remove_strays(logits, data["landmarks"], (found[0], found[1]), image))
        logits = sharpen_metal(trim_spurs(bone, data["landmarks"]), image, frames)
        shown = classify_pixels(logits, tuple(meta["displayed_shape"]))
        if correction := data.get(CORRECTION):
            corrected = np.array(correction.corrected)[:, None, None]
            of_person = (of_hips(shown.shape, correction.middle) & corrected).any(axis=0)
            shown = np.where(of_person, correction.mask, shown)
            scale = shown.shape[1] / image.shape[1]
            drawn = (of_hips(image.shape, (correction.middle + 0.5) / scale - 0.5) & corrected).any(axis=0)
            logits = torch.where(torch.from_numpy(drawn), data["mask_logits"], logits)
        return {**data, "mask_logits": logits, "mask": np.ascontiguousarray(meta["orientation"].to_stored(shown))}


def gather_facts(meta: Mapping[str, Any], covariates: Tensor) -> RadiographFacts:
    """What is known of a radiograph, from its header and the manifest.

    Args:
        meta: of a `MetaTensor` that the reader made.
        covariates: (4,) age in years, sex (0 female, 1 male), weight in kg, height in cm; NaN = unknown. They, not the
            header, count, since the manifest may have corrected them.
    """
    age, sex, *_ = covariates.tolist()
    unknown = [name for name, value in zip(_COVARIATES, covariates.tolist(), strict=True) if math.isnan(value)]
    assumptions = [str(assumption) for assumption in meta["assumptions"]]
    if unknown:
        assumptions.append(f"Unknown, so an average was assumed: {', '.join(unknown)}.")
    return RadiographFacts(
        age_years=None if math.isnan(age) else age,
        sex=None if math.isnan(sex) else ("M" if sex >= 0.5 else "F"),
        view=str(meta["view"]),
        laterality=str(meta["laterality"]),
        cautions=(tuple(meta.get("cautions", ())),) * len(HIP.sides),
        markers=tuple(meta.get("side_markers", ())),
        assumptions=tuple(assumptions),
    )


def measure_picture(data: Mapping[str, Any], both: bool) -> tuple[dict[str, float], ...]:
    """Measure exposure, head size and head density at both hips, by the name of the quantity; what was not outlined is left out.

    Args:
        data: "image" (1, H, W) at 0.3 mm with meta, "mask_logits" (3, H, W), "landmarks" (2, 5, 2) in its pixels.
        both: whether both hips were found; only then are their heads compared, with each other and with their distance.
    """
    image, femur = data["image"][0].numpy(), (data["mask_logits"][0] > 0).numpy()
    spacing = float(data["image"].meta["spacing_mm"][0])
    hips = [landmarks.numpy() for landmarks in data["landmarks"]]
    measured = [measure_hip(image, femur, hip, spacing) for hip in hips]
    if both and all("head_diameter_mm" in hip for hip in measured):
        head = HIP.landmark("head_centre")
        apart_mm = float(np.linalg.norm(hips[0][head] - hips[1][head])) * spacing
        smaller, larger = sorted(hip["head_diameter_mm"] for hip in measured)
        # A child's heads are both small; one that is much smaller than the other is broken, or badly drawn.
        alike = larger - smaller <= HEADS_ALIKE * (larger + smaller) / 2
        measured = [
            hip | {"head_share": min((hip["head_diameter_mm"] if alike else larger) / max(apart_mm, 1.0), 1.0)}
            for hip in measured
        ]
    if both and all("head_density" in hip for hip in measured):
        # A child's heads are both of cartilage; one alone that hardly shows is diseased.
        denser = max(hip["head_density"] for hip in measured)
        measured = [hip | {"head_density": denser} for hip in measured]
    return tuple(measured)


def measure_hip(image: NDArray[Any], femur: NDArray[np.bool_], landmarks: NDArray[Any], spacing_mm: float) -> dict[str, float]:
    """Exposure, "head_diameter_mm" and "head_density" by their names; what cannot be measured is left out."""
    measured = measure_exposure(image, select_measured_femur(femur, landmarks, spacing_mm))
    diameter = measure_head_diameter(femur, landmarks, spacing_mm)
    if diameter is None:
        return measured
    measured["head_diameter_mm"] = diameter
    radius, contrast = diameter / 2 / spacing_mm, measured.get("exposure_contrast")
    density = None if contrast is None else measure_head_density(image, femur, landmarks, radius, contrast)
    return measured if density is None else measured | {"head_density": density}
