"""A radiograph whose findings are known, and a network that obeys the cascade's contract and knows them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scripts.clinical import CHANNELS, Code, Reason, RefusedError
from scripts.radiograph.geometry import Orientation

FILM_SHAPE = (620, 840)  # not square: a transposed mask must not fit
SCALE = (2.0, 2.0)


@pytest.fixture
def film() -> SimpleNamespace:
    return SimpleNamespace(shape=FILM_SHAPE, scale=SCALE, patient="DOE^JANE", patient_id="MRN-4711")


class LoadFake:
    """Stands for the preprocessing: the file's name says what becomes of it."""

    def __call__(self, item: dict) -> dict:
        path = str(item["image"])
        if "chest" in path:
            raise RefusedError(Reason(Code.NOT_A_HIP, "The header says body part CHEST; expected a hip or pelvis."))
        if "broken" in path:
            raise OSError(f"{path}: DOE^JANE MRN-4711 is damaged")
        meta = {
            "filename_or_obj": path,
            "film_shape": FILM_SHAPE,
            "resample_scale": SCALE,
            "orientation": Orientation(transpose="transposed" in path),
            "spacing_mm": (0.45, 0.45),
            "spacing_source": "PixelSpacing",
            "view": "AP",
            "laterality": "B",
            "study_uid": "1.2.3",
            "series_uid": "1.2.3.4",
            "sop_uid": "1.2.3.4.5",
            "patient_name": "DOE^JANE",
            "patient_id": "MRN-4711",
            "assumptions": ["Magnification 1.15 assumed."],
        }
        rows, cols = FILM_SHAPE[0] // 2, FILM_SHAPE[1] // 2
        grain = 0.02 * torch.randn(1, rows, cols, generator=torch.Generator().manual_seed(0))  # no film is without
        image = MetaTensor(torch.linspace(0, 1, rows * cols).reshape(1, rows, cols) + grain, meta=meta)
        covariates = torch.tensor([72.0, 0.0, float("nan"), 160.0])
        return {**item, "image": image, "covariates": covariates}


class FakeCascade(torch.nn.Module):
    """`predict` with the shapes of the contract: the right hip osteoporotic, the left implanted."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3, 2))

    def predict(self, image: torch.Tensor, covariates: torch.Tensor) -> dict[str, torch.Tensor]:
        height, width = image.shape[-2:]
        right = (0.9, 0.0, 0.03, 4.0, -6.0, 0.498, 0.04, 0.70, 0.05)
        left = (0.8, 0.5, 0.1, -2.0, 3.0, 0.0, 0.0, 0.0, 0.0)
        channels = torch.tensor([[*right, *left, 0.91, 0.98, 2.5, -3.0]])
        assert channels.shape[1] == len(CHANNELS) and covariates.shape == (1, 4)
        masks = torch.full((1, 3, height, width), -5.0)
        masks[:, 0, 60:200, 60:150] = 5.0
        masks[:, 0, 60:200, 270:360] = 5.0
        masks[:, 1, 100:200, 290:340] = 7.0
        right_points = torch.tensor([[105.0, 110.0], [120.0, 100.0], [80.0, 80.0], [150.0, 110.0], [190.0, 100.0]])
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
