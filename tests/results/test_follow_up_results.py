"""Two dated studies of one patient: what changed stands in table, document and page, and no date on the page."""

import csv
import json

import pytest
from fake_screening import ABSENT, IMPLANTED, RIGHT, FakeCascade, channels_of, fake_screen, item_of
from scripts.clinical import Precision

PRECISION = Precision({"neck": 0.03, "total": 0.02}, {"neck": 40, "total": 40}, "simulated")
LATER = {**RIGHT, "neck_bmd": 0.478, "total_bmd": 0.62}
PATIENT = "a" * 16


def dated(screening, file, date, patient=PATIENT):
    return {**item_of(screening.folder, file), "patient": patient, "date": date}


def results_of(screening, items, *channels, precision=PRECISION):
    screening.precision = precision
    out = screening.run(items, fake_screen(FakeCascade(*channels), screening.reader))
    with (out / "follow_up.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return rows, json.loads((out / "results.json").read_text()), (out / "index.html").read_text()


def test_each_later_study_is_compared_with_the_first_of_the_same_hip(screening):
    items = [
        dated(screening, "late.dcm", "2026-03-01"),
        dated(screening, "first.dcm", "2024-03-01"),
        dated(screening, "other.dcm", "2026-03-01", "b" * 16),
    ]
    hips = (channels_of(LATER, RIGHT), channels_of(RIGHT, IMPLANTED), channels_of(RIGHT, ABSENT))
    rows, document, page = results_of(screening, items, *hips)
    neck, total = rows  # the left hip was not measured at first
    assert (neck["side"], neck["site"], neck["change_g_cm2"], neck["significant"]) == ("right", "neck", "-0.0200", "no")
    assert (total["site"], total["change_g_cm2"], total["significant"]) == ("total", "-0.0800", "yes")
    assert total["least_significant_change_g_cm2"] == "0.0554"
    assert (total["since"], total["until"], total["patient"]) == ("2024-03-01", "2026-03-01", PATIENT)
    follow_up = document["follow_up"]
    assert follow_up["precision"]["data"] == "simulated" and follow_up["precision"]["total"]["rms_sd_g_cm2"] == 0.02
    assert [change["sentence"] for change in follow_up["changes"]] == [row["sentence"] for row in rows]
    assert page.count(total["sentence"]) == 1 and "Right total hip over 2.0 years: -0.080" in page
    assert "2024-03-01" not in page and "2026-03-01" not in page
    assert {study["date"] for study in document["studies"]} == {"2024-03-01", "2026-03-01"}


@pytest.mark.parametrize("dates", [("2024-03-01", ""), ("2024-03-01", "2024-03-01"), ("", "")])
def test_without_two_dates_there_is_no_change(screening, dates):
    items = [dated(screening, f"{index}.dcm", date) for index, date in enumerate(dates)]
    rows, document, _ = results_of(screening, items, channels_of(RIGHT, ABSENT), channels_of(LATER, ABSENT))
    assert rows == document["follow_up"]["changes"] == []


def test_without_a_precision_no_change_is_called_one(screening):
    items = [dated(screening, "a.dcm", "2024-03-01"), dated(screening, "b.dcm", "2026-03-01")]
    rows, document, _ = results_of(screening, items, channels_of(RIGHT, ABSENT), channels_of(LATER, ABSENT), precision=None)
    assert document["follow_up"]["precision"] is None
    assert {row["significant"] + row["least_significant_change_g_cm2"] for row in rows} == {""}
    assert all("cannot be told from error" in row["sentence"] for row in rows)
