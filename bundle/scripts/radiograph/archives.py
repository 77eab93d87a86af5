"""Opening radiographs where they lie: in files, in gzip, and in zip archives, whose members go by ARCHIVE.zip/MEMBER."""

from __future__ import annotations

import gzip
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Final, cast

from scripts.clinical import Code, RefusedError
from scripts.radiograph import bounds
from scripts.radiograph.admission import refused
from scripts.radiograph.bounds import admit_unpacked_size, too_large
from scripts.radiograph.parsing import MAGIC

MOST_MEMBERS: Final = 50_000
LARGEST_RATIO: Final = 100
"""Bytes that an archive holds to bytes that it has, once it holds more than one file may. Radiographs have 2 to 20."""

LARGEST_DIRECTORY_BYTES: Final = 16 << 20
"""Of an archive's list of members: 300 for each of `MOST_MEMBERS`."""

_ENDING: Final = ".zip"
_ZIP: Final = b"PK"
_GZIP: Final = b"\x1f\x8b"
_OTHERS: Final = {
    b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "RAR", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4", b"\x1f\x9d": "compress", b"LZIP": "lzip",
}  # fmt: skip
_TAR_AT, _TAR = 257, b"ustar"
_START: Final = 512  # enough for all of these
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 1
_DAMAGED: Final = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError, UnicodeError)
"""What the standard library raises on what is damaged, or packed as it does not know."""

_PIECE: Final = 1 << 20


def archive_of(path: Path) -> Path | None:
    """Return the archive that a path leads into, None where it leads into none."""
    above = [parent for parent in path.parents if parent.suffix.lower() == _ENDING]
    return next((parent for parent in reversed(above) if parent.is_file()), None)


def source_of(path: Path) -> Path:
    """Return the file of the disk that a radiograph lies in: the archive of a member, else the path itself."""
    return archive_of(path) or path


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive by its name and by its content.

    Raises:
        OSError: if it cannot be read.
    """
    if path.suffix.lower() != _ENDING or not path.is_file():
        return False
    with path.open("rb") as file:
        return zipfile.is_zipfile(file)


def list_members(archive: Path) -> list[str]:
    """List the files in a zip archive, by their paths in it, with slashes.

    Raises:
        RefusedError: UNREADABLE if it is damaged or empty, or has paths that lead out of it, or one path twice; TOO_LARGE beyond
            `MOST_MEMBERS`, `LARGEST_RATIO` or `LARGEST_DIRECTORY_BYTES`.
        OSError: if it cannot be read.
    """
    with ArchiveOpener() as opener:
        return list(opener.members(archive))


class ArchiveOpener(AbstractContextManager["ArchiveOpener"]):
    """Opens files; the archive of the last member stays open for the next one, until the context ends."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._path: Path | None = None
        self._archive: zipfile.ZipFile | None = None
        self._members: dict[str, zipfile.ZipInfo] = {}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Close it."""
        self._open.close()
        self._path = self._archive = None

    @contextmanager
    def open(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file, or a member of an archive, at its beginning; what is in gzip is unpacked while it is read.

        Raises:
            RefusedError: UNREADABLE if it is packed in another way, encrypted, or an archive itself, or if its archive is damaged
                or holds no such file; TOO_LARGE if the archive says that it is more than `bounds.LARGEST_FILE_BYTES`.
            OSError: if it cannot be read.
        """
        with ExitStack() as stack:
            try:
                stream = self._entered(stack, path)
            except _DAMAGED as error:
                raise _damaged() from error
            yield stream

    def members(self, archive: Path) -> dict[str, zipfile.ZipInfo]:
        """Give the files in an archive by their paths in it, see `list_members`."""
        if archive != self._path:
            self._open.close()
            self._path = None
            source = self._open.enter_context(_Source(archive))
            try:
                self._archive = self._open.enter_context(zipfile.ZipFile(source))
            except (*_DAMAGED, ValueError) as error:
                raise _damaged() from error
            self._members = _checked_members(self._archive.infolist(), archive.stat().st_size)
            self._path = archive
        return self._members

    def _entered(self, stack: ExitStack, path: Path) -> BinaryIO:
        archive = archive_of(path)
        stream = stack.enter_context(path.open("rb") if archive is None else self._member(archive, path))
        start = _start_of(stream)
        if _is_dicom(start) or not start.startswith(_GZIP):
            _refuse_packed(start, path, "" if archive is None else "an archive")
            return stream
        unpacked = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=stream)))
        _refuse_packed(_start_of(unpacked), path, "gzip")
        return unpacked

    def _member(self, archive: Path, path: Path) -> BinaryIO:
        member = self.members(archive).get(path.relative_to(archive).as_posix())
        if member is None or self._archive is None:
            raise _unreadable("is named, but its archive holds no such file")
        if member.flag_bits & _ENCRYPTED:
            raise _unreadable("is encrypted in its archive")
        if member.compress_type not in _METHODS:
            raise _unreadable("is packed in its archive by another method than deflate")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise _unreadable("is a link in its archive, not a file")
        admit_unpacked_size(member.file_size)
        return cast(BinaryIO, self._archive.open(member))


def read_whole(stream: BinaryIO) -> BinaryIO:
    """Return a file of the disk as it is, and what is being unpacked as a file of its unpacked bytes.

    Args:
        stream: of `ArchiveOpener.open`.

    Raises:
        RefusedError: TOO_LARGE, if these are more than `bounds.LARGEST_FILE_BYTES`; no more is held. UNREADABLE, if damaged.
    """
    if isinstance(stream, io.BufferedReader):
        return stream
    whole = io.BytesIO()
    try:
        while piece := stream.read(_PIECE):
            whole.write(piece)
            admit_unpacked_size(whole.tell())
    except _DAMAGED as error:
        raise _damaged() from error
    whole.seek(0)
    return whole


class _Source(io.BufferedReader):
    """An archive's file, of which no more is read at once than its list of members may have."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY_BYTES:
            limit = f"{LARGEST_DIRECTORY_BYTES >> 20} MiB"
            raise too_large("The archive's list of members", f"more than {limit}", limit)
        return super().read(size)


def _checked_members(found: list[zipfile.ZipInfo], archive_bytes: int) -> dict[str, zipfile.ZipInfo]:
    if len(found) > MOST_MEMBERS:
        raise too_large("The archive", f"{len(found)} members", f"{MOST_MEMBERS} in one archive")
    members: dict[str, zipfile.ZipInfo] = {}
    for member in found:
        if member.is_dir():
            continue
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or path.parts[:1] == () or path.parts[0].endswith(":"):
            raise _unreadable("is an archive with a member whose name leads out of it, as no honest archive has")
        if str(path) in members:
            raise _unreadable("is an archive with two members of one name")
        members[str(path)] = member
    if not members:
        raise _unreadable("is an archive without any file")
    unpacked = sum(member.file_size for member in members.values())
    if unpacked > max(LARGEST_RATIO * archive_bytes, bounds.LARGEST_FILE_BYTES):
        raise too_large("The archive", f"{unpacked / archive_bytes:.0f} times its bytes unpacked", f"{LARGEST_RATIO} times")
    return members


def _start_of(stream: BinaryIO) -> bytes:
    start = stream.read(_START)
    stream.seek(0)
    return start


def _is_dicom(start: bytes) -> bool:
    return start[128:132] == MAGIC  # before it anything may stand


def _refuse_packed(start: bytes, path: Path, inside: str) -> None:
    """Refuse what is packed in a way that is not read, by its first bytes."""
    if _is_dicom(start):
        return
    if start.startswith(_ZIP):
        if inside:
            raise _unreadable(f"is a zip archive in {inside}, and only one layer is unpacked")
        if path.suffix.lower() != _ENDING:
            raise _unreadable("is a zip archive whose name does not end in .zip")
        list_members(path)
        raise _unreadable("is an archive, of which only the members are read")
    kind = next((kind for magic, kind in _OTHERS.items() if start.startswith(magic)), "")
    if start[_TAR_AT:].startswith(_TAR):
        kind = "tar"
    if inside == "gzip" and start.startswith(_GZIP):
        kind = "gzip in gzip"
    if kind:
        raise _unreadable(f"is packed by {kind}, and only zip and gzip are unpacked")


def _damaged() -> RefusedError:
    return _unreadable("is packed, but the packing is damaged or incomplete")


def _unreadable(found: str) -> RefusedError:
    return refused(
        Code.UNREADABLE, f"The file {found}; it was not analysed. Unpack it, and put the radiographs themselves into the folder."
    )
