"""Pseudonyms: what radiographs, studies and patients are called wherever their own names must not be seen."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

KEY_NAME: Final = "pseudonym.key"
"""Of the key that a run makes for itself, in its output folder."""

SMALLEST_KEY: Final = 32
"""Bytes. Fewer could be guessed, and with the key a list of known patient IDs gives their pseudonyms."""

_LARGEST_KEY: Final = 4096
_DIGITS: Final = 16


def pseudonymise(key: bytes, *identifier: str) -> str:
    """Give an identifier its pseudonym: the first 64 bits of its HMAC-SHA256 (RFC 2104), as 16 hexadecimal digits.

    The same key gives the same pseudonym in every run; without the key nobody can tell whose it is.

    Args:
        key: the user's secret.
        identifier: its parts, such as ("study", a UID); bytes of a path that are no UTF-8 stand as surrogates.
    """
    parts = [part.encode("utf-8", "surrogateescape") for part in identifier]
    # With its length before it no part can pass for the end of the one before.
    message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hmac.digest(key, message, hashlib.sha256).hex()[:_DIGITS]


def read_key(path: Path) -> bytes:
    """Read a key: the file's bytes, without white space at both ends.

    Raises:
        ValueError: if it is missing, or has fewer than 32 or more than 4096 bytes.
    """
    make = f"Make one by: head -c 32 /dev/urandom | base64 > {path}"
    try:
        with path.open("rb") as file:
            key = file.read(_LARGEST_KEY + 1).strip()
    except OSError as error:
        raise ValueError(f"{path}: the key cannot be read ({error.strerror}). {make}") from error
    if not SMALLEST_KEY <= len(key) <= _LARGEST_KEY:
        raise ValueError(
            f"{path}: the key has {len(key)} bytes (over {_LARGEST_KEY} are not counted); expected {SMALLEST_KEY} to "
            f"{_LARGEST_KEY}. {make}"
        )
    return key


def make_key() -> bytes:
    """Return a new random key, in printable characters."""
    return secrets.token_hex(SMALLEST_KEY).encode()


def write_key(key: bytes, path: Path) -> None:
    """Write a key that only its owner may read; a file that is there already stays as it is."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    try:
        with open(descriptor, "wb") as file:
            file.write(key + b"\n")
    except OSError:
        path.unlink(missing_ok=True)
        raise
