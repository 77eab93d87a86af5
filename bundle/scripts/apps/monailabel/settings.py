"""What a request or a command may set: the rest is refused by name, with what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Final

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


def nearest(word: str, known: Iterable[str]) -> str:
    """The name that was probably meant: one spelt alike, or else one of which the word is an abbreviation; "" where none is.

    Example:
        >>> names = ["batch_size", "learning_rate", "max_epochs", "seed"]
        >>> nearest("lr", names), nearest("epochs", names), nearest("verbose", names)
        ('learning_rate', 'max_epochs', '')
    """
    plain = {_plain(name): name for name in known}
    if close := difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.7):
        return plain[close[0]]
    short = [name for name in plain if _plain(word) in ("".join(part[0] for part in name.split("_")), *name.split("_"))]
    return plain[short[0]] if short else ""


def _plain(name: str) -> str:
    return "_".join(name.lower().replace("-", " ").replace("_", " ").split())
