"""A radiograph whose findings are known, and a network that obeys the cascade's contract and knows them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fake_preprocessing import FILM_SHAPE, SCALE, LoadFake
from scripts.clinical import CHANNELS


@pytest.fixture
def film() -> SimpleNamespace:
    return SimpleNamespace(shape=FILM_SHAPE, scale=SCALE, patient="DOE^JANE", patient_id="MRN-4711")


class FakeCascade(torch.nn.Module):
    """`predict` with the shapes of the contract: the right hip osteoporotic, the left implanted."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3, 2))

    def predict(self, image: torch.Tensor, covariates: torch.Tensor) -> dict[str, torch.Tensor]:
        height, width = image.shape[-2:]
        right = (0.9, 0.0, 4.0, 0.498, 0.04, 0.70, 0.05)
        left = (0.8, 0.5, -2.0, 0.0, 0.0, 0.0, 0.0)
        channels = torch.tensor([[*right, *left, 0.91]])
        assert channels.shape[1] == len(CHANNELS) and covariates.shape == (1, 4)
        masks = torch.full((1, 3, height, width), -5.0)
        masks[:, 0, 60:200, 60:150] = 5.0
        masks[:, 0, 60:200, 270:360] = 5.0
        masks[:, 1, 100:200, 290:340] = 7.0
        right_points = torch.tensor([[90.0, 140.0], [120.0, 100.0], [80.0, 80.0], [150.0, 110.0], [190.0, 100.0]])
        left_points = right_points * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, width - 1.0])
        return {
            "channels": channels,
            "mask_logits": masks,
            "landmarks": torch.stack((right_points, left_points))[None],
            "landmark_confidence": torch.full((1, 2, 5), 0.9),
            "crops": torch.zeros(1, 2, 100, 100),
            "crop_transforms": torch.tensor(
                [[[[1.6, 0.0, 50.0], [0.0, 1.4, 40.0]], [[1.6, 0.0, 50.0], [0.0, -1.4, width - 41.0]]]]
            ),
        }


@pytest.fixture
def load() -> LoadFake:
    return LoadFake()


@pytest.fixture
def network() -> FakeCascade:
    return FakeCascade()


@pytest.fixture
def provenance() -> dict:
    return {
        "created": "2026-01-01T00:00:00+00:00",
        "software": {"osteoxr": "0", "python": "3", "torch": "2", "monai": "1", "numpy": np.__version__},
        "configuration": {"files": [], "overrides": {}},
        "weights": {"file": "model.pt", "sha256": "0" * 64, "provenance": {"data": "simulated"}},
        "seed": 0,
        "device": "cpu",
        "reference": [],
    }
