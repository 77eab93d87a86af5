"""What made a result: versions, configuration, weights, seed, and the files that gave the numbers their meaning."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from scripts.clinical.calibration import Calibration
from scripts.clinical.diagnosis import DIAGNOSIS_FILE
from scripts.clinical.dxa_makers import DXA_MAKERS_FILE
from scripts.clinical.frax import FRAX_FILE
from scripts.clinical.limits import GATE_FILE
from scripts.clinical.reference import REFERENCE_FILE
from scripts.clinical.uncertainty import Uncertainty, load_uncertainty
from scripts.files import sha256

_PACKAGES = ("osteoxr", "torch", "monai", "numpy")
_MEANING = (REFERENCE_FILE, DIAGNOSIS_FILE, FRAX_FILE, DXA_MAKERS_FILE, GATE_FILE)
_OF_WEIGHTS = ("file", "sha256", "provenance")
_CODE = Path(__file__).parents[1]
_WITHOUT_EFFECT = frozenset(
    {
        "checkpoint", "mineral_file", "calibration_file", "uncertainty_file", "notice", "precision_file", "language",
        "num_workers", "tracking", "run_name", "experiment_name", "tracking_uri", "server", "study_date", "modality", "body_part",
        "screened", "title", "move_port",
    }
)  # fmt: skip
"""Overrides that change no number of a study; of weights, calibration and uncertainty the hash counts. The notice stands in
objects for other systems, and counts where there are any."""


def describe_run(
    config_files: Sequence[str | Path],
    overrides: Mapping[str, Any],
    weights: Mapping[str, Any],
    gate_file: str | Path,
    seed: int,
    device: torch.device | str,
    calibration: Calibration | None = None,
    uncertainty: Uncertainty | None = None,
    mineral_weights: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The provenance of a run, as `results.json` holds it.

    Args:
        config_files: what `--config_file` named.
        overrides: what else the command line set. A path can name patients: leave those out.
        weights: "file", "sha256" and "provenance" of the loaded weights.
        gate_file: the gate's thresholds for them.
        seed: of all random generators.
        device: where the network ran.
        calibration: the hospital's, if any.
        uncertainty: how far the estimates of these weights are from DXA; as of a normal distribution if None.
        mineral_weights: alike, of the network that draws maps of the mineral, where one does.
    """
    drawn_by = {"mineral_weights": {key: mineral_weights[key] for key in _OF_WEIGHTS}} if mineral_weights else {}
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        "configuration": {
            "files": [{"file": Path(file).name, "sha256": sha256(Path(file))} for file in config_files],
            "overrides": {key: str(value) for key, value in overrides.items()},
        },
        "weights": {key: weights[key] for key in _OF_WEIGHTS},
        **drawn_by,
        "calibration": calibration and calibration.describe(),
        "uncertainty": (uncertainty or load_uncertainty()).describe(),
        "seed": seed,
        "device": str(device),
        "reference": [_described(file) for file in (*_MEANING, Path(gate_file))],
    }


def fingerprint(provenance: Mapping[str, Any], without: Collection[str] = ()) -> str:
    """A SHA-256 that differs where the numbers may: by weights, configuration, device, versions and the bundle's own code.

    Args:
        provenance: of `describe_run`. When it was made, and what the command line says of anything else, do not count.
        without: further keys of the command line that do not count.
    """
    configuration = provenance["configuration"]
    counted = {
        **{key: provenance[key] for key in ("software", "seed", "device", "reference")},
        "configuration": [file["sha256"] for file in configuration["files"]],
        "overrides": {key: value for key, value in effective_overrides(provenance).items() if key not in without},
        "weights": weights_of(provenance),
        **{key: provenance.get(key) for key in ("calibration", "uncertainty")},
        "code": code_sha256(),
    }
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()


def weights_of(provenance: Mapping[str, Any]) -> list[str]:
    """The SHA-256 of all weights that made what a provenance of `describe_run` tells of."""
    return [provenance[key]["sha256"] for key in ("weights", "mineral_weights") if key in provenance]


def effective_overrides(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What the command line set that may change a number, of a provenance of `describe_run`."""
    overrides = provenance["configuration"]["overrides"]
    stamped = overrides.get("dicom", "none") != "none" or str(overrides.get("fhir")).lower() == "true"
    return {key: value for key, value in overrides.items() if key not in _WITHOUT_EFFECT or (key == "notice" and stamped)}


def code_sha256() -> str:
    """A hash of the bundle's own code, and of the numbers that lie in it.

    A folder that is no package is not the bundle's: MONAI Label writes logs and weights into the folder of its app.
    """
    code = hashlib.sha256()
    packages = [file.parent for file in _CODE.rglob("__init__.py")]
    for file in sorted(file for package in packages for kind in ("*.py", "*.json") for file in package.glob(kind)):
        code.update(file.read_bytes())
    return code.hexdigest()


def _described(file: Path) -> dict[str, Any]:
    number = json.loads(file.read_text(encoding="utf-8"))["version"]
    return {"file": file.name, "version": number, "sha256": sha256(file)}
