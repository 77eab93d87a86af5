"""The command `osteoxr listen`: checks what it is started with, and takes, screens and sends until it is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from scripts.apps.listener.inbox import Inbox
from scripts.apps.listener.outbox import Outbox
from scripts.apps.listener.page import ListenerPage
from scripts.apps.listener.receiver import Receiver, check_allowed
from scripts.apps.listener.rounds import Rounds
from scripts.apps.listener.tally import Tally, say
from scripts.apps.options import CONFIGS, read_command
from scripts.apps.pacs.credentials import Credentials
from scripts.apps.pacs.send import open_targets
from scripts.apps.pacs.servers import check_title
from scripts.radiograph import quiet
from scripts.results.writer import ResultsWriter
from scripts.screening import Screen

_CONFIG: Final = "listen.yaml"
_GB: Final = 1e9
_MB: Final = 1e6


def check_listener(
    port: int | None,
    host: str,
    title: str,
    allowed: Sequence[str] | None,
    send_to: Sequence[str] | None,
    fhir_server: str | None,
    dicom: str,
    fhir: bool,
) -> None:
    """Check what can be checked before the weights are loaded.

    Args:
        dicom, fhir: see inference.yaml.
        Others as `listen`.

    Raises:
        ValueError: where who may send is not said, an address is none, nothing would be sent, or what the environment says of
            certificates cannot be used.
    """
    check_title(title)
    for each in allowed or ():
        check_title(each, "--allowed")
    if send_to and dicom == "none":
        raise ValueError("--send_to: there would be nothing to send; give --dicom reproducible too. Nothing was run.")
    if fhir_server and not fhir:
        raise ValueError("--fhir_server: there would be nothing to send; give --fhir true too. Nothing was run.")
    with open_targets(send_to or (), fhir_server, title):
        pass
    if port is not None:
        check_allowed(host, allowed)
        credentials = Credentials.from_environment("PACS")
        if credentials.secure:
            credentials.server_context("--port")


def of_screening(config_files: Sequence[str], overrides: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Of what a listener was started with, what a screening has: its results tell of no more than those of the main job.

    Args:
        config_files: of the listener.
        overrides: what else its command line says.
    """
    known = read_command([CONFIGS / "inference.yaml"]).options
    files = [file for file in config_files if Path(file).name != _CONFIG]
    return files, {name: value for name, value in overrides.items() if name in known}


def make_folder(dataset_dir: str) -> None:
    """Make the folder of radiographs, for its owner alone, where it is missing.

    Raises:
        OSError: where it cannot be.
    """
    os.makedirs(dataset_dir, mode=0o700, exist_ok=True)


def listen(
    screen: Screen,
    writer: ResultsWriter,
    key: bytes,
    dataset_dir: str,
    port: int | None,
    host: str,
    title: str,
    allowed: Sequence[str] | None,
    page_port: int,
    quiet_seconds: float,
    max_waiting: int,
    free_gb: float,
    max_object_mb: int,
    max_associations: int,
    timeout_seconds: float,
    send_to: Sequence[str] | None,
    fhir_server: str | None,
) -> None:
    """Take radiographs, screen each study once it is complete, and send its results on, until Ctrl-C or SIGTERM.

    Then nothing more is taken, the study in hand is finished, and the tables are written. A second one ends it at once.

    Args:
        screen: screens a study.
        writer: of results, with its ledger.
        key: of the pseudonyms.
        dataset_dir: the folder of radiographs; what comes by DICOM is written there, what others put there is screened too.
        port, host: of DICOM; port None takes nothing by it, 0 takes a free one.
        title: our own application entity title.
        allowed: those of senders; None any, where only this machine can send.
        page_port: of the page, on 127.0.0.1; 0 takes a free one.
        quiet_seconds: without anything new, after which a study is complete.
        max_waiting: studies.
        free_gb: that must be free on the disk, in GB of 1e9 bytes.
        max_object_mb: that an object may have, in MB of 1e6 bytes.
        max_associations: at a time.
        timeout_seconds: for which a sender may be silent.
        send_to: servers of the DICOM objects. fhir_server: of the FHIR Bundles.

    Raises:
        ValueError: as `check_listener`.
        BusyError: where another listener writes to the folder of results.
        OSError: where a port is taken, or the disk fails at the start.
        SystemExit: where another run writes to the folder of results at the start.
    """
    tally, output_dir = Tally(), writer.ledger.output_dir
    with quiet(), ExitStack() as open_ones:
        inbox = Inbox(Path(os.path.abspath(dataset_dir)), output_dir, quiet_seconds, max_waiting, free_gb * _GB)
        tally.gauges |= {"studies_waiting": lambda: inbox.waiting, "disk_free_bytes": inbox.free}
        outbox = open_ones.enter_context(closing(Outbox(output_dir, send_to or (), fhir_server, title, tally)))
        rounds = open_ones.enter_context(closing(Rounds(inbox, screen, writer, key, tally, outbox.add)))
        facts = {"Complete after": f"{quiet_seconds:g} seconds without anything new", "Senders": "none; the folder is watched"}
        if port is not None:
            receiver = Receiver(
                inbox, tally, host, port, title, allowed, Credentials.from_environment("PACS"),
                int(max_object_mb * _MB), max_associations, timeout_seconds,
            )  # fmt: skip
            open_ones.callback(receiver.close)
            facts["Listens as"] = f"{title} on {host}:{receiver.port}, {'by TLS' if receiver.secure else 'in the clear'}"
            facts["Senders"] = ", ".join(allowed or ["anyone on this machine, since --allowed names no titles"])
        facts["Sends to"] = ", ".join([*(send_to or ()), *([fhir_server] if fhir_server else [])]) or "nobody"
        page = open_ones.enter_context(ListenerPage(tally, inbox, facts, page_port))
        with _until_stopped() as stop:
            rounds.begin()
            threading.Thread(target=page.serve_forever, name="page", daemon=True).start()
            open_ones.callback(page.shutdown)
            outbox.start()
            if port is not None:
                receiver.start()
            say(f"{'. '.join(f'{name}: {value}' for name, value in facts.items())}.")
            if port is not None and not allowed:
                say("NO TITLES ARE ALLOWED BY NAME: any program on this machine can send. Name them by --allowed.", failure=True)
            print(f"The listener is ready; its page: {page.address}. Ctrl-C or SIGTERM ends it.", flush=True)
            rounds.run(stop)
            open_ones.close()
    print(
        f"The listener was stopped; {int(tally.counted('objects_received'))} objects were taken, "
        f"{int(tally.counted('studies_screened'))} studies screened, and {inbox.waiting} wait for its next start. "
        f"See {output_dir / 'index.html'}.",
        flush=True,
    )


@contextmanager
def _until_stopped() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets; the second ends the process as others are."""
    stop = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        print("\nStopping: the study in hand is finished first. Once more ends it at once.", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
