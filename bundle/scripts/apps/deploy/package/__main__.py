"""Writes the folder that the images are built from: `python -m scripts.apps.deploy.package FOLDER`; `make map` does so."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.apps.deploy.cuda import prepare
from scripts.apps.endings import ended


def main(words: Sequence[str] | None = None) -> None:
    """Write it.

    Raises:
        SystemExit: with the exit code of what went wrong, after one sentence.
    """
    parser = argparse.ArgumentParser(prog="python -m scripts.apps.deploy.package", description=__doc__)
    parser.add_argument("folder", type=Path, help="for the context of the build; an earlier one in it is replaced")
    folder = parser.parse_args(words).folder
    try:
        prepare()
        from scripts.apps.deploy.package.context import render

        without = render(folder)
    except BaseException as error:
        code, sentence = ended(error)
        print(sentence, file=sys.stderr)
        raise SystemExit(code) from error
    print(f"{folder}: Dockerfile.cpu and Dockerfile.gpu, with all that they need. No text of a licence: {', '.join(without)}.")


if __name__ == "__main__":
    main()
