"""The fixtures of a screening with stand-ins for files and network, of its pages and of a browser."""

import json
from dataclasses import replace

import pytest
from fake_screening import FakeCascade, FakeReader, MainJob, fake_screen, film, item_of, provenance, screening
from pages import FILMS, UNREAD, LoadAged
from real_browser import browser
from scripts.clinical import LowestT, load_uncertainty

__all__ = ["browser", "film", "provenance", "screening"]


@pytest.fixture(scope="module")
def output(tmp_path_factory, provenance):
    job = MainJob(tmp_path_factory.mktemp("page"), provenance)
    studies = {"right.dcm": "one patient", "left.dcm": "one patient"}
    items = [item_of(job.folder, file, studies.get(file, "")) for file in (*FILMS, *UNREAD)]
    screen = fake_screen(FakeCascade(*FILMS.values()), FakeReader(LoadAged()))
    screen.interpretation.uncertainty = replace(load_uncertainty(), lowest_t=LowestT(logit_slope=-0.25), notes=())
    return job.run(items, screen)


@pytest.fixture(scope="module")
def document(output):
    return json.loads((output / "results.json").read_text())
