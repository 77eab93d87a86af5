"""Estimates on the scale of another maker of DXA stand beside the others, and change none of them."""

import csv
import json

import pytest
from fake_screening import IMPLANTED, RIGHT, FakeCascade, channels_of, fake_screen, item_of
from jsonschema import Draft202012Validator
from scripts.clinical import CHANNELS, convert_bmd, quantities_on_scale
from scripts.screening import AddScaledBmdd


def rows_of(screening, maker):
    cascade = FakeCascade(channels_of(RIGHT, IMPLANTED))
    screen = fake_screen(cascade, screening.reader, CHANNELS, AddScaledBmdd(maker))
    out = screening.run([item_of(screening.folder, "hip.dcm")], screen, *quantities_on_scale(maker).values())
    document, schema = (json.loads((out / name).read_text()) for name in ("results.json", "results.schema.json"))
    Draft202012Validator(schema).validate(document)
    with (out / "results.csv").open(newline="") as table, (out / "columns.csv").open(newline="") as columns:
        units = {row["column"]: row["unit"] for row in csv.DictReader(columns)}
        return list(csv.DictReader(table)), document["radiographs"][0]["hips"], units


@pytest.mark.parametrize("maker", ["lunar", "standardised"])
def test_a_measured_hip_has_them_and_a_refused_one_none(screening, maker):
    (right, left), hips, units = rows_of(screening, maker)
    for site, bmd in (("neck", RIGHT["neck_bmd"]), ("total", RIGHT["total_bmd"])):
        name, expected = f"{site}_bmd_{maker}_g_cm2", convert_bmd(bmd, site, "hologic", maker)
        assert float(right[name]) == pytest.approx(expected, abs=1e-4) and left[name] == ""
        assert hips[0][name] == pytest.approx(expected, abs=1e-6) and hips[1][name] is None
        assert units[name] == "g/cm2"
    assert right["neck_t_score"] == "-3.00", "of the reference's scale, whatever the maker"
    assert float(right["neck_bmd_g_cm2"]) == pytest.approx(RIGHT["neck_bmd"], abs=1e-4)


def test_no_column_tells_of_a_maker_that_nobody_asked_for(screening):
    (right, _), hips, _ = rows_of(screening, "hologic")
    assert not [name for name in (*right, *hips[0]) if "lunar" in name or "hologic" in name or "standardised" in name]
