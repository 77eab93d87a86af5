"""Reading the maps of mineral and of DXA's regions that come with simulated radiographs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import Transform
from numpy.typing import NDArray
from PIL import Image

from scripts.dataset.labels import stored_shape

MINERAL_STEP: Final = 0.02
"""Mineral that one grey level of a map stands for, g/cm²."""
REGION_BITS: Final = (1, 2)
"""Bits of a pixel within the regions of the femoral neck and of the total hip."""

MAP_LABELS: Final = ("mineral_label", "region_label")
"""Columns of the manifest that name the maps of a radiograph."""


class LoadMineralMapsd(Transform):
    """Adds "maps" (5, rows, cols) uint8 to an item, at a quarter of its image's resolution: mineral of the femurs' cortex, of
    their spongy bone and of the pelvis in steps of `MINERAL_STEP`, and how much of a pixel lies in the regions of neck and total
    hip, 0 to 255. Of a radiograph without maps, as all real ones are, they are 0: nothing is known of its mineral.

    Args:
        factor: pixels of the image to one of the maps.

    Raises:
        ValueError: if one of the two maps is missing alone, cannot be read, or has another shape than its radiograph.
    """

    def __init__(self, factor: int = 4) -> None:
        self.factor = factor

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Read the files that "mineral_label" and "region_label" name."""
        image = data["image"]
        shape = stored_shape(image.meta)
        rest = {key: value for key, value in data.items() if key not in MAP_LABELS}
        given = [key for key in MAP_LABELS if data.get(key)]
        if not given:
            rows, cols = (size // self.factor for size in image.shape[-2:])
            return {**rest, "maps": torch.zeros(len("RGB") + len(REGION_BITS), rows, cols, dtype=torch.uint8)}
        if missing := set(MAP_LABELS) - set(given):
            raise ValueError(
                f"{image.meta['filename_or_obj']}: has a {given[0]} and no {missing.pop()}; expected both, or none. "
                "Training stops."
            )
        mineral = _read(data["mineral_label"], (*shape, len("RGB")))
        regions = _read(data["region_label"], shape)
        shares = np.stack([(regions & bit > 0) * np.uint8(255) for bit in REGION_BITS])
        both = np.concatenate([mineral.transpose(2, 0, 1), shares])
        stored = torch.from_numpy(image.meta["orientation"].to_display(both)).float()[None]
        whole = F.interpolate(stored, size=tuple(image.shape[-2:]), mode="bilinear", antialias=True)
        maps = F.avg_pool2d(whole, self.factor)[0].round().to(torch.uint8)  # what makes no whole pixel is left out
        return {**rest, "maps": maps}


def _read(path: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        with Image.open(Path(path)) as picture:
            found = np.asarray(picture)
    except (OSError, SyntaxError, EOFError) as error:
        raise ValueError(f"{path}: the map cannot be read; expected a PNG that simulate.yaml wrote. It is not used.") from error
    if found.shape != shape or found.dtype != np.uint8:
        raise ValueError(f"{path}: the map is {found.dtype} {found.shape}, expected uint8 {shape}. It is not used.")
    return found
