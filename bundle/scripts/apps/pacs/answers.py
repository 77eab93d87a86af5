"""How a server fails to do what it is asked, and what is done then: tried again, told, or given up."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, TypeVar

import requests
from tqdm import tqdm

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Sleep = Callable[[float], None]

_LONGEST_WAIT: Final = 60.0  # seconds
_BUSY: Final = frozenset({408, 425, 429, 502, 503, 504})
_SERVER_FAULT: Final = 500


class UnreachableError(Exception):
    """The server did not answer, or cannot do anything now."""


class FaultError(UnreachableError):
    """The server failed over this request; it may do others."""


class DeclinedError(Exception):
    """The server answered that it does not do this, or with what is none."""


@dataclass
class Outcome(Generic[Item]):
    """What became of many requests.

    failed: those that the server answered with a failure, and its word.
    unanswered: those that it did not answer.
    unmade: those that were not made, since it does not answer.
    why: it does not.
    """

    failed: list[tuple[Item, str]] = field(default_factory=list)
    unanswered: list[Item] = field(default_factory=list)
    unmade: list[Item] = field(default_factory=list)
    why: str = ""


def attempt(act: Callable[[], Answer], attempts: int, sleep: Sleep = time.sleep) -> Answer:
    """Ask until there is an answer, after 1, 2, 4 ... seconds.

    Raises:
        DeclinedError: at once.
        UnreachableError: of the last attempt.
    """
    for number in range(attempts - 1):
        try:
            return act()
        except UnreachableError:
            sleep(min(2.0**number, _LONGEST_WAIT))
    return act()


def attempt_each(
    items: Sequence[Item], act: Callable[[Item], None], attempts: int, name: str, sleep: Sleep = time.sleep
) -> Outcome[Item]:
    """Make a request of each item; one that fails never keeps others from their turn.

    A server that leaves two in a row unanswered is taken to be gone, after it had all its attempts at the first.

    Args:
        items: in their order.
        act: makes the request.
        attempts: at an item, as long as no other failed before it.
        name: of the items, for the bar.
        sleep: waits.
    """
    outcome: Outcome[Item] = Outcome()
    patience, silent = attempts, False
    with tqdm(items, name, unit="", file=sys.stderr, disable=None if items else True) as bar:
        for index, item in enumerate(bar):
            try:
                attempt(partial(act, item), patience, sleep)
            except DeclinedError as error:
                outcome.failed.append((item, str(error)))
            except FaultError as error:
                outcome.failed.append((item, str(error)))
                patience, silent = 1, False
                continue
            except UnreachableError as error:
                outcome.unanswered.append(item)
                outcome.why = str(error)
                if silent:
                    outcome.unmade += items[index + 1 :]
                    break
                patience, silent = 1, True
                continue
            patience, silent = attempts, False
    return outcome


@contextmanager
def by_http() -> Iterator[None]:
    """Turn what requests raises into what it means; no address and no text of the server's is told.

    Raises:
        UnreachableError, DeclinedError
    """
    try:
        yield
    except requests.HTTPError as error:
        raise http_failure(error.response.status_code if error.response is not None else _SERVER_FAULT) from error
    except requests.TooManyRedirects as error:
        raise DeclinedError("the address leads to another; give that one") from error
    except requests.exceptions.SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            raise UnreachableError("TLS failed") from error
        raise DeclinedError("its certificate is not of its name, or from no authority that is known here") from error
    except requests.RequestException as error:
        raise UnreachableError(type(error).__name__) from error


def http_failure(status: int) -> UnreachableError | DeclinedError:
    """What an HTTP status of 400 or more means for the request."""
    if status in _BUSY:
        return UnreachableError(f"HTTP {status}")
    return FaultError(f"HTTP {status}") if status >= _SERVER_FAULT else DeclinedError(f"HTTP {status}")
