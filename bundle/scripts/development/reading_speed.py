"""How long a radiograph takes from its file to the network's input, beside decoding it with pydicom alone."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    generate_uid,
)
from threadpoolctl import threadpool_limits

from scripts.development.jpeg_lossless import encode_jpeg_lossless
from scripts.radiograph.quiet import quiet

_BITS = 12


def time_reading(preprocessing: Compose, megabytes: int = 20, repeats: int = 9) -> None:
    """Print the time of reading one synthetic radiograph in each transfer syntax, by pydicom alone and to the network's input.

    Both are run in turn, from files that the operating system holds in memory. Medians of the time on the clock, in which
    reading takes two threads, and of the processor's time of all threads, which a busy machine disturbs less.

    Args:
        preprocessing: the transforms of inference, on items {"image": path}.
        megabytes: size of the radiograph uncompressed.
        repeats: of each reading.

    Raises:
        ValueError: ``megabytes`` or ``repeats`` is below 1.
    """
    for name, given in (("megabytes", megabytes), ("repeats", repeats)):
        if given < 1:
            raise ValueError(f"{name} is {given!r}; expected at least 1. Nothing was measured.")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    print(f"Milliseconds for a radiograph of {megabytes} MB, median of {repeats}: on the clock, and of the processor")
    print(f"{'':32}{'pydicom':>9}{'ours':>9}{'ratio':>7}{'pydicom':>12}{'ours':>9}{'ratio':>7}")
    # The process that reads radiographs in the main job has one thread in its numerical libraries, too.
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        path = Path(folder) / "radiograph.dcm"
        for name, write in _variants(megabytes).items():
            write(path)
            alone, ours = _medians([lambda: dcmread(path).pixel_array, lambda: preprocessing({"image": str(path)})], repeats)
            clock, processor = 1000 * np.stack((alone, ours), axis=1)
            print(
                f"{name:32}{clock[0]:9.1f}{clock[1]:9.1f}{clock[1] / clock[0]:7.2f}"
                f"{processor[0]:12.1f}{processor[1]:9.1f}{processor[1] / processor[0]:7.2f}",
                flush=True,
            )
    torch.set_num_threads(threads)


def _medians(readings: list[Callable[[], Any]], repeats: int) -> list[np.ndarray]:
    """Median seconds on the clock and of the processor, (2,), of each reading."""
    times: list[list[tuple[float, float]]] = [[] for _ in readings]
    for turn in range(repeats + 1):
        for reading, taken in zip(readings, times, strict=True):
            clock, processor = time.perf_counter(), time.process_time()
            reading()
            if turn:  # the first warms up
                taken.append((time.perf_counter() - clock, time.process_time() - processor))
    return [np.median(taken, axis=0) for taken in times]


def _variants(megabytes: int) -> dict[str, Callable[[Path], None]]:
    pixels = _draw_radiograph(megabytes)
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    sigmoid = {"WindowCenter": 2048, "WindowWidth": 2500, "VOILUTFunction": "SIGMOID"}

    def as_is(attributes: dict[str, Any], syntax: UID = ExplicitVRLittleEndian) -> Callable[[Path], None]:
        return lambda path: _dataset(pixels, syntax, **attributes).save_as(path, enforce_file_format=True)

    def by_library(syntax: UID, plugin: str) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            dataset = _dataset(pixels, ExplicitVRLittleEndian, **window)
            with quiet():  # the encoder tells its progress
                dataset.compress(syntax, encoding_plugin=plugin)
            dataset.save_as(path, enforce_file_format=True)

        return write

    def jpeg_lossless(path: Path) -> None:
        dataset = _dataset(pixels, JPEGLosslessSV1, **window)
        dataset.add_new("PixelData", "OB", encapsulate([encode_jpeg_lossless(pixels, _BITS)]))
        dataset["PixelData"].is_undefined_length = True
        dataset.save_as(path, enforce_file_format=True)

    return {
        "uncompressed, linear window": as_is(window),
        "uncompressed, sigmoid window": as_is(sigmoid),
        "deflated": as_is(window, DeflatedExplicitVRLittleEndian),
        "JPEG lossless": jpeg_lossless,
        "JPEG-LS lossless": by_library(JPEGLSLossless, "pyjpegls"),
        "JPEG 2000 lossless": by_library(JPEG2000Lossless, "pylibjpeg"),
    }


def _draw_radiograph(megabytes: int) -> np.ndarray:
    """Return a square radiograph of 12 bits in 16: smooth shapes and the noise of a usual exposure."""
    side = int((megabytes * 1_000_000 / 2) ** 0.5)
    across = np.linspace(0, 12, side)
    smooth = 2000 + 900 * np.sin(across)[:, None] * np.cos(0.8 * across)[None]
    return np.clip(smooth + np.random.default_rng(0).normal(0, 15, smooth.shape), 0, 4095).astype("<u2")


def _dataset(pixels: np.ndarray, syntax: UID, **attributes: Any) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "DX", "HIP", "AP"
    dataset.PatientOrientation, dataset.ImagerPixelSpacing = ["L", "F"], [0.139, 0.139]
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, _BITS, _BITS - 1
    dataset.add_new("PixelData", "OW", pixels.tobytes())
    for keyword, given in attributes.items():
        setattr(dataset, keyword, given)
    return dataset
