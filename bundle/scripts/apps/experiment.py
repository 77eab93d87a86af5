"""The experiment as one command: trains the networks, looks at every patient, compares, and tells MLflow of it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from monai.bundle import ConfigParser
from tqdm import tqdm

from scripts.apps.parent_run import parent_run, run_to_end
from scripts.dataset.manifest import find_manifest
from scripts.evaluation.experiment.compare import answer, best_network, compare
from scripts.evaluation.experiment.feature_models import MODELS, Floats
from scripts.evaluation.experiment.patients import Patients, deep_features, eligible, look_at_patients
from scripts.evaluation.experiment.report import FILES, write_experiment
from scripts.files import replacing, sha256
from scripts.networks.checkpoint import read_checkpoint
from scripts.screening import Screen

CONFIGS: Final = Path(__file__).parents[2] / "configs"
_OF_TRAININGS: Final = ("networks", "epochs", "batch_size", "num_workers", "cache_dir", "track", "device")
"""Settings that change nothing of what is seen on a radiograph."""
_DONE: Final = "finished.json"
"""In the folder of a training that came to its end: the settings that it had."""


@dataclass(frozen=True)
class Network:
    """A classifier to train: its name, and the file that declares it."""

    name: str
    file: Path

    @property
    def lacks(self) -> str:
        """A package that it needs and that is not installed; "" where there is none."""
        named = re.findall(r"_target_:\s*([A-Za-z_]\w*)\.", self.file.read_text(encoding="utf-8"))
        return next((package for package in named if importlib.util.find_spec(package) is None), "")

    def built(self) -> torch.nn.Module:
        """The network, with weights by chance."""
        parser = ConfigParser()
        parser.read_config([str(CONFIGS / "inference.yaml"), str(self.file)])
        network: torch.nn.Module = parser.get_parsed_content("siamese_def")
        return network


def run_experiment(
    networks: Sequence[str],
    radiographs: Sequence[Mapping[str, Any]],
    screen: Screen,
    dataset_dir: str,
    output_dir: str,
    cache_dir: str,
    settings: Mapping[str, int | None],
    provenance: Mapping[str, Any],
    notice: str,
    device: torch.device,
    track: bool,
) -> dict[str, Any]:
    """Train what is not trained yet, look at whom was not looked at, and compare.

    Args:
        networks: names of files in `configs/experiments`, or paths of others.
        radiographs: items of `scripts.dataset.studies.sort_studies`.
        screen: of `inference.yaml`.
        dataset_dir: their folder.
        output_dir: where to; it must exist.
        cache_dir: of the trainings.
        settings: "epochs" (None: as each network's file says), "batch_size", "num_workers" and "seed" of each training.
        provenance: plain data on what makes the results.
        notice: the sentence that every result carries.
        device: of the trainings.
        track: whether MLflow is told.

    Returns:
        every figure, see `scripts.evaluation.experiment.compare`.

    Raises:
        ValueError: where a network is not known, patients are too few, or a class is empty.
        SystemExit: where a training fails; it has said why.
    """
    folder, seed = Path(output_dir), int(settings["seed"] or 0)
    wanted = [_network(name) for name in networks]
    eligible(radiographs)  # else what is wrong with them would be told after hours
    if len({network.name for network in wanted}) < len(wanted):
        raise ValueError(f"--networks {', '.join(networks)}: two have one name; expected each once. Nothing was trained.")
    left_out = {network.name: network.lacks for network in wanted if network.lacks}
    for name, package in left_out.items():
        print(f"{name} is left out: it needs {package}, which is not installed.", flush=True)
    wanted = [network for network in wanted if network.name not in left_out]
    alone = [network.name for network in wanted if not getattr(network.built(), "told", True)]
    if not alone:
        raise ValueError(
            f"--networks {', '.join(networks)}: none that can be trained judges by the hips alone (told: false); expected one, "
            "for its features. Nothing was trained."
        )
    with parent_run(folder, "experiment", provenance) if track else nullcontext() as run:
        for network in wanted:
            _train(network, dataset_dir, folder, cache_dir, settings, device, track)
        patients = look_at_patients(radiographs, screen, output_dir, provenance, _OF_TRAININGS)
        deep, said, costs = {}, {}, {}
        for network in tqdm(wanted, "Networks", unit="", file=sys.stderr):
            deep[network.name], said[network.name], costs[network.name] = _answers(network, folder, patients)
        best = best_network(said, patients, alone)
        with tqdm(total=len(MODELS), desc="Models", unit="", file=sys.stderr) as bar:
            found = answer(patients, deep[best], said, lambda name: _advance(bar, name), seed)
        document = compare(patients, found, seed) | {
            "networks": costs,
            "deep_features_of": best,
            "left_out": left_out,
        }
        heading = (
            f"Deep features are those of {best}, which tells the patients to validate on apart best of {', '.join(alone)}"
            f"{'; left out: ' + ', '.join(left_out) if left_out else ''}."
        )
        write_experiment(folder, patients, found, document, heading, provenance, notice)
        if run:
            _tell_of_models(folder, document)
            for file in FILES:
                if not file.endswith(".json"):  # whose provenance may name folders
                    run.client.log_artifact(run.run_id, str(folder / file))
    print(f"{len(found)} models of {len(patients.name)} radiographs; written to {folder}: {', '.join(FILES)}.")
    return document


def _network(name: str) -> Network:
    """Find the file of a network.

    Raises:
        ValueError: when there is none.
    """
    file = Path(name) if "/" in name or name.endswith((".yaml", ".yml", ".json")) else CONFIGS / "experiments" / f"{name}.yaml"
    if not file.is_file():
        known = sorted(path.stem for path in (CONFIGS / "experiments").glob("*.yaml"))
        raise ValueError(f"--networks {name}: there is no such network; expected {', '.join(known)}, or a file of your own.")
    return Network(file.stem, file.absolute())


def _train(
    network: Network,
    dataset_dir: str,
    folder: Path,
    cache_dir: str,
    settings: Mapping[str, int | None],
    device: torch.device,
    track: bool,
) -> None:
    """Train to the end, in a process of its own; one that came to its end is not trained again.

    Raises:
        ValueError: where it came to its end with other settings, or other patients.
        SystemExit: where it fails, or is stopped.
    """
    place, manifest = folder / "networks" / network.name, find_manifest(Path(dataset_dir))
    asked: dict[str, Any] = {key: value for key, value in settings.items() if key != "num_workers"}
    asked |= {"network": sha256(network.file), "manifest": sha256(manifest) if manifest else ""}
    if (place / _DONE).is_file():
        had = json.loads((place / _DONE).read_text(encoding="utf-8"))
        if had != asked:
            differ = [key for key in asked if had.get(key) != asked[key]]
            changed = ", ".join(f"{key} ({had.get(key)} there, {asked[key]} here)" for key in differ)
            raise ValueError(
                f"{place}: holds a training that differs in {changed}. Name another output_dir, or remove that folder. "
                "Nothing was trained."
            )
        return
    command = [sys.executable, "-P", "-m", "scripts.apps.command", "train", "siamese", dataset_dir, str(place)]
    command += ["--config", str(network.file), "--cache_dir", cache_dir, "--device", str(device)]
    command += [word for name, value in settings.items() if value is not None for word in (f"--{name}", str(value))]
    if track:
        command += ["--tracking", "mlflow", "--run_name", f"{network.name}-{time.strftime('%Y%m%d-%H%M%S')}"]
    print(f"\nTraining {network.name}", flush=True)
    if code := run_to_end(command):
        raise SystemExit(code)
    with replacing(place / _DONE) as temporary:
        temporary.write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")


def _answers(network: Network, folder: Path, patients: Patients) -> tuple[Floats, Floats, dict[str, float]]:
    """Deep features and probabilities of a trained network, kept beside its weights; and its cost."""
    place = folder / "networks" / network.name
    built = network.built()
    state, _ = read_checkpoint(place / "best.pt")
    built.load_state_dict(state)
    names, kept = patients.name.tolist(), place / "answers.npz"
    crops = [os.stat(folder / "crops" / f"{name}.pt") for name in names]
    told = [sha256(place / "best.pt"), names, [(one.st_size, one.st_mtime_ns) for one in crops]]
    key = hashlib.sha256(repr(told).encode()).hexdigest()
    if kept.is_file():
        with np.load(kept) as stored:
            if str(stored["key"]) == key:
                costs = {"parameters": float(stored["parameters"]), "ms_per_radiograph": float(stored["ms"])}
                return stored["deep"], stored["said"], costs
    begun = time.perf_counter()
    deep, said = deep_features(built, names, folder / "crops")
    spent = 1000 * (time.perf_counter() - begun) / len(names)
    parameters = sum(weight.numel() for weight in built.parameters())
    with replacing(kept) as temporary, temporary.open("wb") as file:
        np.savez(file, key=key, deep=deep, said=said, parameters=parameters, ms=spent)
    return deep, said, {"parameters": float(parameters), "ms_per_radiograph": spent}


def _tell_of_models(folder: Path, document: Mapping[str, Any]) -> None:
    """A run of MLflow for each model, with its figures on each set."""
    for name, model in document["models"].items():
        with parent_run(folder / "models" / name.replace(" ", "_"), name, {"kind": model["kind"]}) as run:
            for of, one in model["sets"].items():
                for key in ("auc", "auprc", "brier_scaled", "calibration_slope_scaled"):
                    if math.isfinite(one[key]):
                        run.client.log_metric(run.run_id, f"{of}.{key}", one[key])


def _advance(bar: Any, name: str) -> None:
    bar.set_postfix_str(name)
    bar.update()
