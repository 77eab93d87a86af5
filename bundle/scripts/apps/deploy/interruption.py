"""Ctrl-C, and the signal by which a container is stopped, as a KeyboardInterrupt where the work is done."""

from __future__ import annotations

import ctypes
import signal
import threading
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Takes the signals of this process from the moment that it is made, in the main thread, before others start.

    Python gives them to the main thread alone, which waits in Holoscan while a graph runs; and Holoscan would end the process in
    the middle of a file, with the exit code of a failure.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # in all threads to come too: none but the waiting one gets them
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    def move_here(self) -> None:
        """Interrupt the thread that calls this."""
        self._thread = threading.get_ident()

    def _wait(self) -> None:
        signal.sigwait(_SIGNALS)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(KeyboardInterrupt))
