"""Reading the JSON files that are fitted to some weights and lie beside them: gate, uncertainty and local calibration."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def read_fitted_file(file: str | Path, what: str, writer: str) -> tuple[Any, str]:
    """Read the content of such a file, and its SHA-256.

    Args:
        file: JSON.
        what: it holds, in words.
        writer: the command or config that writes it.

    Raises:
        ValueError: where it cannot be read, or is no JSON.
    """
    try:
        data = Path(file).read_bytes()
        content = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{file}: {what} cannot be read ({type(error).__name__}); expected a JSON file, as {writer} writes it. "
            "Nothing was analysed."
        ) from error
    return content, hashlib.sha256(data).hexdigest()
