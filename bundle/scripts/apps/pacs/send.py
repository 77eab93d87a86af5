"""Sends the results of a run to a PACS and a FHIR server, each once: goes on where it was stopped, and where the server was."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
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

_File = tuple[Path, str]
"""With its hash."""


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
    objects = sorted((folder / dicom_writer.FOLDER).glob("*.dcm")) if server else []
    bundles = sorted((folder / fhir.FOLDER).glob("*.json")) if fhir_server else []
    if not objects and not bundles:
        wanted = ["DICOM objects (osteoxr screen --dicom reproducible)"] * bool(server)
        wanted += ["FHIR Bundles (osteoxr screen --fhir true)"] * bool(fhir_server)
        raise ValueError(f"{folder}: holds no {' and no '.join(wanted)}. Nothing was sent.")
    with ExitStack() as open_ones:
        runs = []
        if server:
            pacs = open_ones.enter_context(closing(open_server(server, title)))
            runs.append((objects, "objects", server, partial(_store, pacs)))
        if fhir_server:
            taker = open_ones.enter_context(closing(FhirServer(fhir_server)))
            runs.append((bundles, "bundles", fhir_server, partial(_post, taker)))
        journal = open_ones.enter_context(closing(Journal(folder / SENT)))
        ends = [_send(*run, journal, attempts, sleep) for run in runs]
    told = "\n".join(sentence for sentence, _ in ends)
    if not all(whole for _, whole in ends):
        sys.exit(f"{told} The same command sends what is left.")
    print(told)


def _send(
    files: Sequence[Path],
    name: str,
    server: str,
    put: Callable[[Path], None],
    journal: Journal,
    attempts: int,
    sleep: Sleep,
) -> tuple[str, bool]:
    """Send the files that a server does not have.

    Returns:
        What became of them, in sentences, and whether it has all of them now.
    """
    known = {(entry["server"], entry["file"], entry["sha256"]) for entry in journal.read()}
    waiting = [(file, digest) for file in files if (server, file.name, digest := sha256(file)) not in known]

    def put_one(one: _File) -> None:
        file, digest = one
        put(file)
        journal.append({"server": server, "file": file.name, "sha256": digest, "at": time.strftime("%Y-%m-%dT%H:%M:%S%z")})

    outcome = attempt_each(waiting, put_one, attempts, name.capitalize(), sleep)
    refused, unsent = len(outcome.failed), len(outcome.unanswered) + len(outcome.unmade)
    sent, before = len(waiting) - refused - unsent, len(files) - len(waiting)
    told = f"{sent} {name} were sent to {server}, {before} had been; {journal.path} says which."
    told += f" {refused} were refused." if refused else ""
    told += f" {unsent} were not sent, since the server did not answer ({outcome.why})." if unsent else ""
    for (file, _), why in outcome.failed:
        print(f"{file.name} was refused: {why}", file=sys.stderr)
    return told, not refused and not unsent


def _store(pacs: Server, file: Path) -> None:
    try:
        dataset = pydicom.dcmread(file)
    except pydicom.errors.InvalidDicomError as error:
        raise DeclinedError("it is no DICOM file") from error
    pacs.store(dataset)


def _post(taker: FhirServer, file: Path) -> None:
    taker.post(file.read_bytes())
