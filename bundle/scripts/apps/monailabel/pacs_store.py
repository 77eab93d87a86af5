"""The radiographs of a PACS that are labelled, by DICOMweb, and their labels there as DICOM Segmentations."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pydicom
from dicomweb_client import DICOMwebClient
from monailabel.datastore.local import DataModel, ImageLabelModel
from pydicom.dataset import Dataset

from scripts.apps.monailabel.labels import removed_on_error
from scripts.apps.monailabel.radiograph_store import RadiographStore
from scripts.apps.monailabel.screener import Screener
from scripts.files import replacing
from scripts.results.dicom_seg import extract_mask, make_segmentation, source_radiograph

MODALITIES: Final = ("DX", "CR")
"""Of the radiographs that are offered."""

_ASKED_AGAIN_AFTER: Final = 10.0  # seconds
_LOGGER = logging.getLogger(__name__)


class PacsStore(RadiographStore):
    """Radiographs of a PACS, known by their SOP Instance UID, and the newest Segmentation of each.

    A radiograph is fetched when it is needed, and kept in the folder. A final label goes to the PACS as a Segmentation (STOW-RS)
    and is kept beside the radiograph; one that another program stored is fetched (QIDO-RS, WADO-RS).

    Args:
        client: of the PACS.
        search: QIDO-RS attributes that a radiograph must have beside its modality, such as {"StudyDate": "20260101-"}.
        folder: for copies of radiographs and labels.
        screener: reads the radiographs.

    Raises:
        requests.RequestException: if the PACS does not answer.
    """

    def __init__(self, client: DICOMwebClient, search: Mapping[str, str], folder: Path, screener: Screener) -> None:
        self._client, self._search = client, dict(search)
        self._asked = float("-inf")
        self._segmentations: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, screener, auto_reload=False)

    def name(self) -> str:
        """The address of the PACS."""
        return str(self._client.base_url)

    def list_images(self) -> list[str]:
        """The SOP Instance UIDs of the radiographs."""
        self._ask()
        return list(super().list_images())

    def get_labeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        """Those with a final label."""
        self._ask()
        return list(super().get_labeled_images(label_tag, labels))

    def get_unlabeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        """Those without one."""
        self._ask()
        return list(super().get_unlabeled_images(label_tag, labels))

    def get_image_uri(self, image_id: str) -> str:
        """The path of a radiograph's copy, which is fetched if need be.

        Raises:
            ImageNotFoundException: if there is no such radiograph.
            requests.RequestException: if the PACS does not answer.
        """
        self._ask()
        radiograph = Path(super().get_image_uri(image_id))
        if not radiograph.is_file():
            info = self._datastore.objects[image_id].image.info
            fetched = self._client.retrieve_instance(info["StudyInstanceUID"], info["SeriesInstanceUID"], image_id)
            with replacing(radiograph) as temporary:
                fetched.save_as(temporary, enforce_file_format=True)
        return str(radiograph)

    def save_label(self, image_id: str, label_filename: str, label_tag: str, label_info: Mapping[str, Any]) -> str:
        """Keep a label; a final one is stored in the PACS first.

        Raises:
            as `RadiographStore.save_label`; requests.RequestException: if the PACS does not take it, and it is not kept then.
            OSError: if it cannot be kept here; the PACS has it then, and it is fetched when there is room.
        """
        with removed_on_error(Path(label_filename)):
            tag = str(getattr(label_tag, "value", label_tag))
            radiograph, mask = self.read_label(image_id, Path(label_filename), tag, label_info)
            if tag != "final":
                self.keep_label(image_id, radiograph, mask, tag, label_info)
                return image_id
            segmentation = make_segmentation(pydicom.dcmread(radiograph), mask, "OsteoXR, corrected contours", corrected=True)
            self._client.store_instances([segmentation])
            try:
                self.keep_label(image_id, radiograph, mask, tag, {**label_info, **_origin(segmentation)})
            except OSError as error:
                said = f"the PACS has the label, but its copy cannot be written here ({error.strerror or error})"
                raise OSError(error.errno, f"{said}; it comes when there is room") from error
            self._segmentations.add(str(segmentation.SOPInstanceUID))
        return image_id

    def refresh(self) -> None:
        """Ask the PACS anew."""
        self._asked = float("-inf")
        self._ask()

    def _reconcile_datastore(self) -> None:
        self._ask()

    def _ask(self) -> None:
        if time.monotonic() - self._asked < _ASKED_AGAIN_AFTER:
            return
        self._asked = time.monotonic()
        found = {}
        for modality in MODALITIES:
            for series in self._found({"Modality": modality, **self._search}):
                study_uid, series_uid = str(series.StudyInstanceUID), str(series.SeriesInstanceUID)
                for instance in self._client.search_for_instances(study_uid, series_uid):
                    uid = str(Dataset.from_json(instance).SOPInstanceUID)
                    found[uid] = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, "Modality": modality}
        objects = self._datastore.objects
        for uid in set(objects) - set(found):
            del objects[uid]
        for uid, info in found.items():
            known = objects.setdefault(uid, ImageLabelModel(image=DataModel(ext=".dcm")))
            known.image.info |= {**info, "name": f"{uid}.dcm"}
        self._fetch_labels()
        self._update_datastore_file()

    def _fetch_labels(self) -> None:
        """Take over the Segmentations that were stored since the last time, the newest of each radiograph."""
        for series in self._found({"Modality": "SEG"}):
            study_uid, series_uid = str(series.StudyInstanceUID), str(series.SeriesInstanceUID)
            for instance in self._client.search_for_instances(study_uid, series_uid):
                uid = str(Dataset.from_json(instance).SOPInstanceUID)
                if uid in self._segmentations:
                    continue
                segmentation = self._client.retrieve_instance(study_uid, series_uid, uid)
                try:
                    self._take_over(segmentation)
                except OSError as error:
                    _LOGGER.warning("A segmentation of the PACS is fetched again later: %s", error)
                    continue
                except Exception as error:  # what others stored may be broken in any way, and must not stop the server
                    _LOGGER.warning("A segmentation of the PACS was passed over: %r", error)
                self._segmentations.add(uid)

    def _take_over(self, segmentation: Dataset) -> None:
        uid = source_radiograph(segmentation)
        if uid not in self._datastore.objects:
            return
        known = self._datastore.label(uid, "final")
        if known is not None and _drawn(segmentation) <= known.info.get("drawn", ""):
            return
        mask, path = extract_mask(segmentation), Path(self.get_image_uri(uid))
        if mask.shape != (expected := self._stored_shape(path)):
            raise ValueError(
                f"Segmentation {segmentation.SOPInstanceUID}: has the size {mask.shape}, expected the radiograph's {expected}."
            )
        self.keep_label(uid, path, mask, "final", _origin(segmentation))

    def _found(self, filters: Mapping[str, str]) -> list[Dataset]:
        return [Dataset.from_json(found) for found in self._client.search_for_series(search_filters=dict(filters))]


def _origin(segmentation: Dataset) -> dict[str, str]:
    """What is kept of it with the label."""
    return {"SOPInstanceUID": str(segmentation.SOPInstanceUID), "drawn": _drawn(segmentation)}


def _drawn(segmentation: Dataset) -> str:
    """When it was made; later sorts after earlier."""
    return f"{segmentation.get('ContentDate', '')}{segmentation.get('ContentTime', '')}"
