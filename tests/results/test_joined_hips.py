"""A hip that counts for its patient is told everywhere as all radiographs of the study tell it together."""

import copy
import csv

from scripts.clinical import QUANTITIES
from scripts.results import write_report, write_results_table

JOINT, OWN = 0.4321, 0.7654


def test_tables_and_cards_tell_what_the_studys_radiographs_tell_together(document, tmp_path):
    document = copy.deepcopy(document)
    (study,) = (one for one in document["studies"] if len(one["films"]) == 2)
    films = {record["name"]: record for record in document["radiographs"]}
    assert study["hips"]["right"] != study["hips"]["left"]
    study["estimates"]["right"]["neck"]["bmd_g_cm2"] = JOINT
    for film in study["films"]:
        for hip in films[film]["hips"]:
            if hip["estimates"]:
                hip["estimates"]["neck"]["bmd_g_cm2"] = OWN
    write_results_table(document, QUANTITIES, tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = {(row["name"], row["side"]): row for row in csv.DictReader(file) if row["study"] == study["study"]}
    counting = rows[study["hips"]["right"], "right"]
    assert counting["patient_hip"] == "yes" and counting["neck_bmd_g_cm2"] == f"{JOINT:.4f}"
    others = [row for row in rows.values() if row["status"] == "measured" and row["patient_hip"] == "no"]
    assert all(row["neck_bmd_g_cm2"] == f"{OWN:.4f}" for row in others)
    write_report(document, QUANTITIES, tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert f"{JOINT:.3f}" in page


def test_of_one_radiograph_both_are_the_same(document):
    films = {record["name"]: record for record in document["radiographs"]}
    alone = [study for study in document["studies"] if len(study["films"]) == 1 and study["outcome"]]
    assert alone
    for study in alone:
        own = {hip["side"]: hip["estimates"] for hip in films[study["films"][0]]["hips"] if not hip["reason"]}
        assert own == study["estimates"]
