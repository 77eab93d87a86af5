"""One change of a radiograph at a time, from weak to strong: of its grey values, of what lies over it, of its geometry.

Each is applied to the normalised image that the network gets; changes of geometry move mask and landmarks along. What
hospitals produce is judged from practice, not measured: how far a change can go before a radiographer would take it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter, zoom

from scripts.clinical.anatomy import NETWORK_SPACING_MM
from scripts.evaluation.choosing import choose_changes
from scripts.radiograph import NormaliseRadiographd

_LOW, _HIGH = NormaliseRadiographd.limits
_FEMUR: Final = 1
_SHARPENED_MM: Final = 2.4  # SD of the blur that is subtracted: vendors raise structures of some millimetres
_EDGE_MM: Final = 0.6  # softness of a bone that is made lighter or darker
_OBJECT_MM: Final = (12.0, 50.0)  # sides of an object

Random = np.random.Generator


@dataclass(frozen=True)
class LabelledImage:
    """A radiograph with its truth.

    image: (rows, cols) float32, normalised. label: (rows, cols) uint8 classes. landmarks: (2, 5, 2), (row, col) in pixels; NaN
    = not on the radiograph.
    """

    image: NDArray[np.float32]
    label: NDArray[np.uint8]
    landmarks: NDArray[np.float64]


@dataclass(frozen=True)
class Perturbation:
    """A kind of change.

    levels: strengths from weak to strong, in ``unit``. hospital: the strongest that hospitals produce; 0 = none do, or the
    reader undoes it. why: what produces it there. apply: makes the changed radiograph, of a radiograph, a strength, and a source
    of what is random about it.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    hospital: float
    why: str
    apply: Callable[[LabelledImage, float, Random], LabelledImage]

    def __call__(self, given: LabelledImage, level: float, random: Random) -> LabelledImage:
        """Return the changed radiograph, its grey values within those of any normalised one."""
        changed = self.apply(given, level, random)
        return replace(changed, image=changed.image.clip(_LOW, _HIGH).astype(np.float32))


def _either_way(level: float, random: Random) -> float:
    return level if random.random() < 0.5 else -level


def _tone(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    exponent = float(np.exp(_either_way(level, random)))
    share = (given.image - _LOW) / (_HIGH - _LOW)
    return replace(given, image=_LOW + (_HIGH - _LOW) * share**exponent)


def _contrast(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    return replace(given, image=(given.image - 0.5) * float(np.exp(_either_way(level, random))) + 0.5)


def _brightness(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    return replace(given, image=given.image + _either_way(level, random))


def _inversion(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    return replace(given, image=1.0 - given.image)


def _uneven_field(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    coarse = random.normal(0.0, level, size=(4, 4))
    rows, cols = given.image.shape
    return replace(given, image=given.image + zoom(coarse, (rows / 4, cols / 4), order=1, grid_mode=False)[:rows, :cols])


def _blur(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    return replace(given, image=gaussian_filter(given.image, level / NETWORK_SPACING_MM, truncate=3.0))


def _sharpening(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    blurred = gaussian_filter(given.image, _SHARPENED_MM / NETWORK_SPACING_MM, truncate=3.0)
    return replace(given, image=given.image + level * (given.image - blurred))


def _noise(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    return replace(given, image=given.image + level * random.standard_normal(given.image.shape, dtype=np.float32))


def _objects(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    image = given.image.copy()
    for _ in range(round(level)):
        height, width = (random.uniform(*_OBJECT_MM, size=2) / NETWORK_SPACING_MM).astype(int)
        top, left = (
            int(random.uniform(0.0, max(1, size - side))) for size, side in zip(image.shape, (height, width), strict=True)
        )
        image[top : top + height, left : left + width] = random.uniform(_LOW, _HIGH)
    return replace(given, image=image)


def _collimation(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    rows, cols = given.image.shape
    margins = (random.uniform(0.0, 1.0, size=4) * level * (rows, rows, cols, cols)).astype(int)
    open_field = np.zeros(given.image.shape, dtype=bool)
    open_field[margins[0] : rows - margins[1], margins[2] : cols - margins[3]] = True
    return _within(given, open_field)


def _scale(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    return _moved(given, np.eye(2) * np.exp(_either_way(level, random)))


def _rotation(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    angle = np.radians(_either_way(level, random))
    return _moved(given, np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))


def _shear(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    return _moved(given, np.array([[1.0, 0.0], [_either_way(level, random), 1.0]]))


def _bone(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    femur = gaussian_filter((given.label == _FEMUR).astype(np.float32), _EDGE_MM / NETWORK_SPACING_MM)
    return replace(given, image=given.image + _either_way(level, random) * femur)


def _overlay(given: LabelledImage, level: float, random: Random) -> LabelledImage:
    other = np.roll(given.image[::-1], int(random.integers(given.image.shape[1])), axis=1)
    return replace(given, image=(1.0 - level) * given.image + level * other)


def _moved(given: LabelledImage, matrix: NDArray[np.float64]) -> LabelledImage:
    """The radiograph by a linear map of (row, col) about its middle; what comes from outside is black, and is not femur."""
    middle = (np.array(given.image.shape) - 1) / 2
    inverse = np.linalg.inv(matrix)
    offset = middle - inverse @ middle
    landmarks = (given.landmarks - middle) @ matrix.T + middle
    inside = ((landmarks >= -0.5) & (landmarks < np.array(given.image.shape) - 0.5)).all(axis=2, keepdims=True)
    return LabelledImage(
        image=affine_transform(given.image, inverse, offset, order=1, cval=0.0),
        label=affine_transform(given.label, inverse, offset, order=0, cval=0),
        landmarks=np.where(inside, landmarks, np.nan),
    )


def _within(given: LabelledImage, open_field: NDArray[np.bool_]) -> LabelledImage:
    """The radiograph, black outside of the collimator's field, where neither femur nor landmarks are seen."""
    at = np.nan_to_num(given.landmarks, nan=0.0).round().astype(int)
    rows, cols = (at[..., axis].clip(0, size - 1) for axis, size in enumerate(open_field.shape))
    seen = open_field[rows, cols][..., None]
    return LabelledImage(
        image=np.where(open_field, given.image, np.float32(0.0)),
        label=np.where(open_field, given.label, np.uint8(0)),
        landmarks=np.where(seen, given.landmarks, np.nan),
    )


PERTURBATIONS: Final = (
    Perturbation("tone curve", "ln gamma, ±", (0.2, 0.4, 0.7, 1.2), 0.7, "vendors' look-up tables: gamma 0.5 to 2", _tone),
    Perturbation("contrast", "ln factor, ±", (0.1, 0.2, 0.4, 0.8), 0.2, "normalisation leaves little: metal, air", _contrast),
    Perturbation("brightness", "of the range, ±", (0.05, 0.1, 0.2, 0.4), 0.1, "as of contrast", _brightness),
    Perturbation("inversion", "black bone", (1.0,), 0.0, "none: the reader undoes it, but for a wrong header", _inversion),
    Perturbation(
        "uneven field", "SD, of the range", (0.05, 0.1, 0.2, 0.4), 0.1, "heel effect, scatter, grid out of line", _uneven_field
    ),
    Perturbation("blur", "SD, mm", (0.3, 0.6, 1.2, 2.4), 0.6, "focal spot, motion, thick patient", _blur),
    Perturbation("sharpening", "gain at 2.4 mm", (0.5, 1.0, 2.0, 4.0), 2.0, "vendors' edge enhancement", _sharpening),
    Perturbation("noise", "SD a 0.3 mm pixel, of the range", (0.02, 0.05, 0.1, 0.2), 0.05, "low dose, thick patient", _noise),
    Perturbation("objects", "opaque ones, 12 to 50 mm", (1.0, 2.0, 4.0, 8.0), 2.0, "markers, shields, coins, tape", _objects),
    Perturbation("collimation", "of each side, at most", (0.05, 0.1, 0.2, 0.3), 0.1, "collimator and borders", _collimation),
    Perturbation("scale", "ln factor, ±", (0.05, 0.1, 0.15, 0.3), 0.15, "magnification not known, small and large bones", _scale),
    Perturbation("rotation", "degrees, ±", (3.0, 6.0, 10.0, 25.0), 10.0, "patient or detector askew", _rotation),
    Perturbation("shear", "tangent, ±", (0.03, 0.06, 0.12, 0.25), 0.06, "tube at an angle", _shear),
    Perturbation("bone", "lightness of the femur, of the range, ±", (0.05, 0.1, 0.2, 0.3), 0.1, "thin and dense bone", _bone),
    Perturbation(
        "overlay", "share of the radiograph upside down", (0.05, 0.1, 0.2, 0.4), 0.1, "bowel, folds, bedding, ghosts", _overlay
    ),
)
"""All of them, in the order of the table."""


def choose_perturbations(names: Sequence[str] | None) -> tuple[Perturbation, ...]:
    """Those of these names, all for None.

    Raises:
        ValueError: when there is none of a name.
    """
    return choose_changes(PERTURBATIONS, names, "blur")
