"""Running the cascade over a folder of radiographs, study by study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby, islice
from typing import Any

import torch
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents
from monai.inferers import Inferer

from scripts.radiograph.isolation import REFUSAL
from scripts.screening.scaling import predict_scaled


class FilmLoader:
    """The evaluator's data loader: one batch a study, a list of its films as they are read.

    Args:
        data: items with "image" (path of the radiograph), "name" (unique, the stem of every output) and "study" (equal for
            the films of one study, which are consecutive). One without "study" is a study of its own.
        reader: from items to the films read, in their order: see `IsolatedReader`.
    """

    def __init__(
        self,
        data: Iterable[Mapping[str, Any]],
        reader: Callable[[Iterable[Mapping[str, Any]]], Iterator[dict[str, Any]]],
    ) -> None:
        self._data = list(data)
        self._reader = reader
        studies = (item.get("study", index) for index, item in enumerate(self._data))
        self._films = [sum(1 for _ in films) for _, films in groupby(studies)]

    def __len__(self) -> int:
        """The number of studies."""
        return len(self._films)

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the films of each study: transformed items plus "name" and "file", or {"name", "file", "refusal"}."""
        films = self._reader(self._data)
        for count in self._films:
            yield list(islice(films, count))


class ScreeningInferer(Inferer):
    """Asks the cascade for everything it knows (`predict`), where MONAI's own inferers ask for its one tensor."""

    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        """Predict; `args` are the covariates. Shapes as in `ScreeningNetwork.predict`."""
        prediction: dict[str, torch.Tensor] = network.predict(inputs, *args, **kwargs)
        return prediction


def screen(engine: SupervisedEvaluator, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One iteration of the evaluator (its `iteration_update`): predict for every item that could be read.

    Radiographs differ in size, so each goes through the network alone.

    Args:
        engine: the evaluator, with `decollate=False`.
        batch: a study of a `FilmLoader`: "image" (1, H, W) and "covariates" (4,), or "refusal".

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
