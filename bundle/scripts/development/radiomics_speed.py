"""How long the radiomics of many regions take, beside other programs where they are installed."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from scripts.measurement.radiomics import NAMES, extract
from scripts.measurement.radiomics.extract import LEVELS
from scripts.measurement.radiomics.wavelet import sub_bands

_SPACING_MM: Final = 0.3
_FAMILIES: Final = ("statistics", "intensity_histogram", "glcm", "glrlm", "glszm", "ngtdm")
_CLASSES: Final = ("firstorder", "glcm", "glrlm", "glszm", "ngtdm")

Region = tuple[NDArray[np.float32], NDArray[np.bool_]]


def time_radiomics(regions: int = 100, side: int = 100, threads: int = 2, seed: int = 0) -> dict[str, float]:
    """Print how long the features of so many regions take, here and by mirp and flash-radiomics; return the seconds by name.

    All get the same regions, ellipses in noise that is smooth as trabeculae are, and measure the same families of grey values'
    features with 32 levels on the same four images; form and the maximal correlation are ours alone. The others measure one
    region after another.

    Args:
        regions: how many.
        side: pixels of the square that each lies in.
        threads: of the processor.
        seed: of the noise.

    Raises:
        ValueError: ``regions`` is below 1 or ``side`` below 16.
    """
    for name, given, least in (("regions", regions, 1), ("side", side, 16), ("threads", threads, 1)):
        if given < least:
            raise ValueError(f"{name} is {given!r}; expected at least {least}. Nothing was measured.")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    drawn = _regions(regions, side, np.random.default_rng(seed))
    programs: Mapping[str, Callable[[list[Region]], None]] = {"osteoxr": _ours, "mirp": _mirp, "flash_radiomics": _flash}
    seconds: dict[str, float] = {}
    print(f"{regions} regions in {side} x {side} pixels, {len(NAMES)} features each, {threads} threads")
    try:
        for name, run in programs.items():
            if name != "osteoxr" and find_spec(name) is None:
                print(f"{name:16} is not installed")
                continue
            logging.disable(logging.INFO)  # of the others, who say much
            run(drawn[:1])  # warms up
            begin = time.perf_counter()
            run(drawn)
            seconds[name] = time.perf_counter() - begin
            print(f"{name:16}{seconds[name]:9.2f} s{seconds[name] / seconds['osteoxr']:8.1f} times ours")
    finally:
        logging.disable(logging.NOTSET)
        torch.set_num_threads(before)
    return seconds


def _regions(count: int, side: int, random: np.random.Generator) -> list[Region]:
    rows, cols = np.mgrid[:side, :side] / side - 0.5
    found = []
    for _ in range(count):
        tall, wide = random.uniform(0.3, 0.48, 2)
        grey = gaussian_filter(random.normal(size=(side, side)), 1.2).astype(np.float32)
        found.append((grey, (rows / tall) ** 2 + (cols / wide) ** 2 < 1))
    return found


def _ours(regions: list[Region]) -> None:
    images, masks = zip(*regions, strict=True)
    extract([torch.from_numpy(one) for one in images], [torch.from_numpy(one) for one in masks], (_SPACING_MM, _SPACING_MM))


def _bands(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(sub_bands(torch.from_numpy(image)[None])[0])


def by_mirp(image: NDArray[Any], mask: NDArray[np.bool_], families: Sequence[str] = _FAMILIES) -> Any:
    """What mirp finds of a region in an image (H, W), as a table of one row, with the bins and directions that the bundle has."""
    from mirp.extract_features_and_images import extract_features

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (table,) = extract_features(
            image=image[None], mask=mask[None].astype(int), by_slice=True, base_feature_families=list(families),
            base_discretisation_method="fixed_bin_number", base_discretisation_n_bins=LEVELS, glcm_spatial_method="2d_average",
            glrlm_spatial_method="2d_average", glszm_spatial_method="2d", ngtdm_spatial_method="2d",
        )  # fmt: skip
    return table


def _mirp(regions: list[Region]) -> None:
    for image, mask in tqdm(regions, desc="mirp", unit="", disable=len(regions) == 1):
        for band in _bands(image):
            by_mirp(band, mask)


def _flash(regions: list[Region]) -> None:
    import SimpleITK as sitk  # noqa: N813
    from flash_radiomics import RadiomicsFeatureExtractor

    extractor: Any = RadiomicsFeatureExtractor(backend="cpu", binCount=LEVELS, force2D=True, force2Ddimension=0, distances=[1])
    extractor.disableAllFeatures()
    for name in _CLASSES:
        extractor.enableFeatureClassByName(name)
    with tempfile.TemporaryDirectory() as folder:
        for number, (image, mask) in enumerate(tqdm(regions, desc="flash_radiomics", unit="", disable=len(regions) == 1)):
            outline = sitk.GetImageFromArray(mask[None].astype(np.uint8))
            for place, band in enumerate(_bands(image)):
                extractor.execute(
                    sitk.GetImageFromArray(band[None]), outline, label=1,
                    output_hdf5_path=str(Path(folder) / f"{number}_{place}.h5"), case_id=str(number), roi_id="a", roi_name="a",
                )  # fmt: skip
