"""Where the time of simulating a patient goes, at the pixel size of training and at native size."""

import cProfile
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from scripts.simulation.patient import Plan, simulate_patient
from scripts.simulation.sites import load_sites

_STEPS = {
    "draw bones and set their mineral": ("phantom.py", "draw_phantom"),
    "cast rays through bone and metal": ("projection.py", "cast"),
    "soft tissue": ("soft_tissue.py", "soft_tissue"),
    "trabecular pattern": ("trabeculae.py", "trabecular_texture"),
    "attenuation of the spectrum": ("xray.py", "attenuate"),
    "scatter, blur, noise": ("xray.py", "expose"),
    "vendor's processing": ("processing.py", "process"),
    "DICOM, JPEG-LS": ("dx_image.py", "write_radiograph"),
}


def time_simulation(patients: int = 12, seed: int = 0, spacings_mm: tuple[float, ...] = (0.34, 0.15)) -> None:
    """Simulate patients in one thread and print the seconds that each takes, whole and by step.

    Args:
        patients: how many of each pixel size, after one to warm up.
        seed: of the patients.
        spacings_mm: pixel spacings at the detector to compare, mm.

    Raises:
        ValueError: ``patients`` is below 1.
    """
    if patients < 1:
        raise ValueError(f"patients is {patients!r}; expected at least 1. Nothing was measured.")
    print(f"Seconds a patient in one thread, mean of {patients}; each processor core makes one patient at a time.")
    rows: dict[str, list[float]] = {name: [] for name in ("all", *_STEPS)}
    for spacing in spacings_mm:
        whole, profile = _measure(patients, seed, spacing)
        rows["all"].append(whole / patients)
        times = {(Path(file).name, function): entry[3] for (file, _, function), entry in profile.items()}
        for name, key in _STEPS.items():
            rows[name].append(times.get(key, 0.0) / patients)
    print(f"{'':36}" + "".join(f"{spacing:>8g} mm" for spacing in spacings_mm))
    for name, values in rows.items():
        print(f"{name:36}" + "".join(f"{value:11.2f}" for value in values))


def _measure(patients: int, seed: int, spacing: float) -> tuple[float, dict[Any, Any]]:
    plan = Plan(seed=seed, sites=tuple(load_sites().values()), spacing_mm=spacing, split=None, repeats=0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        threads = torch.get_num_threads()
        simulate_patient(0, folder, plan)
        profiler, start = cProfile.Profile(), time.perf_counter()
        for index in tqdm(range(1, patients + 1), desc=f"{spacing:g} mm", leave=False):
            profiler.runcall(simulate_patient, index, folder, plan)
        torch.set_num_threads(threads)
        whole = time.perf_counter() - start
        profiler.create_stats()
        return whole, profiler.stats
