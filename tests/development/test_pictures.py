"""Pictures and tables of the docs: every one is made by a command, and none with other weights than those that ship."""

import csv
import json
import re
from pathlib import Path

import pytest
import scripts
from scripts.development.figures import TABLES, read_tables
from scripts.development.made import entry, older_than, read_record, replace_table, write_record
from scripts.files import sha256

BUNDLE = Path(scripts.__file__).parents[1]
DOCS = BUNDLE / "docs"
SHIPPED = (BUNDLE / "models" / "model.pt.sha256").read_text().split()[0]
BY_HAND = {"architecture.svg"}


def test_nothing_is_older_than_the_weights():
    assert older_than(SHIPPED) == [], "run these commands"


def test_every_picture_is_the_one_that_was_made():
    of_pictures = {name: made for name, made in read_record().items() if "#" not in name}
    assert of_pictures and {name: made["sha256"] for name, made in of_pictures.items()} == {
        name: sha256(DOCS / name) for name in of_pictures
    }


def test_what_was_made_with_other_weights_is_told_with_its_command(tmp_path):
    write_record({"a.png": {"command": "make pictures", "weights": SHIPPED}}, tmp_path)
    write_record({"b.png": {"command": "make figures", "weights": "0" * 64}}, tmp_path)
    write_record({"c.png": {"command": "make pictures", "weights": None}}, tmp_path)
    assert older_than(SHIPPED, tmp_path) == ["b.png: make figures"]
    assert list(read_record(tmp_path)) == ["a.png", "b.png", "c.png"]
    assert entry("make pictures", weights=True)["weights"] == SHIPPED


def test_every_picture_and_table_stands_in_the_record_and_its_command_in_the_makefile():
    pictures = {path.name for path in DOCS.iterdir() if path.suffix in (".png", ".jpg", ".svg", ".html")}
    tables = {f"{page}#{name}" for page, names in TABLES.items() for name in names}
    tables.add("training.md#hospital")
    assert set(read_record()) == (pictures - BY_HAND) | tables
    makefile = (BUNDLE.parent / "Makefile").read_text()
    for made in read_record().values():
        assert f"\n{made['command'].removeprefix('make ')}:" in makefile


def test_every_picture_that_a_page_shows_is_there_and_none_is_left_over():
    pages = [BUNDLE.parent / "README.md", *DOCS.glob("*.md")]
    shown = {(page.parent / link).resolve() for page in pages for link in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text())}
    assert shown == {path for path in DOCS.iterdir() if path.suffix in (".png", ".jpg", ".svg")}


@pytest.mark.parametrize(("page", "name"), [(page, name) for page, names in TABLES.items() for name in names])
def test_every_table_has_one_place_on_its_page(page, name):
    text = (DOCS / page).read_text()
    changed = replace_table(text, name, ["| new |"])
    begin = text.index(f"<!-- {name}:")
    end = text.index(f"<!-- end of {name} -->")
    assert changed.startswith(text[:begin]) and changed.endswith(text[end:])
    assert "\n\n| new |\n\n<!-- end" in changed[begin:]
    old = text[begin:end].splitlines()[2:]
    assert replace_table(text, name, [line for line in old if line]) == text


def test_a_table_without_its_place_is_told():
    with pytest.raises(ValueError, match="no place, or several, for the table performance"):
        replace_table("# A page\n", "performance", [])


def table(path, *rows):
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_tables_are_read_from_what_the_commands_wrote(tmp_path):
    evaluation = tmp_path / "evaluation"
    evaluation.mkdir()
    (evaluation / "metrics.md").write_text("# Evaluation\n\n| Metric | overall |\n|---|---|\n| Data | simulated |\n\nDice ...\n")
    (evaluation / "strata.md").write_text("# Groups\n\n| By | Group |\n|---|---|\n| all |  |\n")
    morphometry = {
        "neck_width_mm": {"hips": 124, "bias": 0.84, "sd": 1.46, "pearson_r": 0.9501},
        "singh_grade": {"hips": 2, "bias": None, "sd": None, "pearson_r": None},
    }
    (evaluation / "metrics.json").write_text(json.dumps({"overall": {"morphometry": morphometry}}))
    step = {"level": 0.0, "in_hospitals": True, "femur_dice_mean": 0.99, "femur_dice_worst": 0.978}
    table(
        tmp_path / "robustness" / "robustness.csv",
        {"perturbation": "none", **step},
        {"perturbation": "blur", **step, "level": 0.3},
        {"perturbation": "blur", **step, "level": 2.4, "in_hospitals": False, "femur_dice_worst": 0.937},
    )
    share = {"wanted": "accepted", "of": 169, "right": 159, "share": 0.9408, "ci95_low": 0.895, "ci95_high": 0.968}
    table(
        tmp_path / "gate" / "gate.csv",
        {"level": "radiograph", "group": "valid", **share},
        {"level": "radiograph", "group": "chest", **share},
        {"level": "hip", "group": "broken", **share},
    )
    tables = read_tables(tmp_path)
    assert tables["performance"] == ["| Metric | overall |", "|---|---|", "| Data | simulated |"]
    assert tables["groups"][-1] == "| all |  |"
    assert tables["measures"][2:] == ["| neck width, mm | 124 | 0.8 ± 1.5 | 0.95 |"]
    assert tables["robustness"][2:] == [
        "| none | **0.990 (0.978)** |  |  |  |",
        "| blur | 0.3: **0.990 (0.978)** | 2.4: 0.990 (0.937) |  |  |",
    ]
    assert tables["gate"][2:] == [
        "| radiograph | valid | accepted | 159 of 169 (94.1%) | 89.5 to 96.8% |",
        "| hip | broken | accepted | 159 of 169 (94.1%) | 89.5 to 96.8% |",
    ]
