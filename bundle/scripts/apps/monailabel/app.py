"""The app that MONAI Label's server runs: what it can do, and on which radiographs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from scripts.apps.monailabel.absent_packages import absent_packages

with absent_packages():
    from monailabel.interfaces.app import MONAILabelApp

from monailabel.config import settings
from monailabel.datastore.dicom import DICOMwebClientX
from monailabel.tasks.activelearning.random import Random

from scripts.apps.found_landmarks import found_landmarks
from scripts.apps.monailabel.confidence import LeastCertainFirst
from scripts.apps.monailabel.fine_tuning import FineTuning
from scripts.apps.monailabel.inference import ScreeningTask, SegmentationTask
from scripts.apps.monailabel.labels import LABELS, removed_on_error
from scripts.apps.monailabel.pacs_store import PacsStore
from scripts.apps.monailabel.points import make_points
from scripts.apps.monailabel.radiograph_store import RadiographStore
from scripts.apps.monailabel.screener import Screener
from scripts.apps.monailabel.settings import OF_ALL_REQUESTS, refuse_unknown
from scripts.dataset.labels import read_landmarks

FINE_TUNED = Path("model", "model_finetuned.pt")
"""Where, in the folder that the server works in, a fine-tuning writes the cascade's weights."""


class OsteoXR(MONAILabelApp):
    """Contours of femurs and implants to correct, the screen itself, and fine-tuning.

    Args:
        app_dir: the folder that the server works in.
        studies: a folder of radiographs, or the address of a PACS's DICOMweb service.
        conf: "search": attributes of the radiographs to offer, as JSON; for a PACS only.
    """

    def __init__(self, app_dir: str, studies: str, conf: Mapping[str, str]) -> None:
        self._work_dir = Path(app_dir)
        self._screener = Screener(self._work_dir / FINE_TUNED)
        super().__init__(
            app_dir,
            studies,
            dict(conf),
            name="OsteoXR",
            description="Proximal femurs and implants on hip radiographs. Research use only.",
            labels=list(LABELS),
        )

    def init_datastore(self) -> RadiographStore:
        """Open the folder, or ask the PACS."""
        if not self.studies.startswith(("http://", "https://")):
            return RadiographStore(Path(self.studies), self._screener, settings.MONAI_LABEL_DATASTORE_AUTO_RELOAD)
        address = self.studies.rstrip("/")
        client = DICOMwebClientX(url=address)
        client.set_http_retry_params(max_attempts=2)  # of five, half a minute long, somebody would wait for the end
        folder = self._work_dir / "pacs" / "".join(letter if letter.isalnum() else "-" for letter in address)
        return PacsStore(client, json.loads(self.conf.get("search", "{}")), folder, self._screener)

    def init_infers(self) -> dict[str, Any]:
        """The models."""
        return {"segmentation": SegmentationTask(self._screener), "screening": ScreeningTask(self._screener)}

    def init_trainers(self) -> dict[str, Any]:
        """The trainings."""
        return {"segmentation": FineTuning(self._screener, self._work_dir)}

    @property
    def trainings(self) -> Mapping[str, FineTuning]:
        """What `init_trainers` made."""
        return self._trainers

    def init_strategies(self) -> dict[str, Any]:
        """What may choose the next radiograph."""
        return {"least_certain": LeastCertainFirst(self._screener), "random": Random()}

    def next_sample(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Choose the next radiograph.

        Raises:
            ValueError: for a setting, since there are none.
        """
        refuse_unknown(set(request) - OF_ALL_REQUESTS - {"strategy"}, (), "a strategy", "Nothing was chosen.")
        chosen: dict[str, Any] = super().next_sample(request)
        return chosen

    def points(self, image: str) -> dict[str, Any]:
        """The landmarks of a radiograph of the studies, see `make_points`: the corrected ones, or else those found.

        Raises:
            ImageNotFoundException: if there is no such radiograph.
            RefusedError: if it cannot be read.
        """
        store: RadiographStore = self.datastore()
        radiograph = Path(store.get_image_uri(image))
        if corrected := store.landmarks(image):
            return make_points(read_landmarks(corrected).astype(np.float64), radiograph, corrected=True)
        return make_points(found_landmarks(self._screener.screen(radiograph)), radiograph, corrected=False)

    def infer(self, request: Mapping[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Answer for a radiograph of the studies or one that was just uploaded; no other file of this machine is read."""
        image = str(request["image"])
        uploaded = Path(image).is_file() and _lies_in(image, tempfile.gettempdir(), settings.MONAI_LABEL_SESSION_PATH)
        if not uploaded:
            (datastore or self.datastore()).get_image_uri(image)  # raises for what is not there
        with removed_on_error(Path(image)) if uploaded else nullcontext():
            answer: dict[str, Any] = super().infer(request, datastore)
        return answer


def _lies_in(path: str, *folders: str) -> bool:
    return any(folder and Path(path).resolve().is_relative_to(Path(folder).resolve()) for folder in folders)
