"""Radiographs whose findings are known, a network that obeys the cascade's contract and knows them, and a run of both."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fake_preprocessing import FILM_SHAPE, SCALE, LoadFake
from ignite.handlers.tqdm_logger import ProgressBar
from monai.engines import SupervisedEvaluator
from monai.transforms import Compose, Transform
from scripts.apps.main_job import screen_pending
from scripts.clinical import CHANNELS, Channels, Code, Of, Precision, Quantity, Reason, RefusedError, load_uncertainty
from scripts.dataset.listing import PassedOver
from scripts.dataset.pseudonyms import pseudonymise
from scripts.measurement.hip_geometry import HipGeometryd
from scripts.results import (
    MaskWriter,
    OverlayWriter,
    ResultsWriter,
    write_columns_table,
    write_document,
    write_follow_up_table,
    write_patient_pages,
    write_rejected_table,
    write_report,
    write_results_table,
)
from scripts.screening import DrawMaskd, Interpretd, Ledger, Screen, ScreeningInferer, StudyDataset

KEY = b"0123456789abcdef0123456789abcdef"
NOTICE = "Research use only, trained on simulated patients"


@pytest.fixture
def film() -> SimpleNamespace:
    return SimpleNamespace(shape=FILM_SHAPE, scale=SCALE, patient="DOE^JANE", patient_id="MRN-4711")


JOINT_PROBABILITY = 0.55

RIGHT = {
    "landmark_confidence": 0.9,
    "femur_probability": 0.98,
    "shaft_abduction_deg": 4.0,
    "contour_agreement": 0.98,
    "neck_bmd": 0.498,
    "neck_bmd_sd": 0.03,
    "total_bmd": 0.70,
    "total_bmd_sd": 0.05,
}
IMPLANTED = {"landmark_confidence": 0.8, "metal_fraction": 0.5, "shaft_abduction_deg": -2.0, "contour_agreement": 0.97}
ABSENT = {"landmark_confidence": 0.1}


def channels_of(right: dict, left: dict, probability: float = 0.91, channels: Channels = CHANNELS) -> torch.Tensor:
    """(K,) channels of these hips."""
    hips = {f"{side}_{name}": value for side, hip in (("right", right), ("left", left)) for name, value in hip.items()}
    picture = {"osteoporosis_probability": probability, "hip_view": 0.99, "novelty": 0.5, "pelvic_turn_deg": 2.0}
    return torch.tensor([{**hips, **picture}.get(name, 0.0) for name in channels.names])


class FakeCascade(torch.nn.Module):
    """`predict` with the shapes of the contract: one film after another with these channels, the last for all that follow."""

    def __init__(self, *channels: torch.Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3, 2))
        self.channels = list(channels or [channels_of(RIGHT, IMPLANTED)])

    def predict(self, image: torch.Tensor, covariates: torch.Tensor) -> dict[str, torch.Tensor]:
        height, width = image.shape[-2:]
        assert covariates.shape == (1, 4)
        channels = (self.channels.pop(0) if len(self.channels) > 1 else self.channels[0])[None]
        masks = torch.full((1, 3, height, width), -5.0)
        masks[:, 0, 60:200, 60:200] = 5.0
        masks[:, 0, 60:200, 220:360] = 5.0
        masks[:, 1, 100:200, 290:340] = 7.0
        right_points = torch.tensor([[90.0, 140.0], [120.0, 100.0], [80.0, 80.0], [150.0, 110.0], [190.0, 100.0]])
        left_points = right_points * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, width - 1.0])
        broken = torch.full((1, 2, 100, 60), -4.0)
        broken[:, :, 40:60, 10:50] = 4.0
        return {
            "channels": channels,
            "mask_logits": masks,
            "landmarks": torch.stack((right_points, left_points))[None],
            "landmark_confidence": torch.full((1, 2, 5), 0.9),
            "crops": torch.zeros(1, 2, 100, 100),
            "around": torch.zeros(1, 2, 64, 64),
            "poses": torch.zeros(1, 2, 2),
            "crop_transforms": torch.tensor(
                [[[[1.6, 0.0, 50.0], [0.0, 1.4, 40.0]], [[1.6, 0.0, 50.0], [0.0, -1.4, width - 41.0]]]]
            ),
            "fracture_logits": broken,
            "fracture_transforms": torch.tensor(
                [[[[1.0, 0.0, 60.0], [0.0, 1.0, 60.0]], [[1.0, 0.0, 60.0], [0.0, -1.0, width - 61.0]]]]
            ),
        }

    def join(self, predictions: list, usable: torch.Tensor, covariates: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Each hip's channels from the film that may lend it and is surest of it; a probability of its own."""
        count = 2 * len(CHANNELS.of(Of.BONE))
        hips = torch.stack([prediction["channels"][:count].view(2, -1) for prediction in predictions])
        films = torch.where(usable, hips[:, :, 0], -1.0).argmax(dim=0)
        rest = predictions[0]["channels"][count:].clone()
        rest[0] = JOINT_PROBABILITY
        return torch.cat([hips[film, side] for side, film in enumerate(films)] + [rest]), films


def item_of(folder, file: str, study: str = "") -> dict:
    """An item as the listing gives it; `study` groups, a file without is a study of its own."""
    names = {kind: pseudonymise(KEY, kind, study or file) for kind in ("study", "patient")}
    return {"image": str(folder / file), "name": pseudonymise(KEY, file), **names}


class FakeReader:
    """Reads in this process, as the isolated reader does in another; `seen` names the files read."""

    def __init__(self, load=None) -> None:
        self.load, self.seen = load or LoadFake(), []

    def __call__(self, items):
        return map(self.read, items)

    def read(self, item: dict) -> dict:
        identity = {"name": item["name"], "file": item["image"]}
        self.seen.append(Path(item["image"]).name)
        try:
            return {**self.load(item), **identity}
        except RefusedError as error:
            return {**identity, "refusal": error.reason}
        except OSError:
            return {**identity, "refusal": Reason(Code.UNREADABLE, "The file is damaged.")}


def fake_screen(
    network: torch.nn.Module | None = None, reader: FakeReader | None = None, channels: Channels = CHANNELS, *more: Transform
) -> Screen:
    """A screen like that of inference.yaml, with stand-ins for files and network; `more` postprocessing comes last."""
    interpretation = Interpretd(channels)
    return Screen(
        reader=reader or FakeReader(),
        network=network or FakeCascade(),
        inferer=ScreeningInferer(),
        interpretation=interpretation,
        postprocessing=Compose([interpretation, DrawMaskd(), HipGeometryd(), *more]),
        device="cpu",
        weights={},
        notice=NOTICE,
    )


class MainJob:
    """Screens items in a folder "in" beside the results in "out", as the main job does, with stand-ins for files and network."""

    def __init__(self, folder: Path, provenance: dict) -> None:
        self.folder, self.out, self.provenance = folder / "in", folder / "out", provenance
        self.reader = FakeReader()
        self.pictures = [MaskWriter(), OverlayWriter()]
        self.passed_over: list[PassedOver] = []
        self.precision: Precision | None = None

    @property
    def screened(self) -> list[str]:
        return self.reader.seen

    def __call__(self, items: list[dict], network: torch.nn.Module | None = None) -> Path:
        return self.run(items, fake_screen(network, self.reader))

    def run(self, items: list[dict], screen: Screen, *more: Quantity) -> Path:
        self.out.mkdir(exist_ok=True)
        self.ledger = ledger = Ledger(items, self.folder, self.out, self.provenance, self.passed_over)
        ledger.open()
        tables = [write_results_table, write_columns_table, write_rejected_table, write_follow_up_table]
        tables += [write_patient_pages, write_report, write_document]
        quantities = (*screen.interpretation.channels.table, *more)
        writer = ResultsWriter(ledger, quantities, NOTICE, self.pictures, tables, self.precision)
        evaluator = ledger.pending() and SupervisedEvaluator(
            device="cpu",
            val_data_loader=StudyDataset(ledger.pending(), screen.reader),
            network=screen.network,
            inferer=screen.inferer,
            iteration_update=screen.iterate,
            decollate=False,
            val_handlers=[writer],
        )
        screen_pending(evaluator or None, writer, ProgressBar())
        return self.out


@pytest.fixture
def screening(tmp_path, provenance) -> MainJob:
    return MainJob(tmp_path, provenance)


@pytest.fixture(scope="session")
def provenance() -> dict:
    return {
        "created": "2026-01-01T00:00:00+00:00",
        "software": {"osteoxr": "0", "python": "3", "torch": "2", "monai": "1", "numpy": np.__version__},
        "configuration": {"files": [], "overrides": {}},
        "weights": {"file": "model.pt", "sha256": "0" * 64, "provenance": {"data": "simulated"}},
        "uncertainty": load_uncertainty().describe(),
        "seed": 0,
        "device": "cpu",
        "reference": [],
    }
