"""What FRAX can be given stands in every result, with what FRAX expects of it."""

import csv
import json

import pytest
from fake_preprocessing import LoadFake
from fake_screening import IMPLANTED, RIGHT, FakeCascade, FakeReader, channels_of, fake_screen, item_of

LEFT = {**RIGHT, "neck_bmd": 0.618}


class LoadOf(LoadFake):
    """A patient of one age, years."""

    def __init__(self, age_years):
        self.age_years = age_years

    def __call__(self, item):
        read = super().__call__(item)
        read["covariates"][0] = self.age_years
        return read


def results_of(screening, age_years, *hips):
    screen = fake_screen(FakeCascade(channels_of(*hips)), FakeReader(LoadOf(age_years)))
    out = screening.run([item_of(screening.folder, "hip.dcm")], screen)
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (study,) = json.loads((out / "results.json").read_text())["studies"]
    return rows, study["outcome"]["frax"], (out / "index.html").read_text()


def test_it_is_told_in_table_document_and_page(screening):
    rows, frax, page = results_of(screening, 71.0, IMPLANTED, LEFT)
    assert {row["patient_frax_neck_t_score"] for row in rows} == {"-2.00"}
    assert {row["patient_frax_neck_side"] for row in rows} == {"left"}
    assert (frax["side"], frax["neck_t_score"]) == ("left", pytest.approx(-2.0, abs=1e-5))
    assert frax["expects"].startswith("FRAX takes the T-score of the femoral neck by DXA")
    assert "For FRAX: T-score of the left femoral neck <b>-2.00</b>" in page and "for which FRAX was not made" in page


def test_at_an_age_that_frax_does_not_take_there_is_none(screening):
    rows, frax, page = results_of(screening, 39.0, RIGHT, LEFT)
    assert frax is None and {row["patient_frax_neck_t_score"] + row["patient_frax_neck_side"] for row in rows} == {""}
    assert "FRAX" not in page
