"""The command `osteoxr`, within this process."""

import pytest
from scripts.apps import command


def ended(*words: str) -> int:
    """Run it with these words; return its exit code."""
    with pytest.raises(SystemExit) as end:
        command.main(words)
    return int(end.value.code or 0)
