"""A new quantity is one row of the table and what produces its value: document, schema, tables and dictionary follow."""

import csv
import json
from dataclasses import replace

import pytest
from fake_screening import ABSENT, RIGHT, FakeCascade, channels_of, fake_screen, item_of
from jsonschema import Draft202012Validator
from scripts.clinical import CHANNELS, QUANTITIES, Channels, Quantity, Source

ANTEVERSION = Quantity("anteversion_deg", "degrees", "turn of the neck", source=Source.MEASURED, decimals=1, group="torsion")
MARROW_FAT = Quantity("marrow_fat_fraction", "", "share of fat in the marrow", decimals=2, bounds=(0.0, 1.0))


class MeasureAnteversiond:
    """Measures the hips that were not refused."""

    def __call__(self, data):
        screening = data["screening"]
        hips = tuple(
            hip if hip.reason else replace(hip, values={**hip.values, ANTEVERSION.name: 14.53}) for hip in screening.hips
        )
        return {**data, "screening": replace(screening, hips=hips)}


@pytest.fixture
def items(screening):
    return [item_of(screening.folder, "hip.dcm"), item_of(screening.folder, "broken.dcm")]


def told(out, quantity):
    """A quantity of both hips in results.json and in results.csv, and its row of columns.csv."""
    document, schema = (json.loads((out / name).read_text()) for name in ("results.json", "results.schema.json"))
    Draft202012Validator(schema).validate(document)
    hips = document["radiographs"][0]["hips"]
    rows, columns = (list(csv.DictReader((out / name).open(newline=""))) for name in ("results.csv", "columns.csv"))
    assert [column["column"] for column in columns] == list(rows[0]), "every column, in order"
    (row,) = (column for column in columns if column["column"] == quantity.name)
    assert (row["unit"], row["meaning"]) == (quantity.unit, quantity.meaning)
    return hips, [row[quantity.name] for row in rows], schema["$defs"]["hip"]["properties"]


def test_one_that_is_measured_needs_its_row_and_the_transform_that_measures_it(screening, items, monkeypatch):
    monkeypatch.setattr("scripts.clinical.findings.QUANTITIES", (*QUANTITIES, ANTEVERSION))
    cascade = FakeCascade(channels_of(RIGHT, ABSENT))
    out = screening.run(items, fake_screen(cascade, screening.reader, CHANNELS, MeasureAnteversiond()))
    hips, cells, properties = told(out, ANTEVERSION)
    assert [hip["torsion"] for hip in hips] == [{"anteversion_deg": 14.53}, None]
    assert cells == ["14.5", ""]
    assert properties["torsion"]["properties"]["anteversion_deg"]["description"] == "turn of the neck, degrees"


def test_one_of_a_network_needs_its_row_and_the_channels_of_the_cascade(screening, items):
    channels = Channels((*CHANNELS.quantities, MARROW_FAT))
    seen = channels_of({**RIGHT, MARROW_FAT.name: 0.456}, ABSENT, channels=channels)
    assert seen.shape == (len(CHANNELS.names) + 2,)
    out = screening.run(items, fake_screen(FakeCascade(seen), screening.reader, channels))
    hips, cells, properties = told(out, MARROW_FAT)
    assert [hip["marrow_fat_fraction"] for hip in hips] == [pytest.approx(0.456), 0.0]
    assert cells == ["0.46", "0.00"]
    assert properties["marrow_fat_fraction"]["maximum"] == 1.0


def test_one_of_a_group_that_is_not_found_on_a_hip_is_null_beside_the_others(screening, items, monkeypatch):
    rim = replace(ANTEVERSION, name="exposure_rim", group="exposure")
    monkeypatch.setattr("scripts.clinical.findings.QUANTITIES", (*QUANTITIES, rim))
    hips, cells, _ = told(screening(items), rim)
    assert [hip["exposure"] and hip["exposure"]["rim"] for hip in hips] == [None, None] and cells == ["", ""]
    assert hips[0]["exposure"]["noise"] >= 0
