"""Reading radiographs in a process of its own, so that a hostile file costs itself and never the run."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import resource
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from scripts.clinical import Code, Reason, RefusedError
from scripts.radiograph.causes import causes

REFUSAL: Final = "refusal"
"""The key of an item that could not be read; its value is the `Reason`."""

_START: Final = "from scripts.radiograph.isolation import serve; serve()"
_NEXT: Final = b"\n"
_STATM: Final = Path("/proc/self/statm")  # its first number: the pages of the process's address space


class IsolatedReader:
    """Applies a transform to items in a child process, within bounds on time and memory.

    What a codec does with a damaged file (a crash, an endless loop, a memory bomb) ends that child, not this process: the
    file is refused and a fresh child reads the next. It bounds accidents; it is no sandbox against code that a file smuggles in.

    A fork of this process could deadlock (it has threads, or CUDA), and a fresh interpreter takes seconds to import torch and
    MONAI. So one fresh interpreter, the server, starts with this object, while the weights load; it never opens a radiograph, but
    forks the children that do, in milliseconds. Both end with this process, however that ends: their connections close.

    Args:
        transform: the preprocessing; can be pickled.
        seconds: a file may take.
        memory_bytes: a file may take, beyond what a child starts with (about 0.5 GB): with the default, all is below 2 GB.
        ahead: radiographs read before they are asked for; each of 18 million pixels at 0.1 mm takes 8 MB.
    """

    def __init__(
        self,
        transform: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        seconds: float = 60.0,
        memory_bytes: int = 5 << 28,
        ahead: int = 2,
    ) -> None:
        if not seconds > 0 or memory_bytes < 1 or ahead < 1:
            raise ValueError(
                f"seconds is {seconds}, memory_bytes {memory_bytes} and ahead {ahead}; each must be above 0. Nothing was read."
            )
        self.seconds = seconds
        self.ahead = ahead
        self._too_large = Reason(
            Code.TOO_LARGE,
            f"Reading the file takes more than the {memory_bytes >> 20} MiB of memory that one radiograph may take; it was not "
            "analysed. Export the original radiograph.",
        )
        self._server = _Server(pickle.dumps((transform, memory_bytes, self._too_large)))
        self._child: Connection | None = None
        self._lock = threading.Lock()

    def __call__(self, items: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield what `read` returns for each item, in their order, reading up to `ahead` of them in advance.

        Items are taken one by one, in a thread, as they are read.

        Raises:
            RuntimeError: if the server does not start, or was killed.
        """
        radiographs: queue.SimpleQueue[dict[str, Any] | BaseException | None] = queue.SimpleQueue()
        room = threading.Semaphore(self.ahead)
        stopped = threading.Event()

        def work() -> None:
            try:
                for item in items:
                    room.acquire()
                    if stopped.is_set():
                        return
                    radiographs.put(self.read(item))
                radiographs.put(None)
            except BaseException as error:  # belongs to whoever iterates
                radiographs.put(error)

        threading.Thread(target=work, name="read-ahead", daemon=True).start()
        try:
            while (radiograph := radiographs.get()) is not None:
                if isinstance(radiograph, BaseException):
                    raise radiograph
                yield radiograph
                del radiograph  # eight megabytes, while the next is waited for
                room.release()
        finally:
            stopped.set()
            room.release()

    def read(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Read one item; several threads may call it, and take turns.

        Args:
            item: what the transform takes, with "image" (the file's path) and "name".

        Returns:
            the transformed item plus "name" and "file" (the path), or only {"name", "file", "refusal"}; the `Reason` is that
            of a RefusedError, TOO_SLOW or TOO_LARGE beyond the bounds, else UNREADABLE.

        Raises:
            RuntimeError: if the server does not start, or was killed.
        """
        with self._lock:
            return {**self._read(item), "name": item["name"], "file": str(item["image"])}

    def _read(self, item: Mapping[str, Any]) -> dict[str, Any]:
        reason = None
        while reason is None:
            fresh = self._child is None
            # Whatever interrupts the exchange leaves no child: half an answer would be taken for the next file's.
            child, self._child = self._child or self._server.fork(), None
            try:
                child.send(dict(item))
                if not child.poll(self.seconds):
                    raise TimeoutError
                radiograph = _receive(child)
                reason = radiograph.get(REFUSAL)
                if reason != self._too_large:
                    self._child = child
                    return radiograph
            except TimeoutError:
                fresh = True
                reason = Reason(
                    Code.TOO_SLOW,
                    f"Reading the file took longer than the {self.seconds:g} seconds that one radiograph may take; it was not "
                    "analysed. Export it again.",
                )
            except (EOFError, OSError):
                reason = Reason(
                    Code.UNREADABLE,
                    "The process that read the file ended in the middle of it; the file may be damaged. It was skipped. "
                    "Export it again.",
                )
            child.close()
            if not fresh:
                # An earlier file may have overrun or leaked memory: only what fails in a fresh process as well is to blame.
                reason = None
        return {REFUSAL: reason}


class _Server:
    """The process that forks children; `fork` gives the connection to the next and kills the one before."""

    def __init__(self, greeting: bytes) -> None:
        self._control, theirs = socket.socketpair()
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX"), "1")
        path = os.pathsep.join(dict.fromkeys(os.path.abspath(folder) for folder in sys.path))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-c", _START],
                env={**os.environ, **one_thread, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is the parent's business
            )
        weakref.finalize(self, _end, self._process, self._control)
        with Connection(os.dup(self._control.fileno())) as greeted:
            greeted.send_bytes(greeting)

    def fork(self) -> Connection:
        """Return the connection to a fresh child; RuntimeError if the server is not there."""
        try:
            self._control.sendall(_NEXT)
            _, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        except OSError:
            descriptors = []
        if not descriptors:
            raise RuntimeError(
                f"The process that reads radiographs did not start, or was killed (exit status {self._process.wait()}); what it "
                "printed tells more. Nothing more was read."
            )
        return Connection(descriptors[0])


def serve() -> None:
    """Be the server, whose standard input is a socket: fork a child for each byte that comes, until it closes."""
    control = socket.socket(fileno=sys.stdin.fileno())
    greeting = Connection(os.dup(control.fileno())).recv_bytes()
    transform, memory_bytes, too_large = pickle.loads(greeting)
    torch.set_num_threads(1)
    child = None
    while control.recv(1) == _NEXT:
        if child is not None:
            _kill(child)
        ours, theirs = multiprocessing.Pipe()
        child = os.fork()
        if child == 0:
            control.close()
            ours.close()
            _read_radiographs(theirs, transform, memory_bytes, too_large)
            os._exit(0)
        theirs.close()
        socket.send_fds(control, [_NEXT], [ours.fileno()])
        ours.close()
    if child is not None:
        _kill(child)


def _kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    # Not waited for: a process that hangs on a dead network drive cannot even be killed. The next round reaps it.
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _read_radiographs(connection: Connection, transform: Callable[[Any], Any], memory_bytes: int, too_large: Reason) -> None:
    """Be a child: read the items that come over the connection until it closes."""
    # What parsers and codecs print may hold names from the header.
    os.dup2(os.open(os.devnull, os.O_RDWR), sys.stderr.fileno())
    _bound_memory(memory_bytes)
    try:
        while True:
            item = connection.recv()
            try:
                message = _packed(transform(item))
            except BaseException as error:
                message = _packed({REFUSAL: _reason(error, too_large)})
            _send(connection, message)
    except (EOFError, OSError):  # the parent is done, or gone
        return


def _bound_memory(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold a patient's radiograph
    if not _STATM.exists():  # only Linux tells it, and only Linux keeps to the limit
        return
    wanted = int(_STATM.read_text().split()[0]) * resource.getpagesize() + memory_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _reason(error: BaseException, too_large: Reason) -> Reason:
    """The refusal inside an exception (MONAI wraps those of transforms), or a plain one for whatever nobody foresaw."""
    found, root = None, error
    for link in causes(error):
        if isinstance(link, MemoryError) or (isinstance(link, RuntimeError) and "can't allocate memory" in str(link)):
            return too_large
        if found is None and isinstance(link, RefusedError):
            found = link.reason
        root = link
    if found is not None:
        return found
    # The message of a foreign exception may hold a path or a name from the header: only its type and place are told.
    place = root.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else ""
    return Reason(
        Code.UNREADABLE,
        f"The file could not be read as a radiograph ({type(root).__name__}{where}); it may be damaged. It was skipped.",
    )


class _Pickler(pickle.Pickler):
    """Pickles tensors as arrays, whose values travel beside the pickle without being copied; torch's own way copies thrice."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            array = value.detach().as_subclass(torch.Tensor).contiguous().numpy()
            return _tensor, (type(value), array, dict(value.__dict__))
        return NotImplemented


def _tensor(kind: type[torch.Tensor], array: np.ndarray, state: dict[str, Any]) -> torch.Tensor:
    tensor = torch.from_numpy(array).as_subclass(kind)
    tensor.__dict__.update(state)  # a MetaTensor's meta
    return tensor


def _packed(radiograph: Mapping[str, Any]) -> tuple[bytes, list[memoryview]]:
    stream, buffers = BytesIO(), list[pickle.PickleBuffer]()
    _Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(dict(radiograph))
    return stream.getvalue(), [buffer.raw() for buffer in buffers]


def _send(connection: Connection, message: tuple[bytes, list[memoryview]]) -> None:
    body, buffers = message
    connection.send((body, [buffer.nbytes for buffer in buffers]))
    for buffer in buffers:
        connection.send_bytes(buffer)


def _receive(connection: Connection) -> dict[str, Any]:
    body, sizes = connection.recv()
    buffers = [bytearray(size) for size in sizes]
    for buffer in buffers:
        connection.recv_bytes_into(buffer)
    radiograph: dict[str, Any] = pickle.loads(body, buffers=buffers)
    return radiograph


def _end(server: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()  # the server sees it, kills its child and ends, once it has started
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(10)
