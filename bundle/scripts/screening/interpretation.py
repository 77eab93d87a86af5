"""From the cascade's tensors to findings: the clinical interpretation, and the mask on the film's own grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from monai.transforms import Transform
from torch import Tensor

from scripts.clinical import CHANNELS, Gate, RadiographFacts, Screening, interpret
from scripts.measurement.contours import NOTHING, classes, with_sharp_metal, without_strays
from scripts.measurement.exposure_of_femur import exposure_statistics, head_diameter_mm, measured_femur
from scripts.radiograph.exposure import white_frames
from scripts.radiograph.isolation import REFUSAL

_COVARIATES = ("age", "sex", "weight", "height")


class Interpretd(Transform):
    """Adds "screening", the `Screening` of an item's "channels" (26,), "covariates" (4,), header, mask and landmarks.

    Args:
        sex_specific: take men's T-scores from young men; by default the female reference serves both sexes (ISCD).
        gate: what is measured at all; the shipped limits if None.
    """

    def __init__(self, sex_specific: bool = False, gate: Gate | None = None) -> None:
        self.sex_specific = sex_specific
        self.gate = gate

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Interpret one item; a refused one passes unchanged."""
        if REFUSAL in data:
            return dict(data)
        channels = dict(zip(CHANNELS, data["channels"].tolist(), strict=True))
        facts = replace(radiograph_facts(data["image"].meta, data["covariates"]), **picture_facts(data))
        return {**data, "screening": self.interpret(channels, facts)}

    def interpret(self, channels: Mapping[str, float], facts: RadiographFacts) -> Screening:
        """Interpret the `CHANNELS` by name, of a radiograph or of the films of a study together."""
        return interpret(channels, facts, gate=self.gate, sex_specific=self.sex_specific)


class FilmMaskd(Transform):
    """Adds "mask": (rows, cols) uint8 on the grid of the file; 0 background, 1 femur, 2 prosthesis, 3 fixation."""

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Clear "mask_logits" (3, H, W) of white frames and strays, sharpen metal, and take them to the film.

        A refused item passes unchanged.
        """
        if REFUSAL in data:
            return dict(data)
        meta = data["image"].meta
        found = [hip.shown for hip in data["screening"].hips]
        image = data["image"][0].as_tensor()
        frames = torch.from_numpy(white_frames(image.numpy()))
        logits = data["mask_logits"].masked_fill(frames, NOTHING)
        logits = with_sharp_metal(without_strays(logits, data["landmarks"], (found[0], found[1])), image, frames)
        shown = classes(logits, tuple(meta["film_shape"]))
        return {**data, "mask_logits": logits, "mask": np.ascontiguousarray(meta["orientation"].to_stored(shown))}


def radiograph_facts(meta: Mapping[str, Any], covariates: Tensor) -> RadiographFacts:
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
        markers=tuple(meta.get("side_markers", ())),
        assumptions=tuple(assumptions),
    )


def picture_facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `RadiographFacts` that the picture tells: exposure and head size at both hips.

    Args:
        data: "image" (1, H, W) at 0.3 mm with meta, "mask_logits" (3, H, W), "landmarks" (2, 5, 2) in its pixels.
    """
    image, femur = data["image"][0].numpy(), (data["mask_logits"][0] > 0).numpy()
    spacing = float(data["image"].meta["spacing_mm"][0])
    hips = [landmarks.numpy() for landmarks in data["landmarks"]]
    return {
        "exposures": tuple(exposure_statistics(image, measured_femur(femur, hip, spacing)) for hip in hips),
        "head_diameters_mm": tuple(head_diameter_mm(femur, hip, spacing) for hip in hips),
    }
