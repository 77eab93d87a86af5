"""What a screen finds in a study, as every writer takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

from scripts.clinical import RadiographFacts, Reason, RefusedError, Screening
from scripts.measurement.hip_geometry import HipGeometry


@dataclass(frozen=True)
class Seen:
    """A radiograph that could be read, and what networks, measurements and the gate made of it.

    image: (1, H, W), normalised, at 0.3 mm, with the reader's meta.
    covariates: (4,), see `scripts.clinical.anatomy.COVARIATES`.
    prediction: outputs of `ScreeningNetwork.predict` without their batch axis; "mask_logits" (3, H, W) as they were corrected.
    facts: what header, manifest and picture say.
    screening: values, estimates or refusals of both hips.
    mask: (rows, cols) uint8 on the grid of the file, values of `HIP.classes`.
    geometry: axes, regions and morphometry of both hips.
    """

    image: MetaTensor
    covariates: Tensor
    prediction: Mapping[str, Tensor]
    facts: RadiographFacts
    screening: Screening
    mask: NDArray[np.uint8]
    geometry: tuple[HipGeometry, ...]


@dataclass(frozen=True)
class RadiographFindings:
    """Of one radiograph: what was seen, or why the file could not be read or brought to scale."""

    name: str
    outcome: Seen | Reason

    @property
    def seen(self) -> Seen | None:
        """What was seen, or None."""
        return self.outcome if isinstance(self.outcome, Seen) else None

    def require(self) -> Seen:
        """What was seen.

        Raises:
            RefusedError: where nothing was.
        """
        if isinstance(self.outcome, Reason):
            raise RefusedError(self.outcome)
        return self.outcome

    @property
    def reason(self) -> Reason | None:
        """Why nothing was measured on it, or None."""
        return self.outcome.screening.reason if isinstance(self.outcome, Seen) else self.outcome


@dataclass(frozen=True)
class StudyFindings:
    """Of a study's radiographs together.

    sources: index of the radiograph that gives the right and the left hip's measurement; None where no radiograph does.
    screening: both hips; None where no radiograph was measured.
    reason: why there is none.
    """

    sources: tuple[int | None, ...]
    screening: Screening | None
    reason: Reason | None


@dataclass(frozen=True)
class Findings:
    """Of one study: each of its radiographs, in their order, and the patient by all of them."""

    radiographs: tuple[RadiographFindings, ...]
    study: StudyFindings
