"""Masks on their way to the viewer and back: on the radiograph's grid, where ITK, and so 3D Slicer, lays that grid in space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its customary name
from numpy.typing import NDArray

from scripts.clinical.anatomy import HIP

LABELS: Final = {name: value for value, name in enumerate(HIP.classes) if value}
"""Value of each class in a mask, by name."""

ENDINGS: Final = (".nii.gz", ".nii", ".nrrd", ".mha", ".png")
"""Of the masks that are written: one slice in the radiograph's place, but for PNG, which holds the pixels alone."""

_SAME_DIRECTION: Final = 1e-3
_HEADER_BYTES: Final = 4096  # more than any of the formats needs


def write_mask(mask: NDArray[np.uint8], radiograph: Path, destination: Path) -> None:
    """Write a mask for a viewer that has the radiograph open.

    Args:
        mask: (rows, cols), 0 to 3 (`CLASSES`), on the grid of the radiograph's file.
        radiograph: the file.
        destination: ends with one of `ENDINGS`, which decides the format.

    Raises:
        OSError: if it cannot be written.
    """
    if destination.name.endswith(".png"):
        image = sitk.GetImageFromArray(mask)
    else:
        image = sitk.GetImageFromArray(mask[None])
        spacing, origin, direction = geometry(radiograph)
        image.SetSpacing(spacing)
        image.SetOrigin(origin)
        image.SetDirection(direction)
    # ITK does not say why it cannot write a file, such as that the disk is full. Python does: so room is taken first.
    destination.write_bytes(bytes(mask.nbytes + _HEADER_BYTES))
    try:
        sitk.WriteImage(image, str(destination), useCompression=True)
    except RuntimeError as error:
        raise OSError(f"{destination}: the mask cannot be written") from error


@contextmanager
def removed_on_error(file: Path) -> Iterator[None]:
    """Within it, an error costs the file: nothing of a patient stays behind where nothing was saved."""
    try:
        yield
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def read_mask(
    label: Path, radiograph: Path, stored_shape: tuple[int, int], label_info: Sequence[Mapping[str, Any]] | None = None
) -> NDArray[np.uint8]:
    """Read a mask that a viewer sends, and check that it is one of this radiograph.

    Args:
        label: the file, in any format that ITK reads: one slice, or a picture.
        radiograph: its file.
        stored_shape: its rows and columns as stored.
        label_info: "name" and "idx" of each segment, as 3D Slicer sends them: its values follow the order in which the
            segments stand there. None where the values are those of `CLASSES`.

    Returns:
        (rows, cols) uint8, 0 to 3 (`CLASSES`).

    Raises:
        ValueError: if it cannot be read, has another size or other axes, or holds another value.
    """
    try:
        image = sitk.ReadImage(str(label))
    except RuntimeError as error:
        raise ValueError("The label cannot be read; expected a NIfTI, NRRD or PNG file. It was not saved.") from error
    found = np.squeeze(sitk.GetArrayFromImage(image))
    if found.shape != tuple(stored_shape):
        raise ValueError(
            f"The label of {radiograph.name} has the size {found.shape}, expected {tuple(stored_shape)} (rows, columns) as the "
            "radiograph has. It was not saved. Make the radiograph the segmentation's source geometry, and submit it again."
        )
    if image.GetDimension() > 3:
        raise ValueError(f"A label of {radiograph.name} has {image.GetDimension()} dimensions, not one slice. It was not saved.")
    if image.GetDimension() == 3:
        _, _, direction = geometry(radiograph)
        if not np.allclose(image.GetDirection(), direction, atol=_SAME_DIRECTION):
            raise ValueError(
                f"The axes of the label run in the directions {_rounded(image.GetDirection())}, expected those of "
                f"{radiograph.name}, {_rounded(direction)}: it would lie mirrored or turned. It was not saved. Export it with "
                "the radiograph as reference."
            )
    return _classes(found, label_info)


def _classes(found: NDArray[Any], label_info: Sequence[Mapping[str, Any]] | None) -> NDArray[np.uint8]:
    """The values as those of `CLASSES`."""
    meant = {0: 0, **{value: value for value in LABELS.values()}}
    if label_info:
        try:
            names = {int(info["idx"]): str(info["name"]) for info in label_info}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"label_info is {label_info!r}, expected name and idx of each segment. It was not saved.") from error
        meant = {0: 0, **{value: LABELS[name] for value, name in names.items() if name in LABELS}}
        for value in np.unique(found):
            if value not in meant:
                raise ValueError(
                    f"The label holds the segment {names.get(int(value), int(value))!r}, expected only {', '.join(LABELS)}. "
                    "It was not saved. Rename the segment or remove it, and submit the label again."
                )
    if wrong := sorted(set(np.unique(found).tolist()) - set(meant)):
        raise ValueError(
            f"The label holds the value {wrong[0]}, expected 0 to {len(HIP.classes) - 1} "
            f"({', '.join(HIP.classes)}). It was not saved."
        )
    mask = np.zeros(found.shape, np.uint8)
    for value, of_class in meant.items():
        mask[found == value] = of_class
    return mask


def geometry(radiograph: Path) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Spacing (mm), origin (mm) and direction of a radiograph as ITK reads them, in three dimensions.

    Where ITK cannot read the file no viewer shows it by ITK either, and the plain grid will do.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(radiograph))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel())
    if reader.GetDimension() >= 3:
        axes = np.reshape(reader.GetDirection(), (reader.GetDimension(), -1))[:3, :3]
        return reader.GetSpacing()[:3], reader.GetOrigin()[:3], tuple(axes.ravel())
    direction = np.eye(3)
    direction[:2, :2] = np.reshape(reader.GetDirection(), (2, 2))
    return (*reader.GetSpacing(), 1.0), (*reader.GetOrigin(), 0.0), tuple(direction.ravel())


def _rounded(direction: Sequence[float]) -> list[float]:
    return [round(float(value), 2) for value in direction]
