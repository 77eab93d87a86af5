"""The screen: the one way from radiographs to findings, which everything that needs findings holds and calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from monai.bundle import ConfigParser
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents
from monai.inferers import Inferer
from monai.networks.utils import eval_mode
from monai.transforms import Transform

import scripts
from scripts.radiograph import REFUSAL
from scripts.screening.correction import CORRECTION, CorrectedReader
from scripts.screening.findings import Findings, RadiographFindings, Seen
from scripts.screening.interpretation import Interpretd
from scripts.screening.loader import ReadRadiograph
from scripts.screening.scaling import predict_scaled
from scripts.screening.second_reader import Predict, ReadAgain, SecondReader
from scripts.screening.study import join_study

CONFIG_FILE: Final = Path(scripts.__file__).parents[1] / "configs" / "inference.yaml"

_KEPT: Final = ("image", "covariates", "facts", "screening", "mask", "geometry")


class Reader(Protocol):
    """Reads radiographs, see `IsolatedReader`."""

    def __call__(self, items: Iterable[Mapping[str, Any]]) -> Iterator[ReadRadiograph]:
        """Read items one after another, in their order."""

    def read(self, item: Mapping[str, Any]) -> ReadRadiograph:
        """Read one."""


class ScreeningInferer(Inferer):
    """Asks the cascade for everything it knows (`predict`), where MONAI's own inferers ask for its one tensor."""

    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        """Predict; `args` are the covariates. Shapes as in `ScreeningNetwork.predict`."""
        prediction: dict[str, torch.Tensor] = network.predict(inputs, *args, **kwargs)
        return prediction


class Screen:
    """Reads radiographs, finds and draws the hips, finds an unknown scale, measures, and judges what may be reported.

    Args:
        reader: of files, with the preprocessing.
        network: `ScreeningNetwork` with its weights loaded.
        inferer: asks the network.
        interpretation: adds the clinical meaning; also that of a study's radiographs together.
        postprocessing: the interpretation, then what adds "mask" and "geometry".
        device: where the network runs.
        weights: "file", "sha256" and "provenance" of the network's weights, see `load_weights`.
        notice: the sentence that every result carries.
        second_reader: looks once more where the first reading is doubtful; None reads every radiograph once.

    Example:
        >>> from scripts.screening import load_screen
        >>> example = CONFIG_FILE.parents[1] / "examples" / "images" / "normal.dcm"
        >>> findings = load_screen().files([example])
        >>> [hip.reason for hip in findings.study.screening.hips]
        [None, None]
    """

    def __init__(
        self,
        reader: Reader,
        network: Any,
        inferer: Inferer,
        interpretation: Interpretd,
        postprocessing: Transform,
        device: torch.device | str,
        weights: Mapping[str, Any],
        notice: str,
        second_reader: SecondReader | None = None,
    ) -> None:
        self.reader, self.inferer, self.second_reader = reader, inferer, second_reader
        self.device = torch.device(device)
        self.network = network.to(self.device)
        self.interpretation, self.postprocessing = interpretation, postprocessing
        self.weights, self.notice = weights, notice

    def files(self, paths: Sequence[str | Path]) -> Findings:
        """Read the radiographs of one study, and screen them.

        Args:
            paths: one or more.
        """
        return self(list(self.reader([{"image": str(path), "name": Path(path).name} for path in paths])))

    def __call__(self, study: Sequence[ReadRadiograph]) -> Findings:
        """Screen the radiographs of one study as a reader gave them.

        Args:
            study: with "name", and "image" (1, H, W) with meta and "covariates" (4,), or their "refusal"; a `Correction` of what
                is found on it stands under "correction".
        """
        with eval_mode(self.network):  # also where a study's hips are estimated anew
            radiographs = tuple(map(self.see, study))
            return Findings(radiographs, join_study(radiographs, self.interpretation, self.network))

    def see(self, radiograph: ReadRadiograph) -> RadiographFindings:
        """Screen one radiograph, as `__call__` takes several."""
        name = radiograph["name"]
        if REFUSAL in radiograph:
            return RadiographFindings(name, radiograph[REFUSAL])
        item = dict(radiograph)
        covariates = item["covariates"][None].to(self.device)

        def predict(image: torch.Tensor) -> dict[str, torch.Tensor]:
            found: dict[str, torch.Tensor] = self.inferer(image.to(self.device), self.network, covariates)
            return found

        once: Predict = predict
        again: ReadAgain | None = self.second_reader
        if correction := item.get(CORRECTION):
            corrected = CorrectedReader(predict, self.network, covariates, correction, self.second_reader)
            once, again = corrected.predict, corrected
        with eval_mode(self.network):
            prediction = predict_scaled(item, once, self.interpretation.channels, again)
        if REFUSAL in item:
            return RadiographFindings(name, item[REFUSAL])
        outputs = {key: value[0].float().cpu() for key, value in prediction.items()}
        found: Any = self.postprocessing({**item, **outputs})
        seen = Seen(prediction={key: found[key] for key in outputs}, **{key: found[key] for key in _KEPT})
        return RadiographFindings(name, seen)

    def iterate(self, engine: SupervisedEvaluator, batch: Sequence[ReadRadiograph]) -> Findings:
        """One iteration of MONAI's evaluator (its `iteration_update`), over a study; the engine's output is its findings."""
        findings = self(batch)
        state: Any = engine.state  # typed for dictionaries
        state.output = findings
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        return findings


def load_screen(config_files: Sequence[str | Path] = (CONFIG_FILE,), **settings: Any) -> Screen:
    """Make the screen that an inference configuration declares.

    Args:
        config_files: inference.yaml, and what is laid over it.
        settings: values of its top-level keys, such as `checkpoint` or `device`; they are taken as they stand.

    Raises:
        ValueError: when the configuration has no such key.
        SystemExit: where weights or gate are missing or do not fit, as in the main job.
    """
    content = ConfigParser.load_config_files([str(file) for file in config_files])
    if unknown := set(settings) - set(content):
        raise ValueError(
            f"{config_files[-1]}: has no key {min(unknown)!r}; expected an inference configuration. Nothing was run."
        )
    # Settings pass as a global: inside the configuration a text would be searched for references, and one that is a global by
    # itself would be imported.
    given = {key: f"$given[{key!r}]" for key in settings}
    parser = ConfigParser({**content, **given}, globals={"given": settings})
    screen: Screen = parser.get_parsed_content("screen")
    return screen
