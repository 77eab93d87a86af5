"""What the server answers about landmarks, which MONAI Label itself does not know: as points to correct, and back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, File, UploadFile
from fastapi.responses import JSONResponse
from monailabel.interfaces.utils.app import app_instance

router = APIRouter(prefix="/landmarks", tags=["Landmarks"])


@router.get("/{image}")
def points(image: str) -> JSONResponse:
    """A `.mrk.json` file for 3D Slicer: the landmarks that were corrected, or else those that the networks find.

    Args:
        image: a radiograph's name.
    """
    return JSONResponse(app_instance().points(image), headers={"Content-Disposition": "attachment; filename=landmarks.mrk.json"})


@router.put("/{image}")
def save(image: str, points: UploadFile = File()) -> dict[str, Any]:  # noqa: B008 - FastAPI reads the default
    """Keep corrected landmarks.

    Args:
        image: a radiograph's name.
        points: a `.mrk.json` file, as 3D Slicer saves it.
    """
    app_instance().datastore().save_landmarks(image, points.file.read())
    return {"image": image, "landmarks": image}
