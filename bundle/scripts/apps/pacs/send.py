"""Sends the DICOM objects of a run to a PACS, each once: goes on where it was stopped, and where the PACS was."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pydicom
from tqdm import tqdm

from scripts.apps.pacs.servers import RefusedObjectError, Server, UnreachableError, open_server
from scripts.files import Journal, sha256
from scripts.results.dicom_writer import FOLDER

SENT: Final = "sent.jsonl"
"""In the folder of results: what has arrived where."""
TOKEN: Final = "OSTEOXR_PACS_TOKEN"
"""Environment variable with the bearer token of a DICOMweb service; it is told nowhere."""
_LONGEST_WAIT: Final = 60.0  # seconds


def send_results(output_dir: str, server: str, title: str, attempts: int, sleep: Callable[[float], None] = time.sleep) -> None:
    """Send what `screen --dicom` has written and this server does not have yet.

    An object is entered in `sent.jsonl` once the server has said that it has it. Where a run ended between the two, the object
    is sent again, under the same UID: a PACS keeps one.

    Args:
        output_dir: of a run of the screen.
        server: "https://HOST/PATH" of DICOMweb (STOW-RS), or "TITLE@HOST:PORT" (C-STORE).
        title: our own application entity title, for C-STORE.
        attempts: how often an object is tried where the server does not answer, after 1, 2, 4 ... seconds.
        sleep: waits.

    Raises:
        ValueError: where there is nothing to send, or the server's address is none.
        BusyError: where another run sends from this folder.
        SystemExit: where objects were not sent; it says how many, and the same command goes on.
    """
    folder = Path(output_dir)
    files = sorted((folder / FOLDER).glob("*.dcm")) if (folder / FOLDER).is_dir() else []
    if not files:
        raise ValueError(f"{folder / FOLDER}: holds no DICOM objects; osteoxr screen --dicom new writes them. Nothing was sent.")
    target = open_server(server, title, os.environ.get(TOKEN, ""))
    journal = Journal(folder / SENT)
    try:
        known = {(entry["server"], entry["file"], entry["sha256"]) for entry in journal.read()}
        waiting = [(file, digest) for file in files if (server, file.name, digest := sha256(file)) not in known]
        refused, unsent = _send(waiting, target, journal, server, attempts, sleep)
    finally:
        target.close()
        journal.close()
    sent = len(waiting) - len(refused) - unsent
    told = f"{sent} objects were sent to {server}, {len(files) - len(waiting)} had been; {folder / SENT} says which."
    if not refused and not unsent:
        print(told)
        return
    for name, why in refused.items():
        print(f"{name} was refused: {why}", file=sys.stderr)
    lacking = f" {len(refused)} were refused." if refused else ""
    lacking += f" {unsent} were not sent, since the server did not answer." if unsent else ""
    sys.exit(f"{told}{lacking} The same command sends what is left.")


def _send(
    waiting: list[tuple[Path, str]], target: Server, journal: Journal, server: str, attempts: int, sleep: Callable[[float], None]
) -> tuple[dict[str, str], int]:
    """What the server refused, with its word, and how many objects it never answered for."""
    refused: dict[str, str] = {}
    with tqdm(waiting, "Objects", unit="", file=sys.stderr) as bar:
        for index, (file, digest) in enumerate(bar):
            try:
                _try(pydicom.dcmread(file), target, attempts, sleep)
            except RefusedObjectError as error:
                refused[file.name] = str(error)
                continue
            except UnreachableError:
                return refused, len(waiting) - index
            journal.append({"server": server, "file": file.name, "sha256": digest, "at": time.strftime("%Y-%m-%dT%H:%M:%S%z")})
    return refused, 0


def _try(dataset: pydicom.Dataset, target: Server, attempts: int, sleep: Callable[[float], None]) -> None:
    for attempt in range(attempts):
        try:
            return target.store(dataset)
        except UnreachableError:
            if attempt == attempts - 1:
                raise
            sleep(min(2.0**attempt, _LONGEST_WAIT))
