"""What a request or a command may set: the rest is refused by name, with what was probably meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from scripts.apps.options import nearest

OF_ALL_REQUESTS: Final = frozenset({"client_id", "device", "logging", "user"})
"""What MONAI Label and its viewers add to any request."""


def refuse_unknown(given: Iterable[str], known: Collection[str], owner: str, consequence: str) -> None:
    """Refuse settings that there are not.

    Args:
        given: names.
        known: the names that there are.
        owner: what has them, at the end of "no setting of".
        consequence: a sentence.

    Raises:
        ValueError: naming the first unknown one, what is like it, and all that there are.
    """
    for name in sorted(given):
        if name not in known:
            meant = nearest(name, known)
            likely = f"; did you mean {meant}?" if meant else "."
            raise ValueError(
                f"{name} is no setting of {owner}{likely} It takes {', '.join(sorted(known)) or 'none'}. {consequence}"
            )
