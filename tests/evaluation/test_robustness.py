"""Changes do to a film what they say, and the measurement sees what they do to contours and landmarks."""

import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scripts
import torch
from monai.data import MetaTensor
from PIL import Image
from quick_start import run_module
from scripts.clinical import Code, RadiographFacts, Reason
from scripts.clinical.anatomy import HIP
from scripts.evaluation.robustness.measure import JOURNAL, Outcome, measure_robustness, summarise_steps
from scripts.evaluation.robustness.perturbations import PERTURBATIONS, LabelledImage, choose_perturbations
from scripts.evaluation.robustness.tables import format_robustness
from scripts.radiograph import REFUSAL, Orientation
from scripts.screening import RadiographFindings, Seen

BUNDLE = Path(scripts.__file__).parents[1]
ROWS, COLS = 120, 200
KINDS = {kind.name: kind for kind in PERTURBATIONS}
COVERING = ("objects", "collimation")
GEOMETRY = ("collimation", "scale", "rotation", "shear")
NOTICE = "Research use only"


@pytest.fixture
def film():
    """Two bright rectangles for femurs, with landmarks in them, on a slope of grey."""
    label = np.zeros((ROWS, COLS), np.uint8)
    label[30:90, 40:60] = label[30:90, 140:160] = 1
    image = (0.2 + 0.3 * np.linspace(0, 1, COLS) + 0.4 * label).astype(np.float32)
    points = np.stack([np.array([[40.0, col], [50.0, col], [45.0, col], [60.0, col], [80.0, col]]) for col in (50.0, 150.0)])
    return LabelledImage(image, label, points)


@pytest.mark.parametrize("kind", PERTURBATIONS, ids=list(KINDS))
def test_a_change_grows_with_its_strength_and_repeats_by_its_seed(film, kind):
    changes = []
    for level in kind.levels:
        changed = kind(film, level, np.random.default_rng(1))
        again = kind(film, level, np.random.default_rng(1))
        np.testing.assert_array_equal(changed.image, again.image)
        assert changed.image.shape == film.image.shape and changed.image.dtype == np.float32
        assert changed.image.min() >= -0.25 and changed.image.max() <= 1.25
        if kind.name not in GEOMETRY:
            np.testing.assert_array_equal(changed.label, film.label)
            np.testing.assert_array_equal(changed.landmarks, film.landmarks)
        different = np.abs(changed.image - film.image)
        changes.append(float((different > 0).mean() if kind.name in COVERING else different.mean()))
    assert changes == sorted(changes) and changes[0] > 0


@pytest.mark.parametrize("name", ["scale", "rotation", "shear"])
def test_mask_and_landmarks_move_with_the_picture(film, name):
    for seed in range(4):  # both ways
        moved = KINDS[name](film, KINDS[name].levels[1], np.random.default_rng(seed))
        index = moved.landmarks[np.isfinite(moved.landmarks).all(axis=2)].round().astype(int)
        assert (moved.label[index[:, 0], index[:, 1]] == 1).all()
        inside = (moved.label == 1) & (moved.image > 0.55)
        assert inside.sum() > 0.95 * (moved.label == 1).sum()


def test_what_a_collimator_hides_is_neither_femur_nor_landmark(film):
    hidden = 0
    for seed in range(8):
        narrow = KINDS["collimation"](film, 0.45, np.random.default_rng(seed))
        seen = np.isfinite(narrow.landmarks).all(axis=2)
        index = narrow.landmarks[seen].astype(int)
        assert (narrow.label[index[:, 0], index[:, 1]] == 1).all()
        assert (narrow.image[narrow.label == 1] > 0.5).all()
        hidden += int((~seen).sum())
    assert hidden


class Threshold:
    """A screen that takes all that is bright for femur, and its two halves for hips; the landmarks are where they were."""

    def __init__(self, film):
        self.film, self.calls = film, 0

    def reader(self, wanted):
        meta = {
            "spacing_mm": (0.3, 0.3),
            "resample_scale": (1.0, 1.0),
            "displayed_shape": (ROWS, COLS),
            "orientation": Orientation(),
        }
        for item in wanted:
            image = MetaTensor(torch.from_numpy(self.film.image)[None], meta=meta)
            refusal = {**item, REFUSAL: Reason(Code.UNREADABLE, "Damaged.")}
            yield refusal if item["name"] == "refused" else {**item, "image": image, "covariates": torch.zeros(4)}

    def see(self, radiograph):
        self.calls += 1
        image = radiograph["image"]
        mask = (image[0] > 0.55).numpy().astype(np.uint8)
        assert mask.shape == image.meta["displayed_shape"]
        halves = (mask[:, : COLS // 2], mask[:, COLS // 2 :])
        hips = tuple(SimpleNamespace(shown=bool(half.sum() > 400)) for half in halves)
        prediction = {"landmarks": torch.from_numpy(self.film.landmarks)}
        seen = Seen(image, radiograph["covariates"], prediction, RadiographFacts(), SimpleNamespace(hips=hips), mask, ())
        return RadiographFindings(radiograph["name"], seen)


@pytest.fixture
def folder(tmp_path, film):
    """Items of three radiographs with masks, the last of which is refused."""
    Image.fromarray(film.label).save(tmp_path / "mask.png")
    points = [dict(zip(HIP.landmarks, hip.tolist(), strict=True)) for hip in film.landmarks]
    (tmp_path / "points.json").write_text(json.dumps({"right": points[0], "left": points[1]}))
    truth = {"site": "simulated-1", "label": str(tmp_path / "mask.png"), "landmarks": str(tmp_path / "points.json")}
    items = [{"image": f"{name}.dcm", "name": name, **truth} for name in ("a", "b", "refused")]
    return SimpleNamespace(items=items, out=tmp_path)


def measured(folder, film, **settings):
    screen = Threshold(film)
    settings = {"changes": ["brightness", "inversion"], **settings}
    steps = measure_robustness(folder.items, screen, str(folder.out), {}, NOTICE, **settings)
    return screen, {(step.perturbation, step.level): step for step in steps}


def test_a_method_that_looks_at_grey_values_alone_falls_off_a_cliff(folder, film, capsys):
    screen, steps = measured(folder, film)
    assert screen.calls == 2 * (1 + 4 + 1)
    assert steps["none", 0.0].femur_dice_mean == 1.0
    assert steps["none", 0.0].landmark_p95_mm == 0.0
    assert steps["brightness", 0.4].femur_dice_mean < 0.9
    assert steps["inversion", 1.0].femur_dice_mean < 0.5
    assert not steps["inversion", 1.0].in_hospitals and steps["brightness", 0.1].in_hospitals
    assert "2 radiographs (simulated), 1 more could not be used, each changed in 5 ways" in capsys.readouterr().out
    with (folder.out / "robustness.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 and float(rows[0]["femur_dice_mean"]) == 1.0
    document = json.loads((folder.out / "robustness.json").read_text())
    assert (document["data"], document["radiographs"]) == ("simulated", 2)
    page = (folder.out / "robustness.md").read_text()
    assert "| brightness | **0.05 of the range, ±** |" in page and "| brightness | 0.4 of the range, ± |" in page
    assert (folder.out / "robustness.png").stat().st_size > 10_000


def test_the_same_call_goes_on_where_it_was_stopped(folder, film):
    _, whole = measured(folder, film)
    journal = folder.out / JOURNAL
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:2]) + lines[2][:20])  # stopped while it wrote the second film
    screen, again = measured(folder, film)
    assert screen.calls == 1 + 4 + 1
    assert again == whole
    with pytest.raises(ValueError, match=r"other settings \(seed\)"):
        measured(folder, film, seed=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"sample": 0}, "sample is 0"), ({"changes": ["blurr"]}, "'blurr'.*such as"), ({"split": "train"}, "in split 'train'")],
)
def test_bad_settings_are_told_before_anything_runs(folder, film, settings, message):
    with pytest.raises(ValueError, match=message):
        measured(folder, film, **settings)
    assert not (folder.out / JOURNAL).exists()


def test_a_cliff_inside_the_range_of_hospitals_is_told():
    kinds = choose_perturbations(["blur"])

    def outcomes(level, dices):
        name = "blur" if level else "none"
        return [Outcome(name, level, dice, (1.0, 2.0), 2, int(dice < 0.5)) for dice in dices]

    levels = {0.0: [0.98] * 20, 0.3: [0.98] * 20, 0.6: [*[0.98] * 19, 0.4], 1.2: [0.9] * 20, 2.4: [math.nan] * 20}
    steps = summarise_steps([one for level, dices in levels.items() for one in outcomes(level, dices)], kinds)
    assert [step.is_cliff(steps[0]) for step in steps] == [False, False, True, True, False]
    assert steps[2].femur_dice_worst == pytest.approx(0.4)  # the worst of twenty
    assert (steps[2].missed, steps[2].hips) == (1, 40)
    page = format_robustness(steps, kinds, {"notice": NOTICE, "data": "simulated", "radiographs": 20})
    assert "| from 0.6 |" in page and "nan" not in page


def run(folder, *options):
    files = str([str(BUNDLE / "configs" / name) for name in ("inference.yaml", "robustness.yaml")])
    return run_module("monai.bundle", "run", "--config_file", files, *options, cwd=folder)


def test_the_command_measures_the_shipped_network(tmp_path):
    options = ("--dataset_dir", str(BUNDLE / "examples"), "--output_dir", "out", "--sample", "1", "--changes", "['inversion']")
    ended = run(tmp_path, *options)
    assert ended.returncode == 0, ended.stderr
    rows = json.loads((tmp_path / "out/robustness.json").read_text())["steps"]
    assert [row["perturbation"] for row in rows] == ["none", "inversion"]
    assert rows[0]["femur_dice_mean"] > 0.9
    assert "1 radiographs (simulated), 0 more could not be used" in ended.stdout


def test_a_misspelt_option_ends_with_a_sentence(tmp_path):
    ended = run(tmp_path, "--dataset_dir", str(BUNDLE / "examples"), "--samples", "1")
    assert ended.returncode == 1
    assert "--samples: the configuration has no setting 'samples'; did you mean --sample?" in ended.stderr
