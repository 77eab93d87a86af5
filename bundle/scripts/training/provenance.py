"""What made a set of weights: versions, configuration, seed and data."""

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scripts.dataset.manifest import find_manifest

PACKAGES = ("osteoxr", "torch", "monai", "numpy")


def versions() -> dict[str, str]:
    """Versions of the packages that matter, and the git commit where the bundle runs from a checkout ("" elsewhere)."""
    return {**{package: _version(package) for package in PACKAGES}, "git_commit": _git_commit()}


def training_provenance(
    config_files: str | Sequence[str],
    settings: Mapping[str, Any],
    seed: int,
    data: str | Sequence[str | None],
    training: Sequence[Mapping[str, Any]],
    validation: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Describe a training, for its checkpoints and its MLflow run.

    Args:
        config_files: the configuration.
        settings: what the command line may override, by name; hashed with the files.
        seed: of all random numbers.
        data: folder or folders of the data, whose `manifest.csv` are hashed; None is left out.
        training: items trained on.
        validation: items validated on.

    Returns:
        only strings, numbers and dictionaries of them, so that it can be loaded with `weights_only=True`.
    """
    files = [config_files] if isinstance(config_files, str) else list(config_files)
    config = hashlib.sha256()
    for file in files:
        config.update(Path(file).read_bytes())
    config.update(json.dumps(settings, sort_keys=True, default=str).encode())
    folders = [data] if isinstance(data, str) else [folder for folder in data if folder]
    manifests = [find_manifest(Path(folder)) for folder in folders]
    content = b"".join(manifest.read_bytes() for manifest in manifests if manifest)
    return {
        "versions": versions(),
        "config": [Path(file).name for file in files],
        "settings": {key: _plain(value) for key, value in settings.items()},
        "config_hash": config.hexdigest(),
        "seed": seed,
        "data_hash": hashlib.sha256(content).hexdigest() if content else "",
        "training_radiographs": len(training),
        "validation_radiographs": len(validation),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _git_commit() -> str:
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except OSError:  # git is not installed
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
