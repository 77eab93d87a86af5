"""Radiographs that must be refused: every kind can be read, is the same for a seed, and tells what it is by its picture alone."""

import csv
from pathlib import Path

import numpy as np
import pydicom
import pytest
import scripts
import torch
from quick_start import run_module
from scripts.dataset.manifest import read_manifest
from scripts.radiograph import read_radiograph
from scripts.simulation.others import distortions
from scripts.simulation.others.collection import simulate_others
from scripts.simulation.others.hips import child_pelvis
from scripts.simulation.others.kinds import KINDS
from scripts.simulation.others.shapes import Bone, block, chain, merged
from scripts.simulation.phantom import draw_phantom
from scripts.simulation.physics.projection import ImagePlane, cast
from scripts.simulation.population import draw_person
from scripts.simulation.sites import load_sites

SETTINGS = {"seed": 3, "spacing_mm": 1.0}


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("others")
    rng = np.random.default_rng(3)
    phantom = draw_phantom(draw_person(rng), rng)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(distortions, "draw_phantom", lambda *_: phantom)  # one patient for all radiographs of hips saves time
        simulate_others(str(folder), radiographs=len(KINDS), workers=1, **SETTINGS)
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_there_is_a_radiograph_of_every_kind_and_each_is_read(collection):
    found = rows(collection)
    assert [row["kind"] for row in found] == list(KINDS)
    for row in found:
        image = read_radiograph(collection / row["image"])
        assert float(image.std()) > 0


def test_the_manifest_is_one_that_training_reads_and_it_names_no_mask(collection):
    entries = read_manifest(collection / "manifest.csv")
    assert set(entries) == {collection / row["image"] for row in rows(collection)}
    assert not any("label" in entry or "landmarks" in entry for entry in entries.values())
    assert not (collection / "masks").exists()


def test_no_header_says_what_is_shown(collection):
    said = ("BodyPartExamined", "ViewPosition", "SeriesDescription", "ProtocolName", "AnatomicRegionSequence", "ViewCodeSequence")
    for row in rows(collection):
        header = pydicom.dcmread(collection / row["image"], stop_before_pixels=True)
        assert not any(header.get(keyword) for keyword in said)
        assert header.StudyDescription == "Simulated" and header.ImageLaterality == "U"
        assert int(header.PatientAge[:3]) >= 21
        assert row["kind"] not in str(header)


def test_a_second_call_finishes_what_the_first_began_and_makes_the_same(collection, tmp_path):
    chosen = {**SETTINGS, "kinds": ["hand", "step_wedge"], "workers": 1}
    simulate_others(str(tmp_path), radiographs=2, **chosen)
    before = {path.name: path.read_bytes() for path in (tmp_path / "images").iterdir()}
    kept = (tmp_path / "images/X000000.dcm").stat().st_mtime_ns
    for lost in ("images/X000001.dcm", "rows/X000001.json", "manifest.csv"):
        (tmp_path / lost).unlink()
    simulate_others(str(tmp_path), radiographs=3, **chosen)
    assert (tmp_path / "images/X000000.dcm").stat().st_mtime_ns == kept
    assert all((tmp_path / "images" / name).read_bytes() == content for name, content in before.items())
    assert [row["kind"] for row in rows(tmp_path)] == ["hand", "step_wedge", "hand"]


@pytest.mark.parametrize("kind", ["child_pelvis", "hand"])
def test_a_radiograph_is_the_same_for_a_seed(kind):
    site = load_sites()["simulated-2"]
    first, second = (KINDS[kind](np.random.default_rng(4), site, 2.5).rendering.values for _ in range(2))
    assert bool((first == second).all())


def test_soft_tissue_that_two_limbs_share_counts_once():
    one = block((-50, -20, -100), (50, 20, 100), Bone(0.0, 0.0))
    both = merged([one, one.moved(shift=(5, 0, 0))])
    path = cast(both.solid, ImagePlane(9, 9, 5.0, -20.0, -20.0), both.box()).path
    assert float(path.min()) >= 40 and float(path.max()) < 46


def test_a_moved_piece_is_where_it_was_put():
    piece = chain([(0, 0, 0), (0, 0, 50)], 5.0, Bone()).moved(shift=(10, 0, 0)).moved(mirrored=True)
    inside = torch.tensor([(10.0, 0.0, 25.0), (-10.0, 0.0, 25.0)])
    assert (piece.solid(inside).distance < 0).tolist() == [False, True]


def test_children_are_small():
    sizes = [child_pelvis(np.random.default_rng(seed)).size for seed in range(4)]
    assert max(sizes) < 1.1 and min(sizes) < 0.9


def test_a_wrong_scale_is_in_the_header_only(collection):
    (row,) = (row for row in rows(collection) if row["kind"] == "wrong_scale")
    header = pydicom.dcmread(collection / row["image"], stop_before_pixels=True)
    assert float(header.ImagerPixelSpacing[0]) / SETTINGS["spacing_mm"] in (0.5, 0.66, 1.5, 2.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"radiographs": 0}, "radiographs is 0"),
        ({"radiographs": 1, "kinds": ["cat"]}, "kinds: 'cat' is none of the kinds"),
        ({"radiographs": 1, "kinds": "hand"}, "kinds is 'hand'; expected a list such as"),
        ({"radiographs": 1, "sites": ["nowhere"]}, "'nowhere' is not in sites.json"),
    ],
)
def test_bad_arguments_are_named_and_nothing_is_written(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate_others(str(tmp_path / "new"), **arguments)
    assert not (tmp_path / "new").exists()


def test_a_folder_of_other_kinds_is_left_alone(collection):
    with pytest.raises(ValueError, match="this others was made with kinds = "):
        simulate_others(str(collection), radiographs=len(KINDS), kinds=["hand"], **SETTINGS)


def test_the_command_makes_a_collection(tmp_path):
    config = Path(scripts.__file__).parents[1] / "configs/simulate_others.yaml"
    options = [
        "--output_dir",
        "made",
        "--radiographs",
        "1",
        "--kinds",
        "['empty_exposure']",
        "--spacing_mm",
        "1.0",
        "--workers",
        "1",
    ]
    ended = run_module("monai.bundle", "run", "--config_file", str(config), *options, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "1 simulated radiographs of 1 kinds that must be refused, in" in ended.stdout
    assert [row["kind"] for row in rows(tmp_path / "made")] == ["empty_exposure"]
