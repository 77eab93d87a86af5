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
from scripts.radiograph import NormaliseRadiographd

_LOW, _HIGH = NormaliseRadiographd.limits
_FEMUR: Final = 1
_SHARPENED_MM: Final = 2.4  # SD of the blur that is subtracted: vendors raise structures of some millimetres
_EDGE_MM: Final = 0.6  # softness of a bone that is made lighter or darker
_OBJECT_MM: Final = (12.0, 50.0)  # sides of an object

Random = np.random.Generator


@dataclass(frozen=True)
class Film:
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
    apply: Callable[[Film, float, Random], Film]

    def __call__(self, film: Film, level: float, random: Random) -> Film:
        """Return the changed radiograph, its grey values within those of any normalised one."""
        changed = self.apply(film, level, random)
        return replace(changed, image=changed.image.clip(_LOW, _HIGH).astype(np.float32))


def _either_way(level: float, random: Random) -> float:
    return level if random.random() < 0.5 else -level


def _tone(film: Film, level: float, random: Random) -> Film:
    exponent = float(np.exp(_either_way(level, random)))
    share = (film.image - _LOW) / (_HIGH - _LOW)
    return replace(film, image=_LOW + (_HIGH - _LOW) * share**exponent)


def _contrast(film: Film, level: float, random: Random) -> Film:
    return replace(film, image=(film.image - 0.5) * float(np.exp(_either_way(level, random))) + 0.5)


def _brightness(film: Film, level: float, random: Random) -> Film:
    return replace(film, image=film.image + _either_way(level, random))


def _inversion(film: Film, level: float, random: Random) -> Film:
    return replace(film, image=1.0 - film.image)


def _uneven_field(film: Film, level: float, random: Random) -> Film:
    coarse = random.normal(0.0, level, size=(4, 4))
    rows, cols = film.image.shape
    return replace(film, image=film.image + zoom(coarse, (rows / 4, cols / 4), order=1, grid_mode=False)[:rows, :cols])


def _blur(film: Film, level: float, random: Random) -> Film:
    return replace(film, image=gaussian_filter(film.image, level / NETWORK_SPACING_MM, truncate=3.0))


def _sharpening(film: Film, level: float, random: Random) -> Film:
    blurred = gaussian_filter(film.image, _SHARPENED_MM / NETWORK_SPACING_MM, truncate=3.0)
    return replace(film, image=film.image + level * (film.image - blurred))


def _noise(film: Film, level: float, random: Random) -> Film:
    return replace(film, image=film.image + level * random.standard_normal(film.image.shape, dtype=np.float32))


def _objects(film: Film, level: float, random: Random) -> Film:
    image = film.image.copy()
    for _ in range(round(level)):
        height, width = (random.uniform(*_OBJECT_MM, size=2) / NETWORK_SPACING_MM).astype(int)
        top, left = (
            int(random.uniform(0.0, max(1, size - side))) for size, side in zip(image.shape, (height, width), strict=True)
        )
        image[top : top + height, left : left + width] = random.uniform(_LOW, _HIGH)
    return replace(film, image=image)


def _collimation(film: Film, level: float, random: Random) -> Film:
    rows, cols = film.image.shape
    margins = (random.uniform(0.0, 1.0, size=4) * level * (rows, rows, cols, cols)).astype(int)
    open_field = np.zeros(film.image.shape, dtype=bool)
    open_field[margins[0] : rows - margins[1], margins[2] : cols - margins[3]] = True
    return _within(film, open_field)


def _scale(film: Film, level: float, random: Random) -> Film:
    return _moved(film, np.eye(2) * np.exp(_either_way(level, random)))


def _rotation(film: Film, level: float, random: Random) -> Film:
    angle = np.radians(_either_way(level, random))
    return _moved(film, np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))


def _shear(film: Film, level: float, random: Random) -> Film:
    return _moved(film, np.array([[1.0, 0.0], [_either_way(level, random), 1.0]]))


def _bone(film: Film, level: float, random: Random) -> Film:
    femur = gaussian_filter((film.label == _FEMUR).astype(np.float32), _EDGE_MM / NETWORK_SPACING_MM)
    return replace(film, image=film.image + _either_way(level, random) * femur)


def _overlay(film: Film, level: float, random: Random) -> Film:
    other = np.roll(film.image[::-1], int(random.integers(film.image.shape[1])), axis=1)
    return replace(film, image=(1.0 - level) * film.image + level * other)


def _moved(film: Film, matrix: NDArray[np.float64]) -> Film:
    """The radiograph by a linear map of (row, col) about its middle; what comes from outside is black, and is not femur."""
    middle = (np.array(film.image.shape) - 1) / 2
    inverse = np.linalg.inv(matrix)
    offset = middle - inverse @ middle
    landmarks = (film.landmarks - middle) @ matrix.T + middle
    inside = ((landmarks >= -0.5) & (landmarks < np.array(film.image.shape) - 0.5)).all(axis=2, keepdims=True)
    return Film(
        image=affine_transform(film.image, inverse, offset, order=1, cval=0.0),
        label=affine_transform(film.label, inverse, offset, order=0, cval=0),
        landmarks=np.where(inside, landmarks, np.nan),
    )


def _within(film: Film, open_field: NDArray[np.bool_]) -> Film:
    """The radiograph, black outside of the collimator's field, where neither femur nor landmarks are seen."""
    at = np.nan_to_num(film.landmarks, nan=0.0).round().astype(int)
    rows, cols = (at[..., axis].clip(0, size - 1) for axis, size in enumerate(open_field.shape))
    seen = open_field[rows, cols][..., None]
    return Film(
        image=np.where(open_field, film.image, np.float32(0.0)),
        label=np.where(open_field, film.label, np.uint8(0)),
        landmarks=np.where(seen, film.landmarks, np.nan),
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
        "overlay", "share of the film upside down", (0.05, 0.1, 0.2, 0.4), 0.1, "bowel, folds, bedding, ghosts", _overlay
    ),
)
"""All of them, in the order of the table."""


def chosen_perturbations(names: Sequence[str] | None) -> tuple[Perturbation, ...]:
    """Those of these names, all for None.

    Raises:
        ValueError: when there is none of a name.
    """
    known = {kind.name: kind for kind in PERTURBATIONS}
    if names is None:
        return PERTURBATIONS
    if isinstance(names, str) or not names or (unknown := [name for name in names if name not in known]):
        wrong = names if isinstance(names, str) or not names else unknown
        raise ValueError(
            f"changes: found {wrong!r}; expected a list of some of {', '.join(known)}, such as \"['blur']\". Nothing was run."
        )
    return tuple(known[name] for name in dict.fromkeys(names))
