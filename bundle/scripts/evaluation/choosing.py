"""Choosing, of the changes that a command knows, those that its user names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """As users type it."""


Change = TypeVar("Change", bound=Named)


def choose_changes(known: Sequence[Change], names: Sequence[str] | None, example: str) -> tuple[Change, ...]:
    """Those of these names, all for None.

    Args:
        known: to choose from.
        names: a list of some of their names.
        example: one of them.

    Raises:
        ValueError: when there is none of a name.
    """
    by_name = {change.name: change for change in known}
    if names is None:
        return tuple(known)
    if isinstance(names, str) or not names or (unknown := [name for name in names if name not in by_name]):
        wrong = names if isinstance(names, str) or not names else unknown
        raise ValueError(
            f"changes: found {wrong!r}; expected a list of some of {', '.join(by_name)}, such as \"['{example}']\". "
            "Nothing was run."
        )
    return tuple(by_name[name] for name in dict.fromkeys(names))
