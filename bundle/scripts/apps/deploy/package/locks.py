"""What an image installs: Python packages, each pinned with the hash of the file that it is installed from.

The lock files are made anew by `python -m scripts.apps.deploy.package.locks`, in the environment that they are to describe.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.files import replacing

LOCKS: Final = Path(__file__).parent
APPLICATION: Final = LOCKS / "requirements.txt"
"""Of the application, but for PyTorch."""
PACKAGER: Final = LOCKS / "packager.txt"
"""Of what makes the package, and is no part of it."""
TORCH: Final = {"cpu": LOCKS / "torch-cpu.txt", "gpu": LOCKS / "torch-gpu.txt"}
"""PyTorch with what it alone needs, by the kind of the image."""

_ROOTS: Final = {
    APPLICATION: (
        "osteoxr", "torch", "monai-deploy-app-sdk", "holoscan-cu13", "tritonclient[grpc,http]", "nvidia-cuda-runtime",
    ),
    PACKAGER: ("holoscan-cli", "python-on-whales", "cyclonedx-python-lib[json-validation]"),
}  # fmt: skip
_WITHOUT: Final = {APPLICATION: ("osteoxr", "torch", "holoscan-cli"), PACKAGER: ("pip",)}
"""What a lock has not, nor what that alone needs, unless it is a root: the SDK names the packager as one of its dependencies."""

_HASHED: Final = re.compile(r"(?P<name>\S+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})(?:  # (?P<licence>.*))?")
_LONGEST_LICENCE: Final = 60  # letters; beyond these it is no name, but the licence's text


@dataclass(frozen=True)
class Locked:
    """A package of a lock file.

    name, version: as the index has them. sha256: of its file. licence: as its metadata name it, "" where they do not.
    """

    name: str
    version: str
    sha256: str
    licence: str


def read_lock(file: Path) -> list[Locked]:
    """Read a lock file.

    Raises:
        ValueError: naming the line that is none of such a file.
    """
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        if not (match := _HASHED.fullmatch(line)):
            raise ValueError(f"{file}, line {number}: expected NAME==VERSION --hash=sha256:HASH  # LICENCE. Nothing was written.")
        found.append(Locked(match["name"], match["version"], match["sha256"], match["licence"] or ""))
    return found


def needed_by(roots: Iterable[str], without: Collection[str] = ()) -> list[str]:
    """The packages that some need, those that are installed, with the versions: NAME==VERSION, sorted.

    What is needed and not installed is left out: that the application runs without it is what its tests show.

    Args:
        roots: packages, with their extras.
        without: what is left out, with what it alone needs; of a root, the package alone.
    """
    found: dict[str, str] = {}
    wanted = [Requirement(root) for root in roots]
    kept = {canonicalize_name(root.name) for root in wanted}
    seen = set()
    while wanted:
        requirement = wanted.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen or (name in without and name not in kept):
            continue
        seen.add((name, extras))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue
        if name not in without:
            found[name] = f"{name}=={installed.version}"
        wanted += [each for each in map(Requirement, installed.requires or ()) if _applies(each, extras)]
    return sorted(found.values())


def lock(pins: Sequence[str]) -> list[Locked]:
    """Ask pip for the file that each of some pinned packages would be installed from.

    Raises:
        subprocess.CalledProcessError: where pip finds one on none of the indexes that it knows.
    """
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-"]
    report = json.loads(subprocess.run([*command, *pins], check=True, capture_output=True).stdout)
    found = [
        Locked(
            canonicalize_name(each["metadata"]["name"]), each["metadata"]["version"],
            each["download_info"]["archive_info"]["hashes"]["sha256"], _licence(each["metadata"]),
        )
        for each in report["install"]
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.name)


def main() -> None:
    """Write all lock files anew; PyTorch's packages stay those that they name."""
    for file, roots in _ROOTS.items():
        _write(file, lock(needed_by(roots, _WITHOUT[file])))
    for file in TORCH.values():
        # Three equals signs: 2.13.0 is the build for GPUs then, where two would also take that for processors.
        _write(file, lock([f"{each.name}==={each.version}" for each in read_lock(file)]))


def _write(file: Path, packages: Sequence[Locked]) -> None:
    with replacing(file) as temporary:
        temporary.write_text("".join(_lines(packages)), encoding="utf-8")
    print(f"{file}: {len(packages)} packages.")


def _lines(packages: Sequence[Locked]) -> Iterator[str]:
    yield "# Made by python -m scripts.apps.deploy.package.locks, for Linux on x86-64 and Python 3.11.\n"
    for each in packages:
        yield f"{each.name}=={each.version} --hash=sha256:{each.sha256}{f'  # {each.licence}' if each.licence else ''}\n"


def _licence(metadata: Mapping[str, Any]) -> str:
    """The licence that a package's metadata name, as JSON of pip's report; of an installed one they are whole."""
    with suppress(PackageNotFoundError):
        metadata = {**metadata, **distribution(metadata["name"]).metadata.json}
    classified = [each.split(" :: ")[-1] for each in metadata.get("classifier", ()) if each.startswith("License ::")]
    said = str(metadata.get("license") or "").strip()
    named = said if "\n" not in said and len(said) <= _LONGEST_LICENCE and said != "UNKNOWN" else ""
    return str(metadata.get("license_expression") or named or " AND ".join(classified))


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


if __name__ == "__main__":
    main()
