"""Servers of DICOM objects, known by their addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from pydicom.dataset import Dataset

from scripts.apps.pacs.credentials import Credentials, is_url
from scripts.apps.pacs.dicomweb import DicomWeb
from scripts.apps.pacs.dimse import Entity

_LAST_PORT: Final = 65535
_TITLE: Final = re.compile(r"(?=.*\S)[ -\[\]-~]{1,16}")
_ENTITY: Final = re.compile(
    r"(?P<title>(?=[^@]*[^@\s])[ -\[\]-~]{1,16})@(?P<host>[^@:/\s]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})"
)


class Server(Protocol):
    """What keeps objects. Each request raises `UnreachableError` or `DeclinedError` where it fails."""

    def store(self, dataset: Dataset) -> None:
        """Give it an object; afterwards it has it."""

    def find(self, level: str, filters: Mapping[str, str], asked: Sequence[str]) -> list[Dataset]:
        """Search.

        Args:
            level: "STUDY", "SERIES" of a study or "IMAGE" of a series.
            filters: attributes by keyword, which a server may ignore; UIDs of what is above the level among them.
            asked: further attributes to be told of.

        Returns:
            One data set an answer, with what the server told; an empty one for an answer that cannot be read.
        """

    def retrieve(self, study: str, series: str, uid: str) -> bytes:
        """Get an object by its UIDs, as a file."""

    def close(self) -> None:
        """Take leave."""


def check_title(title: str, option: str = "--title") -> None:
    """Check that a text can be the title of an application entity.

    Args:
        title: the text.
        option: of the command, by which it is given.

    Raises:
        ValueError: where it cannot.
    """
    if not _TITLE.fullmatch(title):
        raise ValueError(f"{option} {title!r}: expected 1 to 16 letters, digits and signs, but no backslash. Nothing was asked.")


def open_server(address: str, title: str, move_port: int | None = None) -> Server:
    """Open a server by its address; nothing is asked yet.

    Args:
        address: "https://HOST/PATH" of DICOMweb, or "TITLE@HOST:PORT".
        title: our own application entity title.
        move_port: see `dimse.Entity`.

    Raises:
        ValueError: where the address is neither, a title is none, or what the environment says of tokens and certificates
            cannot be used.
    """
    if is_url(address):
        if move_port is not None:
            raise ValueError(f"--move_port {move_port}: is for C-MOVE, from a server TITLE@HOST:PORT. Nothing was asked.")
        return DicomWeb(address, Credentials.from_environment("PACS"))
    check_title(title)
    entity = _ENTITY.fullmatch(address)
    if entity and _TITLE.fullmatch(entity["title"]) and 0 < int(entity["port"]) <= _LAST_PORT:
        host = entity["host"].strip("[]")
        return Entity(entity["title"], host, int(entity["port"]), title, Credentials.from_environment("PACS"), move_port)
    raise ValueError(
        f"--server {address}: expected the address of a DICOMweb service, as https://pacs.hospital/dicom-web, or "
        "TITLE@HOST:PORT; a password or token has no place in it. Nothing was asked."
    )
