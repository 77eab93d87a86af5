"""The page that says what each column means is that of the quantities and tables as they are."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import scripts
from fake_screening import item_of
from scripts.clinical import QUANTITIES, Quantity, Source
from scripts.results.dictionary import make_dictionary

PAGE = Path(scripts.__file__).parents[1] / "docs" / "results.md"


def test_the_page_is_current():
    assert PAGE.read_text() == make_dictionary(QUANTITIES), "run `make dictionary`"


def test_every_column_of_both_tables_stands_on_it_once_with_a_meaning(screening):
    out = screening([item_of(screening.folder, "hip.dcm"), item_of(screening.folder, "chest.dcm")])
    page = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.read_text().splitlines() if line.startswith("|")]
    for table in ("results.csv", "rejected.csv"):
        with (out / table).open(newline="") as file:
            columns = next(csv.reader(file))
        assert len(columns) == len(set(columns))
        for column in columns:
            rows = [row for row in page if row[0] == f"`{column}`"]
            assert rows and all(row[-1] for row in rows), column
    with (out / "columns.csv").open(newline="") as file:
        meanings = {row["column"]: (row["unit"], row["meaning"]) for row in csv.DictReader(file)}
    found = {row[0].strip("`"): (row[1], row[3]) for row in page if len(row) == 4}
    assert meanings.items() <= found.items()


@pytest.mark.parametrize(
    ("quantity", "row"),
    [
        (Quantity("fat", "%", "share of fat", bounds=(0.0, None)), "| `fat` | % | 0 or more | share of fat |"),
        (Quantity("angle", "degrees", "of the neck", bounds=(None, 90.0)), "| `angle` | degrees | to 90 | of the neck |"),
        (
            Quantity("torsion_free", "", "so", source=Source.MEASURED, decimals=None, group="torsion"),
            "| `hips.torsion.free` |  |  | so |",
        ),
    ],
)
def test_a_new_quantity_stands_on_it(quantity, row):
    assert row in make_dictionary((*QUANTITIES, quantity)).splitlines()


def test_a_changed_meaning_makes_the_page_old():
    changed = (replace(QUANTITIES[0], meaning="another"), *QUANTITIES[1:])
    assert make_dictionary(changed) != PAGE.read_text()
