"""A cohort on disk: complete, the same for a seed, resumable, valid DICOM, split by site and date, and described."""

import csv
import datetime
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
import scripts
import torch
from PIL import Image
from quick_start import run_module
from scripts.clinical import load_reference
from scripts.dataset.listing import list_radiographs
from scripts.dataset.truth import GROSS
from scripts.simulation import patient
from scripts.simulation.anatomy.true_morphometry import MORPHOMETRY
from scripts.simulation.cohort import simulate_cohort
from scripts.simulation.data_card import write_data_card
from scripts.simulation.hardware.implants import Implant, draw_fitting
from scripts.simulation.imaging import Shot
from scripts.simulation.phantom import draw_phantom
from scripts.simulation.physics.processing import Rendering
from scripts.simulation.population import draw_person
from scripts.simulation.sites import SITES_FILE, load_sites

PATIENTS = 3
MANY = 120
SETTINGS = {"seed": 5, "spacing_mm": 0.6}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    simulate_cohort(str(folder), patients=PATIENTS, workers=2, **SETTINGS)
    return folder


@pytest.fixture(scope="module")
def phantoms():
    """Some bodies, to be shared by many people where only the manifest matters."""
    rng = np.random.default_rng(3)
    return [draw_phantom(draw_person(rng), rng) for _ in range(6)]


def make_quick(monkeypatch, phantoms):
    """Everything as it is but anatomy, its measures and projection: a body of the few, and always the same radiograph."""

    def body(person, rng, *_, **__):
        return replace(phantoms[rng.integers(len(phantoms))], person=person)

    rendering = Rendering(torch.linspace(0, 1, 120 * 100).reshape(120, 100))
    shot = Shot(rendering, np.ones((120, 100), np.uint8), {"right": None, "left": None}, np.zeros((120, 100), bool))
    monkeypatch.setattr(patient, "draw_phantom", body)
    monkeypatch.setattr(patient, "trace", lambda *_: SimpleNamespace(exposed=lambda *_: shot))
    monkeypatch.setattr(patient, "measure_true_morphometry", lambda _: dict.fromkeys(MORPHOMETRY, 1.0))


@pytest.fixture
def quick(monkeypatch, phantoms):
    make_quick(monkeypatch, phantoms)


@pytest.fixture(scope="module")
def many(phantoms, tmp_path_factory):
    """A cohort of which the manifest matters."""
    folder = tmp_path_factory.mktemp("many")
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_quick(monkeypatch, phantoms)
        simulate_cohort(str(folder), patients=MANY, workers=1, **SETTINGS)
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_every_row_points_at_a_radiograph_with_its_mask_and_landmarks(cohort):
    assert len(rows(cohort)) == PATIENTS
    for row in rows(cohort):
        header = pydicom.dcmread(cohort / row["image"])
        mask = np.asarray(Image.open(cohort / row["label"]))
        landmarks = json.loads((cohort / row["landmarks"]).read_text())
        assert mask.shape == (header.Rows, header.Columns)
        assert (mask == 1).mean() > 0.01
        assert set(landmarks) == {"right", "left"}
        assert header.PatientSex == row["sex"]
        for hip in landmarks.values():
            if hip and hip["head_centre"] and hip["lesser_trochanter"]:
                assert hip["head_centre"][0] < hip["lesser_trochanter"][0]


def test_the_listing_finds_the_radiographs_and_nothing_else(cohort):
    assert [Path(item["image"]).stem for item in list_radiographs(cohort)] == [row["patient_id"] for row in rows(cohort)]


def test_right_hip_is_on_the_left_of_the_radiograph(cohort):
    for row in rows(cohort):
        landmarks = json.loads((cohort / row["landmarks"]).read_text())
        if landmarks["right"] and landmarks["left"]:
            heads = [landmarks[side]["head_centre"] for side in ("right", "left")]
            if all(heads):
                assert heads[0][1] < heads[1][1]


def test_a_patient_is_the_same_whatever_the_workers_and_the_order(cohort, tmp_path):
    simulate_cohort(str(tmp_path), patients=2, workers=1, **SETTINGS)
    for row in rows(tmp_path):
        assert (tmp_path / row["image"]).read_bytes() == (cohort / row["image"]).read_bytes()


def test_a_second_call_finishes_what_the_first_began(cohort, tmp_path):
    resumed = tmp_path / "resumed"
    shutil.copytree(cohort, resumed)
    untouched = (resumed / "images/P000000.dcm").stat().st_mtime_ns
    for lost in ("images/P000002.dcm", "rows/P000002.json", "manifest.csv", "data_card.md"):
        (resumed / lost).unlink()
    simulate_cohort(str(resumed), patients=PATIENTS, workers=1, **SETTINGS)
    assert (resumed / "images/P000000.dcm").stat().st_mtime_ns == untouched
    assert (resumed / "images/P000002.dcm").read_bytes() == (cohort / "images/P000002.dcm").read_bytes()
    assert (resumed / "manifest.csv").read_text() == (cohort / "manifest.csv").read_text()
    assert (resumed / "data_card.md").read_text() == (cohort / "data_card.md").read_text()


def test_states_are_the_same_radiograph_with_other_mineral_and_another_exposure(tmp_path, cohort):
    simulate_cohort(str(tmp_path), patients=2, workers=2, states=2, **SETTINGS)
    found = rows(tmp_path)
    assert [Path(row["image"]).stem for row in found[:3]] == ["P000000", "P000000_state1", "P000000_state2"]
    assert (tmp_path / found[0]["image"]).read_bytes() == (cohort / found[0]["image"]).read_bytes()
    for row in found:
        first = found[0] if row["patient_id"] == found[0]["patient_id"] else found[3]
        assert (row["label"], row["landmarks"], row["region_label"]) == (
            first["label"],
            first["landmarks"],
            first["region_label"],
        )
        factors = {name: float(row[f"{name}_factor"]) for name in ("cortex", "spongy", "pelvis")}
        assert (set(factors.values()) == {1.0}) == (row is first)
        maps, before = (np.asarray(Image.open(tmp_path / each["mineral_label"])).astype(float) for each in (row, first))
        shape = np.asarray(Image.open(tmp_path / row["label"])).shape
        assert maps.shape == (*shape, 3)
        for channel, factor in enumerate(factors.values()):
            bright = (before[..., channel] > 40) & (before[..., channel] < 150)
            if bright.any():
                assert (maps[..., channel][bright] / before[..., channel][bright]).mean() == pytest.approx(factor, rel=0.01)
        for side in ("right", "left"):
            if first[f"{side}_total_bmd_exact"]:
                ratio = float(row[f"{side}_total_bmd_exact"]) / float(first[f"{side}_total_bmd_exact"])
                low, high = sorted((factors["cortex"], factors["spongy"]))
                assert low - 1e-3 <= ratio <= high + 1e-3
                scanned = float(row[f"{side}_total_bmd"]) / float(first[f"{side}_total_bmd"])
                assert scanned == pytest.approx(ratio, rel=1e-3)  # one scanner's error for all states


def test_where_a_femur_is_seen_to_be_broken_is_drawn(tmp_path):
    simulate_cohort(str(tmp_path), patients=6, seed=2, workers=1, spacing_mm=1.0, faulty=True)
    drawn = [row for row in rows(tmp_path) if row["fracture_label"]]
    seen = [
        row for row in rows(tmp_path) if any(float(row[f"{side}_fracture_displacement_mm"]) >= 1 for side in ("right", "left"))
    ]
    assert drawn and {row["image"] for row in drawn} <= {row["image"] for row in seen}
    for row in drawn:
        zone, femur = (np.asarray(Image.open(tmp_path / row[key])) for key in ("fracture_label", "label"))
        assert zone.shape == femur.shape and set(np.unique(zone)) == {0, 1}
        assert (femur[zone == 1] == 1).mean() > 0.6


def test_external_sites_stand_apart_and_the_test_is_of_the_latest_studies(many):
    found = rows(many)
    sites = load_sites(SITES_FILE)
    weights = {name: 0.5 if site.external else 1.0 for name, site in sites.items()}
    for name, site in sites.items():
        own = [row for row in found if row["site"] == name]
        share = weights[name] / sum(weights.values())
        assert abs(len(own) / MANY - share) < 4 * (share * (1 - share) / MANY) ** 0.5
        assert all(str(site.habits.dates[0]) <= row["study_date"] <= str(site.habits.dates[1]) for row in own)
        assert {row["split"] for row in own} <= ({"external"} if site.external else {"train", "validation", "test"})
        earlier = [row["study_date"] for row in own if row["split"] in ("train", "validation")]
        later = [row["study_date"] for row in own if row["split"] == "test"]
        if earlier and later:
            assert max(earlier) < min(later)
    inside = [row["split"] for row in found if row["split"] != "external"]
    assert inside.count("train") > 0.6 * len(inside)
    assert inside.count("test") > 0.07 * len(inside) and inside.count("validation") > 0.03 * len(inside)


def test_the_manifest_tells_what_dxa_reads_and_what_is_true(many):
    reference = load_reference()
    errors = {"neck": [], "total": []}
    for row in rows(many):
        scores = [reference.t_score(float(row["lumbar_bmd_exact"]), "lumbar")]
        for side in ("right", "left"):
            mild = row[f"{side}_deformity"] == "none" or float(row[f"{side}_deformity_grade"]) < GROSS
            scanned = row[f"{side}_implant"] == "none" and row[f"{side}_fracture"] == "none" and mild
            for site, differences in errors.items():
                read, exact = row[f"{side}_{site}_bmd"], row[f"{side}_{site}_bmd_exact"]
                assert bool(read) == bool(exact) == scanned
                if scanned:
                    differences.append(float(read) / float(exact) - 1)
                    scores.append(reference.t_score(float(exact), site))
        assert float(row["lowest_t"]) == pytest.approx(min(scores), abs=2e-3)
    assert 0.0100 < np.std(errors["neck"]) < 0.0240
    assert 0.0040 < np.std(errors["total"]) < 0.0095


def test_all_patients_of_an_operated_cohort_carry_metal(quick, monkeypatch, tmp_path):
    body = patient.draw_phantom

    def operated(person, rng, implants, *_):
        return replace(body(person, rng), fittings={side: draw_fitting(kind, rng) for side, kind in implants.items()})

    monkeypatch.setattr(patient, "draw_phantom", operated)
    simulate_cohort(str(tmp_path), patients=40, workers=1, operated=True, **SETTINGS)
    carried = [{side: row[f"{side}_implant"] for side in ("right", "left")} for row in rows(tmp_path)]
    assert all(set(hips.values()) != {"none"} for hips in carried)
    assert {kind for hips in carried for kind in hips.values()} == {kind.value for kind in Implant}
    assert all(sum(hips[side] == "none" for hips in carried) > 10 for side in ("right", "left"))


def test_the_manifest_tells_what_is_broken_or_deformed_and_by_how_much(tmp_path):
    simulate_cohort(str(tmp_path), patients=5, workers=1, faulty=True, seed=1, spacing_mm=0.8)
    hips = [
        {
            name: row[f"{side}_{name}"]
            for name in ("fracture", "fracture_displacement_mm", "deformity", "deformity_grade", "neck_bmd")
        }
        for row in rows(tmp_path)
        for side in ("right", "left")
    ]
    broken = [hip for hip in hips if hip["fracture"] != "none"]
    assert broken and all(float(hip["fracture_displacement_mm"]) > 0 and not hip["neck_bmd"] for hip in broken)
    assert all(float(hip["fracture_displacement_mm"]) == 0 for hip in hips if hip["fracture"] == "none")
    assert all((hip["deformity"] != "none") == (float(hip["deformity_grade"]) > 0) for hip in hips)


def test_repeats_are_new_radiographs_of_the_same_hips_within_a_week(tmp_path):
    simulate_cohort(str(tmp_path), patients=1, repeats=3, workers=1, seed=5, spacing_mm=0.8)
    found = rows(tmp_path)
    assert [row["image"] for row in found] == [f"images/P000000_{number}.dcm" for number in (1, 2, 3)]
    assert [row["repeat"] for row in found] == ["1", "2", "3"]
    for same in ("patient_id", "split", "site", "right_neck_bmd_exact", "left_total_bmd", "lowest_t"):
        assert len({row[same] for row in found}) == 1
    dates = [datetime.date.fromisoformat(row["study_date"]) for row in found]
    assert (max(dates) - min(dates)).days < 7
    headers = [pydicom.dcmread(tmp_path / row["image"]) for row in found]
    assert len({header.SOPInstanceUID for header in headers}) == len({header.PixelData for header in headers}) == 3
    assert len({(tmp_path / row["landmarks"]).read_text() for row in found}) == 3


def test_one_site_at_its_own_pixel_size(quick, tmp_path):
    name, site = list(load_sites(SITES_FILE).items())[-1]
    simulate_cohort(str(tmp_path), patients=2, sites=[name], spacing_mm=None, split="test", workers=1)
    for row in rows(tmp_path):
        assert (row["site"], row["split"]) == (name, "test")
        header = pydicom.dcmread(tmp_path / row["image"], stop_before_pixels=True)
        spacing = float(header.ImagerPixelSpacing[0])
        assert any(spacing == pytest.approx(own, abs=1e-4) for own in site.habits.detector_spacing)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patients": 0}, "patients is 0"),
        ({"patients": -3}, "patients is -3"),
        ({"patients": "many"}, "patients is 'many'"),
        ({"patients": 1, "spacing_mm": 0.0}, "spacing_mm is 0.0"),
        ({"patients": 1, "spacing_mm": "fine"}, "spacing_mm is 'fine'"),
        ({"patients": 1, "split": "holdout"}, "split is 'holdout'"),
        ({"patients": 1, "seed": -1}, "seed is -1"),
        ({"patients": 1, "workers": 0}, "workers is 0"),
        ({"patients": 1, "repeats": 1}, "repeats is 1; expected 0, or 2 to 20"),
        ({"patients": 1, "faulty": "true"}, "faulty is 'true'; expected True or False"),
        ({"patients": 1, "operated": 1}, "operated is 1; expected True or False"),
        ({"patients": 1, "states": 21}, "states is 21; expected 0 to 20"),
        ({"patients": 1, "states": -1}, "states is -1"),
        ({"patients": 1, "sites": ["nowhere"]}, "sites: 'nowhere' is not in sites.json; expected some of simulated-1, "),
        ({"patients": 1, "sites": "simulated-1"}, "sites is 'simulated-1'; expected a list"),
        ({"patients": 1, "sites_file": "absent.json"}, "sites_file absent.json: there is no such file"),
    ],
)
def test_bad_arguments_are_named_and_nothing_is_written(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate_cohort(str(tmp_path / "new"), **arguments)
    assert not (tmp_path / "new").exists()


def test_a_range_upside_down_is_named_and_nothing_is_written(tmp_path):
    content = json.loads(SITES_FILE.read_text())
    content["simulated-2"]["exposure"]["kvp"].reverse()
    file = tmp_path / "own.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"own\.json: site simulated-2: exposure\.kvp is \[85, 73\]"):
        simulate_cohort(str(tmp_path / "new"), patients=1, sites_file=str(file))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"seed": 6}, "made with seed = 5, not 6"), ({"repeats": 2}, "repeats = 0, not 2"), ({"patients": 2}, "holds more already")],
)
def test_a_folder_of_another_cohort_is_left_alone(cohort, changed, message):
    with pytest.raises(ValueError, match=message):
        simulate_cohort(str(cohort), **{"patients": PATIENTS, **SETTINGS, **changed})


def test_a_full_disk_is_said_so_and_what_was_made_is_kept(quick, monkeypatch, tmp_path):
    write = patient.write_radiograph

    def full(path, *rest):
        if path.stem >= "P000002":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, *rest)

    monkeypatch.setattr(patient, "write_radiograph", full)
    with pytest.raises(OSError, match=r"the disk is full\): 2 of 4 patients are complete and kept\. .* the same command goes on"):
        simulate_cohort(str(tmp_path), patients=4, workers=1, **SETTINGS)
    assert not (tmp_path / "manifest.csv").exists()
    monkeypatch.setattr(patient, "write_radiograph", write)
    simulate_cohort(str(tmp_path), patients=4, workers=1, **SETTINGS)
    assert len(rows(tmp_path)) == 4


def test_a_killed_worker_is_said_so(quick, monkeypatch, tmp_path):
    monkeypatch.setattr(patient, "write_radiograph", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(OSError, match=r"A worker was killed.*0 of 2 patients.*fewer --workers"):
        simulate_cohort(str(tmp_path), patients=2, workers=1, **SETTINGS)


def convolve_many_sizes(index: int, *_) -> list[dict[str, object]]:
    for more in range(8):
        torch.conv2d(torch.ones(1, 1, 300 + index, 400 + more), torch.ones(1, 1, 1, 9 + more))
    return []


def resident_bytes(*_) -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells a process's memory this way")
def test_a_workers_memory_does_not_grow_with_its_patients(monkeypatch, tmp_path):
    monkeypatch.setattr(patient, "_make", convolve_many_sizes)
    make = partial(patient.simulate_patient, folder=tmp_path, plan=None)
    with ProcessPoolExecutor(1) as pool:
        list(pool.map(make, range(20)))
        before = pool.submit(resident_bytes).result()
        list(pool.map(make, range(20, 80)))
        after = pool.submit(resident_bytes).result()
    assert after - before < 20e6  # 60 patients; it is 80 MB where compiled code is kept for every size


def test_the_data_card_tells_what_is_in_the_folder_and_can_be_made_again(many):
    found = rows(many)
    card = (many / "data_card.md").read_text()
    assert "**Simulated.**" in card and "How the truth is defined" in card and "nan" not in card
    table = {line.split(" | ")[0].strip("| "): line for line in card.splitlines() if line.startswith("|")}
    for site in {row["site"] for row in found}:
        assert site in card
    women = sum(row["sex"] == "F" for row in found) / len(found)
    by_site = card.split("## By split")[0]
    assert f"| Women | {women:.0%} |" in by_site
    assert f"| Patients / radiographs | {MANY} / {MANY} |" in by_site
    old = [float(row["lowest_t"]) for row in found if int(row["age_years"]) >= 50]
    share = sum(score <= -2.5 for score in old) / len(old)
    assert f"| Osteoporosis by lowest T-score | {share:.1%} |" in by_site
    assert "0.600 (0.600 to 0.600)" in table["Pixel at the detector, mm"]
    for picture in ("contact_sheet.png", "distributions.png", "bmd_by_age.png"):
        assert f"({picture})" in card
        assert Image.open(many / picture).size[0] > 500
    (many / "data_card.md").unlink()
    write_data_card(many)
    assert (many / "data_card.md").read_text() == card


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian's dicom3tools) is not installed")
def test_the_strictest_validator_finds_no_error(cohort):
    for row in rows(cohort):
        report = subprocess.run(["dciodvfy", cohort / row["image"]], capture_output=True, text=True, check=False)
        assert not [line for line in report.stderr.splitlines() if line.startswith("Error")]


def command(*options: str) -> list[str]:
    config = Path(scripts.__file__).parents[1] / "configs/simulate.yaml"
    return [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config), *options]


def run_simulate(*options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_module(*command(*options)[2:], cwd=folder)


def test_the_command_makes_a_cohort_from_any_directory(cohort, tmp_path):
    options = ["--output_dir", "made", "--patients", "1", "--seed", "5", "--spacing_mm", "0.6", "--workers", "1"]
    ended = run_simulate(*options, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "1 simulated patients, 1 radiographs, in" in ended.stdout
    assert (tmp_path / "made/images/P000000.dcm").read_bytes() == (cohort / "images/P000000.dcm").read_bytes()


def test_the_command_ends_with_one_sentence_on_bad_input(tmp_path):
    ended = run_simulate("--output_dir", "made", "--patients", "0", folder=tmp_path)
    assert ended.returncode == 1
    assert "--patients is '0'; expected a whole number from 1" in ended.stderr and "Traceback" not in ended.stderr
    assert not (tmp_path / "made").exists()


def test_an_interrupted_command_keeps_what_is_done_and_says_how_to_go_on(tmp_path):
    options = ["--output_dir", "made", "--patients", "500", "--seed", "5", "--spacing_mm", "0.6", "--workers", "2"]
    # A group of its own gets the signal as a terminal's foreground group gets Ctrl-C: the workers, too.
    running = subprocess.Popen(command(*options), cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    finished = tmp_path / "made/rows"
    deadline = time.monotonic() + 120
    while not list(finished.glob("P*.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGINT)
    said = running.communicate(timeout=120)[1]
    assert running.returncode == 130
    done = len(list(finished.glob("P*.json")))
    assert f"Interrupted: {done} of 500 patients are complete and kept. The same command goes on from there." in said
    assert "Traceback" not in said
    assert len(list((tmp_path / "made/images").iterdir())) == done
    simulate_cohort(str(tmp_path / "made"), patients=done, **SETTINGS)
    assert len(rows(tmp_path / "made")) == done
