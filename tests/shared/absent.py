"""What a test needs of the machine, and the machine lacks."""

import os
from typing import NoReturn

import pytest


def absent(what: str) -> NoReturn:
    """Skip what a developer's machine need not have, and continuous integration must."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
