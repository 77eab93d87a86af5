"""Runs Python modules in processes of their own, each forked from one that has imported MONAI already.

To import it takes longer than what most tests run. The process that is forked has done nothing else, so each begins as new.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


def run_module(
    module: str, *arguments: str, cwd: str | os.PathLike[str] = ".", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Do what ``python -m MODULE ARGUMENTS`` does in a folder, and wait for its end.

    Args:
        module: its name.
        arguments: of its command line.
        cwd: the folder.
        env: environment variables; those of this process if None.
    """
    server = _server()
    assert server.stdin and server.stdout
    with tempfile.TemporaryDirectory() as folder:
        said, warned = Path(folder, "stdout"), Path(folder, "stderr")
        request = {
            "module": module,
            "arguments": [*map(str, arguments)],
            "cwd": os.path.abspath(cwd),
            "environment": dict(os.environ if env is None else env),
            "stdout": str(said),
            "stderr": str(warned),
        }
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in (said, warned)]
        return subprocess.CompletedProcess([module, *arguments], code, *texts)


@cache
def _server() -> subprocess.Popen[str]:
    """The process that is forked; it ends with this one, which holds its input open."""
    return subprocess.Popen([sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _serve() -> None:
    import scripts.apps.cli
    import scripts.screening  # noqa: F401

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing else may stand among the answers
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(json.loads(line))
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        answers.flush()


def _become(request: dict[str, Any]) -> None:
    """Be the process that was asked for."""
    import atexit
    import runpy

    for stream, place in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
        file = os.open(place, os.O_RDONLY if stream == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, stream)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (open(stream, "w", closefd=False) for stream in (1, 2))  # noqa: SIM115
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["", *request["arguments"]]
    code = 0
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException as error:
        code = 1
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
