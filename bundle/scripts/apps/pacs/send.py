"""Sends the results of a run to a PACS and a FHIR server, each once: goes on where it was stopped, and where the server was."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pydicom

from scripts.apps.pacs.answers import DeclinedError, Sleep, attempt_each
from scripts.apps.pacs.fhir_server import FhirServer
from scripts.apps.pacs.servers import Server, open_server
from scripts.files import Journal, sha256
from scripts.results import dicom_writer, fhir

SENT: Final = "sent.jsonl"
"""In the folder of results: what has arrived where."""

FOLDERS: Final = {"objects": dicom_writer.FOLDER, "bundles": fhir.FOLDER}
"""In it, where what servers take lies."""

_File = tuple[Path, str]
"""With its hash."""


@dataclass(frozen=True)
class Target:
    """A server that takes files: its address, what it takes ("objects" of DICOM, "bundles" of FHIR), and how it is given one."""

    address: str
    takes: str
    put: Callable[[Path], None]


@dataclass(frozen=True)
class Sent:
    """What became of files.

    sent, before: how many the server has now, and had before. refused: that it did not take, with its word. unanswered: for which
    it did not answer. why: it did not.
    """

    target: Target
    sent: int
    before: int
    refused: Sequence[tuple[Path, str]]
    unanswered: Sequence[Path]
    why: str

    @property
    def complete(self) -> bool:
        """Whether the server has all of them now."""
        return not self.refused and not self.unanswered

    def told(self, journal: Path) -> str:
        """In sentences."""
        told = (
            f"{self.sent} {self.target.takes} were sent to {self.target.address}, {self.before} had been; {journal} says which."
        )
        told += f" {len(self.refused)} were refused." if self.refused else ""
        if self.unanswered:
            told += f" {len(self.unanswered)} were not sent, since the server did not answer ({self.why})."
        return told


@contextmanager
def open_targets(servers: Sequence[str], fhir_server: str | None, title: str) -> Iterator[list[Target]]:
    """Open servers by their addresses; nothing is asked yet.

    Args:
        servers, fhir_server, title: see `send_results`.

    Raises:
        ValueError: where an address is none, or what the environment says cannot be used.
    """
    with ExitStack() as open_ones:
        targets = []
        for server in servers:
            pacs = open_ones.enter_context(closing(open_server(server, title)))
            targets.append(Target(server, "objects", partial(_store, pacs)))
        if fhir_server:
            taker = open_ones.enter_context(closing(FhirServer(fhir_server)))
            targets.append(Target(fhir_server, "bundles", partial(_post, taker)))
        yield targets


def find_files(output_dir: Path, takes: str) -> list[Path]:
    """What a run has written for servers that take "objects", or "bundles"."""
    return sorted((output_dir / FOLDERS[takes]).glob("*.dcm" if takes == "objects" else "*.json"))


def send_results(
    output_dir: str, server: str | None, fhir_server: str | None, title: str, attempts: int, sleep: Sleep = time.sleep
) -> None:
    """Send what `screen --dicom` and `screen --fhir true` have written and these servers do not have yet.

    A file is entered in `sent.jsonl` once the server has said that it has it. Where a run ended between the two, it is sent
    again: a PACS keeps one of an object's UID, a FHIR server makes one of a resource's identifier.

    Args:
        output_dir: of a run of the screen.
        server: of the DICOM objects: "https://HOST/PATH" of DICOMweb (STOW-RS), or "TITLE@HOST:PORT" (C-STORE).
        fhir_server: of the FHIR Bundles: "https://HOST/PATH", its base.
        title: our own application entity title, for C-STORE.
        attempts: how often a file is tried where the server does not answer, after 1, 2, 4 ... seconds.
        sleep: waits.

    Raises:
        ValueError: where there is nothing to send, or a server's address is none.
        BusyError: where another run sends from this folder.
        SystemExit: where files were not sent; it says how many, and the same command goes on.
    """
    folder = Path(output_dir)
    if not server and not fhir_server:
        raise ValueError("Neither --server nor --fhir_server is given; expected the address of one. Nothing was sent.")
    if not (server and find_files(folder, "objects")) and not (fhir_server and find_files(folder, "bundles")):
        wanted = ["DICOM objects (osteoxr screen --dicom reproducible)"] * bool(server)
        wanted += ["FHIR Bundles (osteoxr screen --fhir true)"] * bool(fhir_server)
        raise ValueError(f"{folder}: holds no {' and no '.join(wanted)}. Nothing was sent.")
    with open_targets([server] if server else [], fhir_server, title) as targets, closing(Journal(folder / SENT)) as journal:
        ends = [send_files(find_files(folder, target.takes), target, journal, attempts, sleep) for target in targets]
    for file, why in (refusal for end in ends for refusal in end.refused):
        print(f"{file.name} was refused: {why}", file=sys.stderr)
    told = "\n".join(end.told(folder / SENT) for end in ends)
    if not all(end.complete for end in ends):
        sys.exit(f"{told} The same command sends what is left.")
    print(told)


def send_files(files: Sequence[Path], target: Target, journal: Journal, attempts: int, sleep: Sleep = time.sleep) -> Sent:
    """Send the files that a server does not have.

    Args:
        files: of results.
        target: the server.
        journal: `sent.jsonl` beside them.
        attempts, sleep: see `send_results`.
    """
    known = {(entry["server"], entry["file"], entry["sha256"]) for entry in journal.read()}
    waiting = [(file, digest) for file in files if (target.address, file.name, digest := sha256(file)) not in known]

    def put_one(one: _File) -> None:
        file, digest = one
        target.put(file)
        at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        journal.append({"server": target.address, "file": file.name, "sha256": digest, "at": at})

    outcome = attempt_each(waiting, put_one, attempts, target.takes.capitalize(), sleep)
    unanswered = [file for file, _ in (*outcome.unanswered, *outcome.unmade)]
    refused = [(file, why) for (file, _), why in outcome.failed]
    sent = len(waiting) - len(refused) - len(unanswered)
    return Sent(target, sent, len(files) - len(waiting), refused, unanswered, outcome.why)


def _store(pacs: Server, file: Path) -> None:
    try:
        dataset = pydicom.dcmread(file)
    except pydicom.errors.InvalidDicomError as error:
        raise DeclinedError("it is no DICOM file") from error
    pacs.store(dataset)


def _post(taker: FhirServer, file: Path) -> None:
    taker.post(file.read_bytes())
