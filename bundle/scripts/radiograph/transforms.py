"""The one preprocessing, as MONAI dictionary transforms: load, resample to the network's pixel size, normalise.

Training adds the labels: load, resample, `LoadLabeld`, `LoadLandmarksd` (both follow the image's grid), normalise. End a
training chain with `EnsureTyped(track_meta=False)`: unknown header values are None, which MONAI cannot stack.

Example:
    >>> from pathlib import Path
    >>> import scripts
    >>> examples = Path(scripts.__file__).parents[1] / "examples"
    >>> from monai.transforms import Compose
    >>> preprocess = Compose([LoadRadiographd("image"), ResampleRadiographd("image"), NormaliseRadiographd("image")])
    >>> item = preprocess({"image": examples / "images" / "normal.dcm"})
    >>> item["image"].shape, item["covariates"].tolist()[:2]
    (torch.Size([1, 1269, 1235]), [65.0, 1.0])
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any, Final

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from scripts.clinical import Code
from scripts.clinical.anatomy import COVARIATES, NETWORK_SPACING_MM
from scripts.radiograph.admission import refused
from scripts.radiograph.decoded import LazyImage, Pixels
from scripts.radiograph.exposure import find_display_limits
from scripts.radiograph.reader import open_radiograph
from scripts.radiograph.sampling import choose_grid, resample

Item = dict[Hashable, Any]

UNSCALED_SIDE: Final = 2150
"""Pixels of the longer side of a radiograph whose scale is not known yet: 0.2 mm if it is 430 mm long."""


class LoadRadiographd(MapTransform):
    """Reads a radiograph (see `read_radiograph`) and sets item["covariates"].

    The manifest's columns `COVARIATES`, where an item has them and they are known, override the header, in the image's
    meta too. `covariates` is (4,) float32: age in years, sex (0 female, 1 male), weight in kg, height in cm; NaN unknown.

    Args:
        keys: of the paths.
        lazy: give a `LazyImage`, which `ResampleRadiographd` takes next. This is several times faster, since the radiograph is
            never displayed at its full size.

    Raises:
        RefusedError: as `read_radiograph`. MONAI wraps it in a RuntimeError: look for it in the chain of causes.
    """

    def __init__(self, keys: KeysCollection, lazy: bool = False, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.lazy = lazy

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Replace the path of each key by its image (1, H, W), or what it will be computed from."""
        item = dict(data)
        for key in self.key_iterator(item):
            image = open_radiograph(item[key])
            for name in COVARIATES:
                given = item.get(name)
                if given is None or given == "" or (isinstance(given, float) and math.isnan(given)):
                    continue
                if image.meta[name] not in (None, given):
                    image.meta["assumptions"].append(f"The manifest's {name} was used, not the header's.")
                image.meta[name] = given
            item[key] = image if self.lazy else image.compute()
            item["covariates"] = _covariates(image.meta)
        return item


class DisplayRadiographd(MapTransform):
    """Computes what `LoadRadiographd` left to be computed, at the radiograph's full size: for people to look at.

    Args:
        keys: of images of `LoadRadiographd`, lazy ones.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Replace the image of each key by (1, H, W) float32 in 0..1."""
        return {**data, **{key: data[key].compute() for key in self.key_iterator(dict(data))}}


class ResampleRadiographd(MapTransform):
    """Resamples a radiograph to square pixels of one size in the patient.

    Shrinking averages areas, enlarging interpolates linearly. The new grid covers the radiograph exactly, so its pixels differ
    from the wanted size by less than one in twice their number. Sets in meta: `resample_scale`, (row, col) radiograph pixels
    per new pixel: radiograph = (new + 0.5) * scale - 0.5; `spacing_mm`; `affine`. `displayed_shape` keeps the radiograph's size.

    Args:
        keys: of images (1, H, W) of `LoadRadiographd`.
        spacing_mm: the wanted pixel size in the patient, mm.
        admit_unscaled: let a radiograph whose pixel size is unknown pass, for its scale to be found later
            (`CalibrateRadiographd`, then `scripts.screening.scaling`); its longer side is brought to at most `UNSCALED_SIDE`
            pixels, and its meta's `spacing_mm` stays None.

    Raises:
        RefusedError: NO_SPACING, if the size of a pixel is unknown, unless `admit_unscaled`.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spacing_mm: float = NETWORK_SPACING_MM,
        admit_unscaled: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if not spacing_mm > 0:
            raise ValueError(f"spacing_mm is {spacing_mm}, expected a pixel size in mm above 0.")
        self.spacing_mm = spacing_mm
        self.admit_unscaled = admit_unscaled

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Resample the image of each key."""
        item = dict(data)
        for key in self.key_iterator(item):
            image = item[key]
            if image.meta["spacing_mm"] is not None:
                item[key] = resample_to_spacing(image, image.meta["spacing_mm"], self.spacing_mm)
            elif self.admit_unscaled:
                item[key] = _fitted(image)
            else:
                raise refused(
                    Code.NO_SPACING,
                    "The file does not tell the size of a pixel in millimetres, which every measurement needs; it was not "
                    "analysed. Export the original DICOM, with Pixel Spacing or Imager Pixel Spacing.",
                )
        return item


def resample_to_spacing(image: MetaTensor | LazyImage, pixel_mm: tuple[float, float], spacing_mm: float) -> MetaTensor:
    """Resample a radiograph to square pixels; see `ResampleRadiographd`.

    Args:
        image: (1, H, W), as displayed or resampled before.
        pixel_mm: (row, col) size of its pixels in the patient, mm.
        spacing_mm: the wanted pixel size in the patient, mm.
    """
    grid, change = choose_grid((image.shape[-2], image.shape[-1]), (spacing_mm / pixel_mm[0], spacing_mm / pixel_mm[1]))
    row, col = pixel_mm[0] * change[0], pixel_mm[1] * change[1]
    before = image.meta.get("resample_scale", (1.0, 1.0))
    scale = (before[0] * change[0], before[1] * change[1])
    # The first new pixel's centre lies between the first radiograph pixels' centres.
    affine = torch.diag(torch.tensor([row, col, 1.0, 1.0], dtype=torch.float64))
    affine[0, 3], affine[1, 3] = (row - row / scale[0]) / 2, (col - col / scale[1]) / 2
    meta = {**image.meta, "spacing_mm": (row, col), "resample_scale": scale, "affine": affine}
    return MetaTensor(torch.from_numpy(resample(_pixels(image), grid))[None], meta=meta)


def _pixels(image: MetaTensor | LazyImage) -> Pixels:
    return image.pixels if isinstance(image, LazyImage) else image[0].numpy()


def _fitted(image: MetaTensor | LazyImage) -> MetaTensor:
    """A radiograph without a known size, its longer side at most `UNSCALED_SIDE` pixels."""
    factor = max(1.0, max(image.shape[-2:]) / UNSCALED_SIDE)
    grid, scale = choose_grid((image.shape[-2], image.shape[-1]), (factor, factor))
    meta = {**image.meta, "resample_scale": scale}
    return MetaTensor(torch.from_numpy(resample(_pixels(image), grid))[None], meta=meta)


class NormaliseRadiographd(MapTransform):
    """Scales a radiograph so that the 1st and 99th percentile of its exposed field become 0 and 1, clipped to -0.25..1.25.

    So neither the vendor's window nor the border of the collimation changes what the networks see. A little room beyond both
    percentiles is kept for metal and air. Sets `normalise_limits` in meta: the two percentiles, in the image's own values.

    Args:
        keys: of images (1, H, W).

    Raises:
        RefusedError: NOT_A_RADIOGRAPH, if the exposed field has no contrast.
    """

    limits = (-0.25, 1.25)

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Normalise the image of each key."""
        item = dict(data)
        for key in self.key_iterator(item):
            image = item[key]
            pixels = image[0].numpy()
            low, high = find_display_limits(pixels, image.meta.get("background"))
            # In place, since at this size allocating costs as much as computing.
            scaled = np.subtract(pixels, np.float32(low))
            scaled /= np.float32(high - low)
            np.clip(scaled, *self.limits, out=scaled)
            item[key] = MetaTensor(torch.from_numpy(scaled)[None], meta={**image.meta, "normalise_limits": (low, high)})
        return item


def _covariates(meta: Mapping[str, Any]) -> torch.Tensor:
    sex = {"F": 0.0, "M": 1.0}.get(meta["sex"])
    values = [meta["age_years"], sex, meta["weight_kg"], meta["height_cm"]]
    return torch.tensor([math.nan if value is None else value for value in values], dtype=torch.float32)
