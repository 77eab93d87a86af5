"""A folder of radiographs that must be refused: DICOM files and a manifest that names the kind of each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from scripts.files import sha256
from scripts.simulation.others.kinds import KINDS
from scripts.simulation.others.other_radiograph import COLUMNS, OthersPlan, row_path, simulate_other_radiograph
from scripts.simulation.production import Production, check_whole, checked_spacing, checked_split, chosen_sites
from scripts.simulation.sites import SITES_FILE


def simulate_others(
    output_dir: str,
    radiographs: int,
    seed: int = 0,
    spacing_mm: float | None = 0.34,
    kinds: Sequence[str] | None = None,
    split: str | None = None,
    workers: int | None = None,
    sites: Sequence[str] | None = None,
    sites_file: str | None = None,
) -> Path:
    """Simulate radiographs that must be refused and return the path of their ``manifest.csv``.

    A second call with the same arguments finishes what an interrupted one began; more ``radiographs`` add to a collection.

    Args:
        output_dir: folder to make or to go on with.
        radiographs: how many, at least 1; the kinds take turns.
        seed: the collection's seed.
        spacing_mm: detector pixel spacing in mm, 0.05 to 1; each site's own when None.
        kinds: names of `KINDS`; all when None.
        split: one of train, validation, test, external for all. When None, as in a cohort: external sites are "external",
            elsewhere the latest studies are "test" and the others "train" or "validation".
        workers: processes; one for each processor core when None.
        sites: names of those whose exposure, processing and habits are used; all when None.
        sites_file: JSON file of sites; the bundle's own when None.

    Raises:
        ValueError: an argument is out of its range, or the folder holds a collection made with other arguments.
        OSError: the folder cannot be written, or a worker died; what was finished is kept.
        SystemExit: of code 130 when interrupted by Ctrl-C; what was finished is kept.
    """
    check_whole("radiographs", radiographs, 1)
    check_whole("seed", seed, 0)
    if workers is not None:
        check_whole("workers", workers, 1)
    file = Path(sites_file) if sites_file else SITES_FILE
    plan = OthersPlan(seed, chosen_sites(file, sites), checked_spacing(spacing_mm), checked_split(split), _chosen_kinds(kinds))
    if not output_dir:
        raise ValueError("No output_dir given: name the folder to write the radiographs to. Nothing was written.")
    folder = Path(output_dir)
    settings = {
        "seed": seed,
        "spacing_mm": spacing_mm,
        "split": split,
        "sites": [site.name for site in plan.sites],
        "sites_sha256": sha256(file),
        "kinds": list(plan.kinds),
    }
    make = partial(simulate_other_radiograph, folder=folder, plan=plan)
    Production(folder, radiographs, "radiographs", make, row_path, COLUMNS, settings, "others.json").run(workers)
    made = f"{radiographs} simulated radiographs of {min(radiographs, len(plan.kinds))} kinds that must be refused"
    print(f"{made}, in {folder.resolve()}: images/ and manifest.csv")
    return folder / "manifest.csv"


def _chosen_kinds(kinds: Sequence[str] | None) -> tuple[str, ...]:
    if kinds is None:
        return tuple(KINDS)
    if isinstance(kinds, str) or not kinds:
        raise ValueError(f"kinds is {kinds!r}; expected a list such as \"['chest','hand']\". Nothing was written.")
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"kinds: {kind!r} is none of the kinds; expected some of {', '.join(KINDS)}. Nothing was written.")
    return tuple(dict.fromkeys(kinds))
