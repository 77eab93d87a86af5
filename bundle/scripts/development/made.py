"""What commands make of the documentation, and with which weights: `docs/pictures.json` tells what is out of date."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import scripts
from scripts.files import replacing, sha256

BUNDLE: Final = Path(scripts.__file__).parents[1]
DOCS: Final = BUNDLE / "docs"
WEIGHTS: Final = BUNDLE / "models" / "model.pt"
SITES: Final = {"total": "Total hip", "neck": "Femoral neck"}
"""As tables and figures name them."""
RECORD: Final = "pictures.json"


def read_record(docs: Path = DOCS) -> dict[str, dict[str, Any]]:
    """By picture, or by page and table ("README.md#performance"): "command", "weights" (SHA-256; null where none are used), and
    of a picture its own "sha256".
    """
    found: dict[str, dict[str, Any]] = json.loads((docs / RECORD).read_text(encoding="utf-8"))
    return found


def write_record(made: Mapping[str, Mapping[str, Any]], docs: Path = DOCS) -> None:
    """Enter what was made, and leave the rest as it is."""
    known = read_record(docs) if (docs / RECORD).exists() else {}
    made = {name: {**one, **({"sha256": sha256(docs / name)} if (docs / name).is_file() else {})} for name, one in made.items()}
    with replacing(docs / RECORD) as temporary:
        temporary.write_text(json.dumps(dict(sorted({**known, **made}.items())), indent=2) + "\n", encoding="utf-8")


def entry(command: str, *, weights: bool, **more: Any) -> dict[str, Any]:
    """What `write_record` takes of one picture or table that was made just now."""
    return {"command": command, "weights": sha256(WEIGHTS) if weights else None, **more}


def older_than(weights: str, docs: Path = DOCS) -> list[str]:
    """What was made with other weights, each with the command that makes it anew.

    Args:
        weights: SHA-256 of those that ship.
        docs: the folder of the record.
    """
    return [f"{name}: {made['command']}" for name, made in read_record(docs).items() if made["weights"] not in (None, weights)]


def run_bundle(*configs: str, **settings: object) -> None:
    """Run configs of the bundle, each laid over those before it, in a process of its own.

    Raises:
        SystemExit: where it fails; it has said why.
    """
    files = [str(BUNDLE / "configs" / f"{name}.yaml") for name in configs]
    words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files) if len(files) > 1 else files[0], *words]
    print(" ".join(("\n>", *configs, *words)), flush=True)
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"{configs[-1]}.yaml failed, as said above; the documentation is as it was for what it would have made.")


def evaluated(dataset_dir: Path, results: Path, **settings: object) -> dict[str, Any]:
    """Evaluate a screen, unless that is finished, and return "bmd" of its `metrics.json`: by site, its figures.

    Args:
        dataset_dir: of radiographs with DXA.
        results: the folder to write to.
        settings: of the screen.
    """
    if not (results / "metrics.json").exists():
        run_bundle("inference", "evaluate", dataset_dir=dataset_dir, output_dir=results, **settings)
    bmd: dict[str, Any] = json.loads((results / "metrics.json").read_text(encoding="utf-8"))["overall"]["bmd"]
    return bmd


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def replace_table(page: str, name: str, lines: Sequence[str], command: str = "make figures") -> str:
    """A page with other lines between `<!-- NAME: made by COMMAND -->` and `<!-- end of NAME -->`.

    Raises:
        ValueError: where the page has no such place, or several.
    """
    begin, end = f"<!-- {name}: made by `{command}` -->\n", f"<!-- end of {name} -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"The page has no place, or several, for the table {name}; expected one line {begin.strip()!r}.")
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n" + "".join(f"{line}\n" for line in lines) + f"\n{end}{after}"
