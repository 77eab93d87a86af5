"""Landmarks on their way to the viewer and back: as points of 3D Slicer, where ITK lays the radiograph in space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scripts.apps.monailabel.labels import geometry
from scripts.apps.options import nearest
from scripts.clinical.anatomy import HIP

_SCHEMA: Final = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#"
)
_LABELS: Final = {f"{side} {name}": (i, j) for i, side in enumerate(HIP.sides) for j, name in enumerate(HIP.landmarks)}
"""What a point is called in the viewer, and its place among the landmarks."""

_NOT_SAVED: Final = "They were not saved."


def make_points(landmarks: NDArray[np.float64], radiograph: Path, corrected: bool) -> dict[str, Any]:
    """The content of a `.mrk.json` file, which 3D Slicer opens as a list of points over the radiograph.

    Args:
        landmarks: (2, 5, 2): side (`HIP.sides`), landmark (`HIP.landmarks`), (row, col) in pixels of the radiograph as its file
            stores it; NaN where unknown.
        radiograph: its file.
        corrected: whether a person placed them.
    """
    spacing, origin, direction = geometry(radiograph)
    to_space = np.reshape(direction, (3, 3)) * spacing
    points = []
    for number, (label, place) in enumerate(_LABELS.items(), start=1):
        known = bool(np.isfinite(landmarks[place]).all())
        row, col = landmarks[place] if known else (0.0, 0.0)
        points.append(
            {
                "id": str(number),
                "label": label,
                "description": "corrected" if corrected else "found by OsteoXR",
                "position": (to_space @ (col, row, 0.0) + origin).round(4).tolist(),
                "positionStatus": "defined" if known else "undefined",
            }
        )
    return {
        "@schema": _SCHEMA,
        "markups": [{"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": points}],
    }


def read_points(content: bytes, radiograph: Path, stored_shape: tuple[int, int]) -> NDArray[np.float64]:
    """Read the points that a viewer sends.

    Args:
        content: of a `.mrk.json` file, as `make_points` makes it and 3D Slicer saves it.
        radiograph: its file.
        stored_shape: its rows and columns as stored.

    Returns:
        (2, 5, 2) landmarks, see `make_points`; NaN where a point was left out or is undefined.

    Raises:
        ValueError: if it is no such file, or has a point of another name, twice, outside the radiograph, or none at all.
    """
    landmarks = np.full((len(HIP.sides), len(HIP.landmarks), 2), np.nan)
    spacing, origin, direction = geometry(radiograph)
    to_pixels = np.linalg.inv(np.reshape(direction, (3, 3)) * spacing)
    for label, position in _positions(content).items():
        place = _LABELS.get(label)
        if place is None:
            meant = nearest(label, _LABELS)
            raise ValueError(
                f"There is no landmark {label!r}{f'; did you mean {meant}?' if meant else '.'} Expected {', '.join(_LABELS)}. "
                f"{_NOT_SAVED}"
            )
        col, row, _ = to_pixels @ (position - origin)
        if not (-0.5 <= row <= stored_shape[0] - 0.5 and -0.5 <= col <= stored_shape[1] - 0.5):
            raise ValueError(
                f"The landmark {label} lies at row {row:.0f}, column {col:.0f}, outside {radiograph.name}, which has "
                f"{stored_shape} (rows, columns). {_NOT_SAVED} Save the points in the coordinates of the radiograph."
            )
        landmarks[place] = row, col
    if np.isnan(landmarks).all():
        raise ValueError(f"The file holds no defined point, expected some of {', '.join(_LABELS)}. {_NOT_SAVED}")
    return landmarks


def _positions(content: bytes) -> dict[str, NDArray[np.float64]]:
    """The defined points by name, in mm, along patient's left, posterior and superior."""
    try:
        found: dict[str, NDArray[np.float64]] = {}
        for markup in json.loads(content)["markups"]:
            to_lps = {"LPS": (1.0, 1.0, 1.0), "RAS": (-1.0, -1.0, 1.0)}[markup["coordinateSystem"]]
            for point in markup["controlPoints"]:
                if point.get("positionStatus", "defined") != "defined":
                    continue
                label, position = str(point["label"]), point["position"]
                if label in found:
                    raise ValueError(f"The landmark {label} is there twice. {_NOT_SAVED} Remove one of them.")
                if len(position) != 3 or not all(type(value) in (int, float) and np.isfinite(value) for value in position):
                    raise ValueError(f"The landmark {label} lies at {position!r}, expected three numbers. {_NOT_SAVED}")
                found[label] = np.multiply(position, to_lps)
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"The points cannot be read; expected a .mrk.json file as 3D Slicer saves it. {_NOT_SAVED}") from error
    return found
