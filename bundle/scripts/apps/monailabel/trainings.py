"""What the server answers about trainings: one at a time, and how the last one ended."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, HTTPException
from monailabel.endpoints import train
from monailabel.interfaces.utils.app import app_instance
from monailabel.utils.async_tasks.utils import run_background_task, tasks

from scripts.apps.monailabel.fine_tuning import STOPPED
from scripts.apps.monailabel.settings import OF_ALL_REQUESTS, refuse_unknown

router = APIRouter(prefix="/train", tags=["Train"])
"""Takes the place of MONAI Label's own, which lets a second training slip in, and one run inside the server end it."""

_KILLED: Final = (
    f"{STOPPED}: its process was killed or broke off, as when the machine has no memory left; above is the last that it said. "
    "The weights in use stay as they were; start the training again."
)


@router.post("/")
@router.post("/{model}")
async def start(model: str = "", params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Start a training in a process of its own.

    Args:
        model: a training's name.
        params: its settings, by name.

    Raises:
        HTTPException: 404 if there is no such training, 429 if one is running.
        ValueError: for a setting that there is not, or that cannot be used.
    """
    trainings = app_instance().trainings
    if model not in trainings:
        raise HTTPException(404, f"There is no training {model!r}, expected {', '.join(trainings)}. Nothing was started.")
    asked = {name: value for name, value in (params or {}).items() if name not in OF_ALL_REQUESTS}
    refuse_unknown(asked, trainings[model].config(), "this training", "Nothing was trained.")
    settings = trainings[model].settings(asked)
    if running := [task for task in tasks("train") if task["status"] in ("SUBMITTED", "RUNNING")]:
        raise HTTPException(
            429,
            f"A training is running already, since {running[0]['start_ts']}; nothing was started. Wait for its end, or stop it.",
        )
    begun: dict[str, Any] = run_background_task({"model": model, **settings}, "train")
    return begun


@router.get("/")
async def status(all: bool = False, check_if_running: bool = False) -> Any:
    """Tell of the last training, or of all: "status", and in "details" the last lines that it said.

    Raises:
        HTTPException: 404 if there was none.
    """
    found = train.status(all, check_if_running)
    for task in found if all else [found]:
        if task["status"] == "ERROR" and not any(STOPPED in line for line in task["details"]):
            task["details"].append(_KILLED)
    return found
