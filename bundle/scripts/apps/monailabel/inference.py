"""The two models that MONAI Label offers: the contours alone, and the whole screen."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from scripts.apps.monailabel.labels import ENDINGS, LABELS, removed_on_error, write_mask
from scripts.apps.monailabel.screener import Screener
from scripts.apps.monailabel.settings import OF_ALL_REQUESTS, refuse_unknown
from scripts.clinical import Hip
from scripts.results.record import Record, make_screened_record
from scripts.screening import Seen

_OF_MONAI_LABEL: Final = frozenset(
    {"model", "image", "description", "label", "label_info", "label_tag", "save_label", "session", "timeout", "result_dtype"}
    | {"result_compress", "images", "multi_gpu", "gpus", "max_workers", "max_batch_size"}
)
"""What MONAI Label's server and viewers say beside, to themselves or to models of other kinds."""


class SegmentationTask(InferTask):
    """Femur, prosthesis and fixation on the grid of the radiograph's file.

    Args:
        screener: looks at the radiograph.
        description: what the viewer shows.
    """

    def __init__(self, screener: Screener, description: str = "Contours of femur, prosthesis and fixation") -> None:
        super().__init__(InferType.SEGMENTATION, dict(LABELS), 2, description)
        self._screener = screener

    def is_valid(self) -> bool:
        """Say that the model can be used: the bundle comes with weights."""
        return True

    def __call__(self, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Screen the radiograph at "image"; the mask has the ending "result_extension", NIfTI by default.

        Returns:
            the mask's file; and, for the viewer, "label_names", "weights" and "notice".

        Raises:
            RefusedError: where the file cannot be read as a radiograph.
            ValueError: for another ending, or a setting that there is not.
            OSError: where the mask cannot be written.
        """
        refuse_unknown(
            set(request) - OF_ALL_REQUESTS - _OF_MONAI_LABEL, ("result_extension",), "this model", "Nothing was screened."
        )
        image, ending = Path(request["image"]), str(request.get("result_extension") or ENDINGS[0])
        if ending not in ENDINGS:
            raise ValueError(f"result_extension is {ending!r}, expected one of {', '.join(ENDINGS)}. Nothing was screened.")
        radiograph = self._screener.screen(image)
        with tempfile.NamedTemporaryFile(prefix="mask-", suffix=ending, delete=False) as file:
            destination = Path(file.name)
        with removed_on_error(destination):
            write_mask(radiograph.mask, image, destination)
        weights = {key: self._screener.weights[key] for key in ("file", "sha256")}
        params = {"label_names": dict(LABELS), "weights": weights, "notice": self._screener.notice}
        return str(destination), {**params, **self.findings(image, radiograph)}

    def findings(self, image: Path, radiograph: Seen) -> dict[str, Any]:
        """What is told of the radiograph beside its mask: here nothing."""
        return {}


class ScreeningTask(SegmentationTask):
    """The same mask, and what the main job says of the radiograph: BMD, T-scores, or why it is refused."""

    def __init__(self, screener: Screener) -> None:
        super().__init__(screener, "Contours, and BMD and T-scores estimated from the radiograph; research use only")

    def findings(self, image: Path, radiograph: Seen) -> dict[str, Any]:
        """Return "radiograph", as in `results.json`, and "summary", one sentence a line."""
        screening = radiograph.screening
        names = dict.fromkeys(("name", "study", "patient"), image.name)
        record = make_screened_record(names, image.name, radiograph, {})
        refusal = [f"Refused: {screening.reason.code}. {screening.reason.sentence}"] if screening.reason else []
        hips = [line for hip in screening.hips for line in _summary(hip)]
        return {"radiograph": _plain(record), "summary": [*refusal, *([] if refusal else hips), f"{self._screener.notice}."]}


def _summary(hip: Hip) -> list[str]:
    if hip.reason:
        return [f"{hip.side} hip refused: {hip.reason.code}. {hip.reason.sentence}"]
    estimates = [
        f"{hip.side} {site}: BMD {estimate.bmd:.3f} g/cm² ({estimate.bmd_interval[0]:.3f} to {estimate.bmd_interval[1]:.3f})"
        + ("" if estimate.t_score is None else f", T-score {estimate.t_score:.1f}")
        for site, estimate in hip.estimates.items()
    ]
    return [*estimates, f"{hip.side} contour: two drawings of it agree by {hip.values['contour_agreement']:.2f} (Dice)"]


def _plain(record: Record) -> Record:
    """Without what a viewer knows already: the record's own names of the radiograph."""
    return {key: value for key, value in record.items() if key not in ("name", "study", "patient", "outputs")}
