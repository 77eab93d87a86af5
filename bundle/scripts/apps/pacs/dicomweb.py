"""A PACS by DICOMweb: STOW-RS, QIDO-RS and WADO-RS."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import requests
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from scripts.apps.pacs.answers import DeclinedError, by_http
from scripts.apps.pacs.credentials import Credentials

_SECONDS: Final = 60.0  # a server may take for an answer
_PAGE: Final = 500  # answers that are asked for at a time; a server may give fewer
_UIDS: Final = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


class DicomWeb:
    """A DICOMweb service.

    Args:
        url: https://HOST/PATH.
        credentials: shown to it.

    Raises:
        ValueError: as `Credentials.session`.
    """

    def __init__(self, url: str, credentials: Credentials) -> None:
        for name in ("dicomweb_client", "retrying"):  # they name what is asked for
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.session = credentials.session(url)
        self.client = DICOMwebClient(url.rstrip("/"), self.session, callback=_check_whole, permissive_uid=True, timeout=_SECONDS)
        self.client.set_http_retry_params(retry=False)  # `answers.attempt` does

    def store(self, dataset: Dataset) -> None:
        """As `servers.Server`."""
        with _understood():
            answer = self.client.store_instances([dataset])
        for failed in answer.get("FailedSOPSequence") or []:
            raise DeclinedError(f"failure reason 0x{int(failed.get('FailureReason', 0)):04X}")

    def find(self, level: str, filters: Mapping[str, str], asked: Sequence[str]) -> list[Dataset]:
        """As `servers.Server`."""
        rest = {name: value for name, value in filters.items() if not name.endswith("InstanceUID")}
        study, series = filters.get("StudyInstanceUID", ""), filters.get("SeriesInstanceUID", "")
        search: Callable[..., list[dict[str, Any]]]
        if level == "STUDY":
            search = self.client.search_for_studies
        elif level == "SERIES":
            search = lambda **page: self.client.search_for_series(study, **page)  # noqa: E731
        else:
            search = lambda **page: self.client.search_for_instances(study, series, **page)  # noqa: E731
        try:
            return list(self._pages(level, search, rest, list(asked)))
        except DeclinedError:  # of a server that does not know all that is asked; what it must give it gives unasked
            return list(self._pages(level, search, rest, []))

    def _pages(
        self, level: str, search: Callable[..., list[dict[str, Any]]], filters: Mapping[str, str], asked: Sequence[str]
    ) -> Iterator[Dataset]:
        """All answers, each once, until there are no more or a server that counts otherwise gives the same again."""
        known: set[str] = set()
        count = 0
        while True:
            with _understood():
                page = search(search_filters=dict(filters), fields=asked or None, limit=_PAGE, offset=count)
            new = 0
            for one in map(_read, page):
                uid = str(one.get(_UIDS[level], ""))
                if not uid or uid not in known:
                    new += bool(uid)
                    known.add(uid)
                    yield one
            count += len(page)
            if not new:
                return

    def retrieve(self, study: str, series: str, uid: str) -> bytes:
        """As `servers.Server`."""
        try:
            return self._retrieve(study, series, uid, ("application/dicom", "*"))
        except DeclinedError:  # of a server that gives nothing but the syntax that each must have
            return self._retrieve(study, series, uid, "application/dicom")

    def _retrieve(self, study: str, series: str, uid: str, kind: str | tuple[str, str]) -> bytes:
        with _understood():
            found = self.client.retrieve_instance(study, series, uid, media_types=(kind,))
        content = io.BytesIO()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of values that the reader judges later
                same = str(found.get("SOPInstanceUID", "")) == uid
                found.save_as(content, enforce_file_format=True)
        except Exception as error:  # whatever an object can be broken by
            raise DeclinedError(f"the object is damaged ({type(error).__name__})") from error
        if not same:
            raise DeclinedError("another object came")
        return content.getvalue()

    def close(self) -> None:
        """As `servers.Server`."""
        self.session.close()


@contextmanager
def _understood() -> Iterator[None]:
    """Turn what the client raises into what it means."""
    with by_http(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except InvalidDicomError as error:
            raise DeclinedError("what came is no DICOM object") from error
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:  # requests' own of JSON is a ValueError
            raise DeclinedError(f"its answer cannot be understood ({type(error).__name__})") from error


def _check_whole(response: requests.Response, *_: Any, **__: Any) -> requests.Response:
    """Refuse an answer of several parts that was cut off: a server that closes the connection may not have told its length.

    Raises:
        requests.ConnectionError: where its end is missing.
    """
    kind = response.headers.get("Content-Type", "")
    boundary = re.search(r'boundary="?([^";]+)', kind) if response.ok and kind.startswith("multipart/") else None
    if boundary and not response.content.rstrip().endswith(f"--{boundary[1]}--".encode()):
        raise requests.ConnectionError("the answer was cut off")
    return response


def _read(answer: Any) -> Dataset:
    """One of QIDO's answers; empty where it is none."""
    try:
        return Dataset.from_json(answer)
    except Exception:  # whatever a server may put there
        return Dataset()
