"""One radiograph that must be refused, on disk, and what the manifest says of it.

Everything random comes from (seed, index), so a radiograph is the same whatever the number of workers and their order. The kinds
take turns. Age, sex, height and weight in the header are an adult's, and the header is silent on what is shown: only the
picture tells.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from scripts.files import replacing
from scripts.simulation.dx_image import Study, write_radiograph
from scripts.simulation.others.kinds import KINDS
from scripts.simulation.patient import EXTERNAL_WEIGHT, split_of
from scripts.simulation.population import draw_person
from scripts.simulation.sites import Site

COLUMNS: Final = (
    "image", "patient_id", "study_date", "site", "split", "age_years", "sex", "weight_kg", "height_cm", "kind", "style",
)  # fmt: skip
"""Of the manifest."""


@dataclass(frozen=True)
class OthersPlan:
    """What the radiographs of a collection share: ``seed``, ``sites``, detector pixel ``spacing_mm`` (None: each site's own),
    ``split`` of all (None: by site and date, as in a cohort), and the names of the ``kinds``."""

    seed: int
    sites: tuple[Site, ...]
    spacing_mm: float | None
    split: str | None
    kinds: tuple[str, ...]


def row_path(folder: Path, index: int) -> Path:
    """Return the path of the file that is written last of a radiograph; it holds its row of the manifest."""
    return folder / "rows" / f"{_radiograph_id(index)}.json"


def simulate_other_radiograph(index: int, folder: Path, plan: OthersPlan) -> list[dict[str, Any]]:
    """Make radiograph ``index`` (from 0) in the folders of a collection, unless it is there; return its row of the manifest."""
    file = row_path(folder, index)
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    # oneDNN keeps the code compiled for every image size it meets: megabytes a radiograph, since no two are of one size.
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    rows = [_make(index, folder, plan)]
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(rows), encoding="utf-8")
    return rows


def _radiograph_id(index: int) -> str:
    return f"X{index:06d}"


def _make(index: int, folder: Path, plan: OthersPlan) -> dict[str, Any]:
    rng = np.random.default_rng([plan.seed, index])
    weights = np.array([EXTERNAL_WEIGHT if site.external else 1.0 for site in plan.sites])
    site = plan.sites[rng.choice(len(weights), p=weights / weights.sum())]
    date = site.habits.draw_date(rng)
    split = plan.split or split_of(site, date, rng)
    person = draw_person(rng, site.population)
    kind = plan.kinds[index % len(plan.kinds)]
    taken = KINDS[kind](rng, site, plan.spacing_mm)

    name = _radiograph_id(index)
    study = Study(name, site.name, date, f"others-{plan.seed}-{index}-{plan.spacing_mm}")
    acquisition = replace(taken.view.acquisition(taken.thickness), silent=True)
    write_radiograph(folder / "images" / f"{name}.dcm", taken.rendering, taken.view.style, acquisition, person, study)
    return {
        "image": f"images/{name}.dcm",
        "patient_id": name,
        "study_date": date.isoformat(),
        "site": site.name,
        "split": split,
        "age_years": int(person.age),
        "sex": person.sex,
        "weight_kg": round(person.weight, 1),
        "height_cm": round(person.height),
        "kind": kind,
        "style": taken.view.style.name,
    }
