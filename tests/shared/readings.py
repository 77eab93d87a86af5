"""What a network would give of a radiograph of two hips, with whatever a test wants changed."""

import torch
from scripts.clinical import CHANNELS
from scripts.clinical import HIP as ANATOMY
from scripts.networks import HipLocaliser
from values import named

SIZE = (400, 600)
TEMPLATE = torch.tensor([ANATOMY.template_mm[name] for name in ANATOMY.landmarks])
LOCALISER = HipLocaliser()


def landmarks(right_col: float = 180.0, left_col: float = 420.0) -> torch.Tensor:
    """(1, 2, 5, 2) of two template hips."""
    return torch.stack(
        (TEMPLATE + torch.tensor([150.0, right_col]), TEMPLATE * torch.tensor([1.0, -1.0]) + torch.tensor([150.0, left_col]))
    )[None]


def reading(
    right: dict | None = None,
    left: dict | None = None,
    places: torch.Tensor | None = None,
    radii: tuple = (80, 80),
    **picture: float,
) -> dict[str, torch.Tensor]:
    """Outputs of the network for one image, with discs for heads."""
    points = landmarks() if places is None else places
    rows, cols = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    femur = torch.zeros(SIZE, dtype=torch.bool)
    for (row, col), radius in zip(points[0, :, 0].tolist(), radii, strict=True):
        femur |= (rows - row) ** 2 + (cols - col) ** 2 <= radius**2
    values = named(right, left, **picture)
    transforms = LOCALISER.fit(points, torch.ones(1, 2, 5))
    return {
        "channels": torch.tensor([[values[name] for name in CHANNELS.names]]),
        "mask_logits": torch.where(femur, 5.0, -5.0).expand(1, 3, *SIZE).clone(),
        "landmarks": points,
        "landmark_confidence": torch.rand(1, 2, 5),
        "crops": torch.rand(1, 2, 8, 8),
        "around": torch.rand(1, 2, 8, 8),
        "crop_transforms": transforms,
        "fracture_logits": torch.rand(1, 2, 8, 8),
        "fracture_transforms": transforms * 1.5,
        "poses": LOCALISER.poses(transforms, 0.3),
        "valid": torch.ones(1, 2),
    }
