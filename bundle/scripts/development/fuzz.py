"""Proof that hostile files do no harm: each of thousands of mutants must end in an image or a reason."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from scripts.clinical import Code, RefusedError
from scripts.development.hostile_seeds import load_seeds
from scripts.development.mutation import mutate
from scripts.files import Journal, replacing
from scripts.radiograph import REFUSAL, IsolatedReader
from scripts.radiograph.causes import causes

LONGEST_SECONDS: Final = 5.0
MOST_BYTES: Final = 2_000_000_000
"""What no mutant may take, in seconds of the processor and in bytes: the criteria of a run."""

_SILENT: Final = "Nothing was said of"
_PATIENCE: Final = 4  # a mutant may take so many times as long by the clock: other work may hold the processor

_WORST: Final = 10  # mutants that the report names by time and by memory
_OWN_PEAK: Final = Path("/proc/self/clear_refs")


class Measured:
    """A transform that also notes what each item took: a line {index, seconds, peak_bytes, cause} a file.

    seconds: of the processor. peak_bytes: of the process's resident memory. cause: type and place of the exception at the
    bottom of a refusal, "" where the refusal was meant from the start.

    Args:
        transform: what is measured.
        file: the lines are appended to it; also those of a process that is killed later.
    """

    def __init__(self, transform: Callable[[Mapping[str, Any]], Mapping[str, Any]], file: str) -> None:
        self.transform = transform
        self.file = file

    def __call__(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """Transform an item whose "name" is the index."""
        _OWN_PEAK.write_text("5")  # forgets the peak of earlier radiographs
        cause, start = "", time.process_time()
        try:
            return self.transform(item)
        except BaseException as error:
            cause = _cause(error)
            raise
        finally:
            seconds = time.process_time() - start
            line = {"index": int(item["name"]), "seconds": round(seconds, 4), "peak_bytes": _peak_bytes(), "cause": cause}
            with open(self.file, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")


def fuzz(
    transform: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    output_dir: str,
    files: int = 20_000,
    seed: int = 0,
    only: int | None = None,
) -> None:
    """Read mutants of DICOM files, write `fuzz.json` and print what was found and where.

    A second call with the same seed goes on where an interrupted one stopped. Linux only, which tells a process's peak.

    Args:
        transform: the preprocessing.
        output_dir: folder to make or to go on with.
        files: how many mutants; their indices are 0 to `files` - 1.
        seed: of the mutants.
        only: index of the one mutant to make again; it is left in the folder, and what becomes of it printed.

    Raises:
        ValueError: an argument is out of its range, or the folder holds a run with another seed.
        BusyError: another run writes to the folder.
    """
    if not output_dir:
        raise ValueError("No output_dir given: name the folder to write to. Nothing was read.")
    if files < 1 or seed < 0:
        raise ValueError(f"files is {files} and seed {seed}; expected at least 1 and at least 0. Nothing was read.")
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    if only is not None:
        _read_one(transform, folder, seed, only)
        return
    seeds = load_seeds()
    mutants, measures = folder / "mutants", folder / "measured.jsonl"
    reader = IsolatedReader(Measured(transform, str(measures)), seconds=_PATIENCE * LONGEST_SECONDS)

    def written(indices: Iterable[int]) -> Iterator[dict[str, str]]:
        for index in indices:
            mutant = mutate(seeds, seed, index)
            path = mutants / f"{index}.dcm"
            path.write_bytes(mutant.content)
            yield {"image": str(path), "name": str(index), "recipe": mutant.recipe, "told": mutant.told}

    with closing(Journal(folder / "outcomes.jsonl")) as journal:
        outcomes = journal.resume({"seed": seed})
        done = len(outcomes)
        shutil.rmtree(mutants, ignore_errors=True)
        mutants.mkdir()
        for item in tqdm(reader(written(range(done, files))), desc="Mutants", total=files, initial=done, unit="file"):
            reason = item.get(REFUSAL)
            found = {"code": reason.code, "sentence": reason.sentence} if reason else {"code": "image", "sentence": _untold(item)}
            outcomes.append(journal.append({"index": int(item["name"]), **found}))
            Path(item["file"]).unlink()
        shutil.rmtree(mutants)
    with closing(Journal(measures)) as journal:
        report = _report(outcomes, {line["index"]: line for line in journal.read()})
    for worst in report["found"] + report["slowest"] + report["largest"]:
        worst["recipe"] = mutate(seeds, seed, worst["index"]).recipe
    with replacing(folder / "fuzz.json") as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(_said(report, folder))


def _read_one(transform: Callable[[Mapping[str, Any]], Mapping[str, Any]], folder: Path, seed: int, index: int) -> None:
    mutant = mutate(load_seeds(), seed, index)
    path = folder / f"mutant_{seed}_{index}.dcm"
    path.write_bytes(mutant.content)
    item = IsolatedReader(transform, seconds=_PATIENCE * LONGEST_SECONDS).read({"image": str(path), "name": path.stem})
    reason = item.get(REFUSAL)
    print(f"{path}\n{mutant.recipe}\n{f'{reason.code}: {reason.sentence}' if reason else 'an image'}")


def _untold(item: Mapping[str, Any]) -> str:
    """Return a sentence on what of a mutant was read otherwise than it stands, where no note quotes it; else ""."""
    notes = " ".join(item["image"].meta["assumptions"])
    return f"{_SILENT} {item['told']}." if item["told"] and item["told"] not in notes else ""


def _report(outcomes: list[dict[str, Any]], measured: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Count the outcomes and list the worst. found: all that broke a criterion, or that the reader did not refuse by itself."""
    missing = {"seconds": None, "peak_bytes": None, "cause": "the process ended"}
    rows = [{**outcome, **measured.get(outcome["index"], missing)} for outcome in outcomes]
    found = {
        "reading process ended": [row for row in rows if "process that read" in row["sentence"]],
        "too slow": [row for row in rows if row["code"] == Code.TOO_SLOW or (row["seconds"] or 0) > LONGEST_SECONDS],
        "memory bound": [row for row in rows if row["code"] == Code.TOO_LARGE and "of memory" in row["sentence"]],
        "above 2 GB": [row for row in rows if (row["peak_bytes"] or 0) > MOST_BYTES],
        "unforeseen exception": [row for row in rows if row["sentence"].startswith("The file could not be read")],
        "read in silence": [row for row in rows if row["sentence"].startswith(_SILENT)],
    }
    timed = [row for row in rows if row["seconds"] is not None]
    return {
        "files": len(rows),
        "codes": dict(Counter(row["code"] for row in rows).most_common()),
        "counts": {name: len(members) for name, members in found.items()},
        "causes": dict(Counter(row["cause"] for row in rows if row["cause"]).most_common()),
        "found": [{**row, "kind": name} for name, members in found.items() for row in members],
        "slowest": [dict(row) for row in sorted(timed, key=lambda row: -row["seconds"])[:_WORST]],
        "largest": [dict(row) for row in sorted(timed, key=lambda row: -row["peak_bytes"])[:_WORST]],
    }


def _said(report: Mapping[str, Any], folder: Path) -> str:
    lines = [f"{report['files']} mutants: " + ", ".join(f"{count} {code}" for code, count in report["codes"].items())]
    lines += ["Of these: " + ", ".join(f"{count} {name}" for name, count in report["counts"].items())]
    for row in report["found"]:
        lines.append(f"  {row['kind']}: index {row['index']}, {row['recipe']} {row['cause']}")
    slowest, largest = report["slowest"][0], report["largest"][0]
    lines.append(
        f"Slowest {slowest['seconds']:.2f} s (index {slowest['index']}, {slowest['recipe']}); most memory "
        f"{largest['peak_bytes'] / 1e9:.2f} GB (index {largest['index']}, {largest['recipe']})."
    )
    lines.append(f"All in {folder / 'fuzz.json'}; --only INDEX with the same --seed makes one mutant again.")
    return "\n".join(lines)


def _cause(error: BaseException) -> str:
    *_, root = causes(error)
    if isinstance(root, RefusedError):
        return ""
    place = root.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return f"{type(root).__name__} at {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else ""


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
