"""Labelled sheets of what the simulator can do: vendor styles, diseases, implants, belongings, and what must be refused."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from scripts.clinical.anatomy import HIP
from scripts.files import replacing
from scripts.simulation.anatomy.disease import DEFORMITIES, FRACTURES, Disease
from scripts.simulation.hardware.foreign_objects import BELONGINGS, ForeignObject
from scripts.simulation.hardware.implants import Implant
from scripts.simulation.imaging import take_radiograph
from scripts.simulation.others.kinds import KINDS
from scripts.simulation.phantom import draw_phantom
from scripts.simulation.physics.processing import FOR_PROCESSING, STYLES, Rendering
from scripts.simulation.population import draw_person
from scripts.simulation.sites import Site, load_sites
from scripts.simulation.view import View, draw_view

_SPACING_MM = 0.3
_SHOWN_EVERY = 2  # pixels


@dataclass(frozen=True)
class Tile:
    """One radiograph to make: its ``title``, vendor style, total-hip aBMD in g/cm² (drawn when None), disease and implant of the
    right and the left hip, and what lies on the patient; or its ``other`` kind, for which none of these counts."""

    title: str
    style: str = "A"
    density: float | None = None
    diseases: tuple[Disease, Disease] = (Disease(), Disease())
    implants: tuple[Implant, Implant] = (Implant.NONE, Implant.NONE)
    belonging: Callable[[np.random.Generator], list[ForeignObject]] | None = None
    other: str = ""


def sheets() -> dict[str, list[Tile]]:
    """Return what to simulate, by the name of the sheet."""
    return {
        "styles": [Tile(f"vendor style {name}", style=name) for name in STYLES]
        + [Tile(f"for processing, {name}", style=name) for name in FOR_PROCESSING],
        "diseases": [
            Tile("total hip 1.05 g/cm²", density=1.05),
            Tile("total hip 0.60 g/cm²", density=0.60),
            Tile("osteoarthritis, mild and severe", "C", diseases=(Disease(0.45), Disease(0.95))),
            Tile("enthesophytes", "C", diseases=(Disease(0.1, 0.9), Disease(0.2, 0.9))),
        ],
        "fractures": [
            Tile(
                kind.value.replace("_", " "),
                density=0.72,
                diseases=(Disease(fracture=kind, displacement=0.3), Disease(fracture=kind, displacement=0.9)),
            )
            for kind in FRACTURES
        ],
        "deformities": [
            Tile(
                kind.value.replace("_", " "),
                density=0.80,
                diseases=(Disease(deformity=kind, grade=0.3), Disease(deformity=kind, grade=0.9)),
            )
            for kind in DEFORMITIES
        ],
        "implants": [
            Tile(kind.value.replace("_", " "), implants=(kind, Implant.NONE))
            for kind in Implant
            for _ in range(3 if kind.is_joint else 2)
            if kind is not Implant.NONE
        ],
        "belongings": [Tile(name, belonging=draw) for name, (_, draw) in BELONGINGS.items()],
        "others": [Tile(kind.replace("_", " "), other=kind) for kind in KINDS],
    }


def write_gallery(output_dir: str, seed: int = 0, sites_file: str | None = None) -> list[Path]:
    """Simulate the radiographs of the gallery and write a sheet (JPEG) for each kind.

    Args:
        output_dir: folder to write to.
        seed: of the patients.
        sites_file: sites to use instead of the bundle's own; the first of them takes the radiographs.

    Raises:
        ValueError: no ``output_dir`` is given, or the sites cannot be read.
    """
    if not output_dir:
        raise ValueError("No output_dir given: name the folder to write the sheets to. Nothing was written.")
    sites = load_sites() if sites_file is None else load_sites(sites_file)
    site = _usual(next(iter(sites.values())))
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # many small operations: threads would only wait for one another
    every = sheets()
    written = []
    with tqdm(total=sum(map(len, every.values())), desc="radiographs") as progress:
        for name, tiles in every.items():
            path = folder / f"gallery_{name}.jpg"
            # The same patient in every style; otherwise another one in each radiograph.
            patients = itertools.repeat(0) if name == "styles" else itertools.count(1)
            _draw(path, f"Simulated radiographs: {name}", _simulate(tiles, patients, site, seed, progress))
            written.append(path)
    print(f"{len(written)} sheets in {folder.resolve()}: {', '.join(path.name for path in written)}")
    return written


def _usual(site: Site) -> Site:
    """The site, but with both hips from the front on every radiograph, so that each shows what it is there for."""
    return replace(site, habits=replace(site.habits, one_hip=0.0, frog_leg=0.0))


def _simulate(tiles: list[Tile], patients: Iterator[int], site: Site, seed: int, bar: tqdm) -> Iterator[tuple[str, np.ndarray]]:
    for tile, patient in zip(tiles, patients, strict=False):
        yield tile.title, _simulate_tile(tile, patient, site, seed)
        bar.update()


def _simulate_tile(tile: Tile, patient: int, site: Site, seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, patient])
    if tile.other:
        return _shown(KINDS[tile.other](rng, site, _SPACING_MM).rendering)
    person = draw_person(rng, site.population)
    if tile.density is not None:
        person = replace(person, total_hip=tile.density, femoral_neck=0.84 * tile.density)
    diseases = dict(zip(HIP.sides, tile.diseases, strict=True))
    phantom = draw_phantom(person, rng, dict(zip(HIP.sides, tile.implants, strict=True)), diseases)
    phantom = replace(phantom, objects=tuple(tile.belonging(rng)) if tile.belonging else ())
    view: View = draw_view(rng, site, _SPACING_MM, tile.style)
    return _shown(take_radiograph(phantom, view, seed).rendering)


def _shown(rendering: Rendering) -> np.ndarray:
    return np.asarray(torch.nn.functional.avg_pool2d(rendering.displayed()[None], _SHOWN_EVERY)[0])


def _draw(path: Path, title: str, images: Iterator[tuple[str, np.ndarray]]) -> None:
    tiles = list(images)
    columns, width = (3, 4.2) if len(tiles) <= 6 else (4, 4.2) if len(tiles) <= 20 else (7, 2.1)
    rows = math.ceil(len(tiles) / columns)
    figure = Figure(figsize=(width * columns, 0.88 * width * rows + 0.5), layout="constrained", facecolor="black")
    figure.suptitle(title, color="white")
    for axes in np.atleast_1d(figure.subplots(rows, columns)).flat:
        axes.set_axis_off()
    for axes, (name, image) in zip(figure.axes, tiles, strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
        axes.set_title(name, fontsize=10, color="white")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=90, format="jpeg")
