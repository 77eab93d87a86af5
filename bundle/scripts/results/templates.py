"""The pages' templates, as they lie in a folder of the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_HERE: Final = Path(__file__).parent


def template_environment(folder: Path = _HERE) -> Environment:
    """What gives a folder's templates by name; everything put into them is escaped, and what is not given is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
