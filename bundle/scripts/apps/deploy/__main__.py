"""Runs the application: `python -m scripts.apps.deploy -i INPUT -o OUTPUT -m MODEL`, or by the environment of a MAP."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from scripts.apps.deploy.cuda import prepare
from scripts.apps.deploy.interruption import Interruption
from scripts.apps.endings import DONE, ended

_CONFIG: Final = Path(__file__).with_name("app.yaml")


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run the application, and end with its exit code (see `endings`) and, unless all went well, one sentence.

    Args:
        words: the command line without the program; that of this process if None.
    """
    code, sentence = DONE, ""
    try:
        _run(list(sys.argv[1:] if words is None else words))
    except BaseException as error:
        code, sentence = ended(error)
    if sentence:
        print(sentence, file=sys.stderr, flush=True)
    sys.exit(code)


def _run(words: Sequence[str]) -> None:
    interruption = Interruption()
    prepare()
    from holoscan.logger import LogLevel, set_log_level
    from monai.deploy.core import AppContext, Application

    from scripts.apps.deploy.job import ScreeningJob
    from scripts.apps.deploy.operators import OsteoXR

    # The SDK's own messages tell of series and UIDs, and are shown to who asks for them.
    quiet = not any(word.startswith(("-l", "--log")) for word in words)
    given: AppContext = Application.init_app_context(["osteoxr", *words, *(["-l", "ERROR"] if quiet else [])])
    logging.getLogger("scripts").setLevel("INFO")
    if quiet:
        set_log_level(LogLevel.ERROR)
    told = given.args.get("model") or os.environ.get("HOLOSCAN_MODEL_PATH")
    config = os.environ.get("HOLOSCAN_CONFIG_PATH")
    job = ScreeningJob(
        Path(given.input_path), Path(given.output_path), Path(told) if told else None, Path(config) if config else _CONFIG
    )
    OsteoXR(job, interruption).run()


if __name__ == "__main__":
    main()
