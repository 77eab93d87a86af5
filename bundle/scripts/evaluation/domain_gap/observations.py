"""What is kept of a radiograph for the comparison: values, features, crops of its hips, and why it was refused."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from scripts.clinical import HIP, Hip
from scripts.evaluation.domain_gap.asked import HEAD
from scripts.screening import RadiographFindings, Seen
from scripts.screening.scaling import BY_HEADS

Floats = NDArray[np.float32]

MEASURED: Final = ""
"""The code of a radiograph, or hip, that was not refused."""


@dataclass(frozen=True)
class HipObservation:
    """A hip that was found on a radiograph.

    side: of `HIP.sides`. code: of its refusal, or `MEASURED`. values: by the name of their quantity; what is unknown is left
    out. features: (G,), of the segmentation network. crop: (rows, cols) grey, upright, a left hip mirrored.
    """

    side: str
    code: str
    values: Mapping[str, float]
    features: Floats
    crop: NDArray[np.uint8]


@dataclass(frozen=True)
class Observation:
    """One radiograph.

    name, patient: pseudonyms. code: of its refusal, or `MEASURED`. scale: where its pixel size comes from, "" where the networks
    did not see it. values: of the radiograph, as a hip's. features: (F,), of the localisation network; none where the networks
    did not see it. hips: those that were found.
    """

    name: str
    patient: str
    code: str
    scale: str
    values: Mapping[str, float]
    features: Floats
    hips: tuple[HipObservation, ...]

    @property
    def seen(self) -> bool:
        """Whether the networks saw it."""
        return self.features.size > 0


def observe(found: RadiographFindings, patient: str, estimated: Collection[str]) -> Observation:
    """Keep what is compared of a radiograph.

    Args:
        found: by the screen.
        patient: pseudonym.
        estimated: names of the quantities that the network's heads give, which are 0 for a hip that is masked out.
    """
    seen, code = found.seen, str(found.reason.code) if found.reason else MEASURED
    if seen is None:
        return Observation(found.name, patient, code, "", {}, np.empty(0, np.float32), ())
    return Observation(
        name=found.name,
        patient=patient,
        code=code,
        scale=str(seen.image.meta["spacing_source"]),
        values=_known(seen.screening.values),
        features=seen.prediction["radiograph_features"].numpy(),
        hips=tuple(_observe_hip(seen, index, hip, estimated) for index, hip in enumerate(seen.screening.hips) if hip.shown),
    )


def _observe_hip(seen: Seen, index: int, hip: Hip, estimated: Collection[str]) -> HipObservation:
    masked = not seen.prediction["valid"][index] > 0
    left_out = {name for name in estimated if masked and hip.values.get(name) == 0}
    if seen.image.meta["spacing_source"] == BY_HEADS:
        left_out.add(HEAD)  # its size was assumed
    return HipObservation(
        side=hip.side,
        code=str(hip.reason.code) if hip.reason else MEASURED,
        values=_known({name: value for name, value in hip.values.items() if name not in left_out}),
        features=seen.prediction["hip_features"][index].numpy(),
        crop=(seen.prediction["crops"][index].clamp(0, 1) * 255).to(torch.uint8).numpy(),
    )


def _known(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if math.isfinite(value)}


def to_entry(observation: Observation) -> dict[str, Any]:
    """An observation as a journal keeps it."""
    hips = [{**vars(hip), "features": _packed(hip.features), "crop": _packed(hip.crop)} for hip in observation.hips]
    return {**vars(observation), "features": _packed(observation.features), "hips": hips}


def from_entry(entry: Mapping[str, Any]) -> Observation:
    """An observation that `to_entry` made an entry of."""
    hips = [
        HipObservation(**{**hip, "features": _unpacked(hip["features"], np.float32), "crop": _unpacked(hip["crop"], np.uint8)})
        for hip in entry["hips"]
    ]
    return Observation(**{**entry, "features": _unpacked(entry["features"], np.float32), "hips": tuple(hips)})


def _packed(values: NDArray[Any]) -> dict[str, Any]:
    return {"shape": list(values.shape), "bytes": base64.b64encode(zlib.compress(values.tobytes())).decode()}


def _unpacked(entry: Mapping[str, Any], kind: type[np.generic]) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(base64.b64decode(entry["bytes"])), kind).reshape(entry["shape"])


def found_none(observation: Observation) -> int:
    """On how many sides of a radiograph that the networks saw no hip was found."""
    return len(HIP.sides) - len(observation.hips) if observation.seen else 0
