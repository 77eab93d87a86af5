"""Running the cascade over a folder of radiographs, so that one that cannot be read does not end the run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from monai.data import Dataset
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents
from monai.inferers import Inferer

from scripts.clinical import Code, Reason, RefusedError
from scripts.results.scaling import predict_scaled

logger = logging.getLogger(__name__)

REFUSAL = "refusal"
"""The key of an item that could not be read; its value is the `Reason`."""


class ScreeningDataset(Dataset):
    """A MONAI dataset whose items survive a transform that fails: they hold the reason under `refusal` instead.

    Args:
        data: items with "image" (path of the radiograph) and "name" (unique, the stem of every output).
        transform: the preprocessing.

    An item is the transformed one plus "name" and "file" (the path), or only {"name", "file", "refusal"}.
    """

    def __init__(self, data: Sequence[Mapping[str, Any]], transform: Any) -> None:
        super().__init__(data=data, transform=transform)

    def _transform(self, index: int) -> dict[str, Any]:
        identity = {"name": self.data[index]["name"], "file": str(self.data[index]["image"])}
        try:
            return {**super()._transform(index), **identity}
        except Exception as error:
            return {**identity, REFUSAL: _reason(error)}


class ScreeningInferer(Inferer):
    """Asks the cascade for everything it knows (`predict`), where MONAI's own inferers ask for its one tensor."""

    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        """Predict; `args` are the covariates. Shapes as in `ScreeningNetwork.predict`."""
        prediction: dict[str, torch.Tensor] = network.predict(inputs, *args, **kwargs)
        return prediction


def screen(engine: SupervisedEvaluator, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One iteration of the evaluator (its `iteration_update`): predict for every item that could be read.

    Radiographs differ in size, so a batch is a list of items and each goes through the network alone.

    Args:
        engine: the evaluator, with `decollate=False`.
        batch: items of a `ScreeningDataset`: "image" (1, H, W) and "covariates" (4,), or "refusal".

    Returns:
        one dict an item: the outputs of `predict` without their batch axis, on the CPU; empty where refused.
    """
    outputs: list[dict[str, Any]] = []
    with engine.mode(engine.network):
        for item in batch:
            if REFUSAL in item:
                outputs.append({})
                continue
            prediction = predict_scaled(item, partial(_predict, engine, item["covariates"]))
            outputs.append({name: value[0].float().cpu() for name, value in prediction.items()})
    engine.state.output = outputs
    engine.fire_event(IterationEvents.FORWARD_COMPLETED)
    engine.fire_event(IterationEvents.MODEL_COMPLETED)  # runs the postprocessing
    return outputs


def _predict(engine: SupervisedEvaluator, covariates: torch.Tensor, image: torch.Tensor) -> dict[str, torch.Tensor]:
    """The cascade's outputs for one image (1, 1, H, W)."""
    covariates = covariates.unsqueeze(0).to(engine.state.device)
    prediction: dict[str, torch.Tensor] = engine.inferer(image.to(engine.state.device), engine.network, covariates)
    return prediction


def _reason(error: BaseException) -> Reason:
    """The refusal inside an exception (MONAI wraps those of transforms), or a plain one for whatever nobody foresaw."""
    cause: BaseException | None = error
    root = error
    while cause is not None:
        if isinstance(cause, RefusedError):
            return cause.reason
        root, cause = cause, cause.__cause__
    # The message of a foreign exception may hold a path or a name from the header: only its type is told.
    logger.debug("unforeseen error while reading a radiograph", exc_info=error)
    return Reason(
        Code.UNREADABLE,
        f"The file could not be read as a radiograph ({type(root).__name__}); it may be damaged. It was skipped.",
    )
