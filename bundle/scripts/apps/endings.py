"""How a command ends that could not do its work: one sentence, and an exit code that a script can use."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import scripts
from scripts.apps.options import MistypedError

DONE: Final = 0
FAILED: Final = 1
"""The data, the weights or the disk are not as they must be."""
MISTYPED: Final = 2
"""The command line or a config is not as it must be: nothing was run."""
FAULT: Final = 70
"""The software failed."""
STOPPED: Final = 130
"""Ctrl-C."""

_PACKAGE: Final = Path(scripts.__file__).parent
_WRAPPERS: Final = ("Failed to evaluate", "Failed to instantiate", "applying transform", "Failed to call")
_OUT_OF_MEMORY: Final = ("OutOfMemoryError", "MemoryError")


def told(error: BaseException) -> str | None:
    """Say in one sentence what ended a command, where the user, the data or the machine is the reason.

    Args:
        error: as it came out of MONAI, which wraps the first one in others.

    Returns:
        the sentence; None where the software is to blame.
    """
    cause = first_cause(error)
    if type(cause).__name__ in _OUT_OF_MEMORY:
        return f"The memory does not suffice ({_line(cause)}); take a smaller --batch_size, fewer --workers, or --device cpu."
    if isinstance(cause, ImportError):
        return f"A package is missing or broken ({_line(cause)}); install OsteoXR again with all that it needs."
    if isinstance(cause, OSError) and cause.strerror:
        return f"{cause.filename or 'The disk'}: {cause.strerror}."
    if isinstance(cause, OSError) or (isinstance(cause, ValueError) and _is_ours(cause)):
        return _line(cause)
    if isinstance(cause, (TypeError, NameError, KeyError, AttributeError, ValueError)) and _in_config(error):
        wrapper = next(each for each in _chain(error) if str(each).startswith(_WRAPPERS))
        return f"The configuration cannot be used: {_line(cause)} ({_shortened(_line(wrapper))})."
    return None


def ended(error: BaseException) -> tuple[int, str]:
    """The exit code of what ended a command, and its last sentence; "" where that was printed already.

    Args:
        error: what was raised; a `SystemExit` has one of both.
    """
    if isinstance(error, MistypedError):
        return MISTYPED, str(error)
    if isinstance(error, KeyboardInterrupt):
        return STOPPED, stopped(resumes=False)
    if isinstance(error, SystemExit):
        return (error.code, "") if isinstance(error.code, int) else (FAILED, str(error.code or ""))
    sentence = told(error)
    return (FAILED, sentence) if sentence else (FAULT, fault(error))


def stopped(resumes: bool) -> str:
    """Say that Ctrl-C ended a command, and what the same command does then.

    Args:
        resumes: whether it goes on where it was.
    """
    if resumes:
        return "Stopped by Ctrl-C. What was finished is kept: give the same command again, and it goes on from there."
    return "Stopped by Ctrl-C, before it was finished. Give the same command again, and it begins anew."


def fault(error: BaseException) -> str:
    """Say that the software failed, with what tells its makers where."""
    cause = first_cause(error)
    frames = traceback.extract_tb(cause.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    place = f" at {Path(ours[-1].filename).relative_to(_PACKAGE.parent)}, line {ours[-1].lineno}" if ours else ""
    return (
        f"OsteoXR failed ({type(cause).__name__}: {_line(cause)}{place}). This is a fault of the software, not of the command; "
        "please report it with this line."
    )


def first_cause(error: BaseException) -> BaseException:
    """The error itself, without those that MONAI wraps it in."""
    return next((each for each in _chain(error) if not str(each).startswith(_WRAPPERS)), error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    from scripts.radiograph.causes import causes  # with all that reads radiographs, which is slow: not for --help

    return causes(error)


def _in_config(error: BaseException) -> bool:
    """Whether an expression or a component of a config failed by itself, and not what it called."""
    cause = first_cause(error)
    frames = traceback.extract_tb(cause.__traceback__)
    last = frames[-1].filename if frames else ""
    return str(error).startswith(_WRAPPERS) and (
        last == "<string>" or Path(last).parent.name == "bundle" or "unexpected keyword" in str(cause)
    )


def _is_ours(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).is_relative_to(_PACKAGE)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _shortened(text: str, letters: int = 160) -> str:
    return text if len(text) <= letters else f"{text[: letters - 3]}..."
