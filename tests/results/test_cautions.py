"""A hip that is measured with a caution says so in the table, in the document and on the page."""

import csv
import json

from fake_screening import ABSENT, RIGHT, FakeCascade, channels_of, item_of


def test_a_caution_is_told_with_the_numbers_of_its_hip(screening):
    doubtful = channels_of({**RIGHT, "femur_probability": 0.01}, ABSENT)
    output = screening([item_of(screening.folder, "hip.dcm")], FakeCascade(doubtful))
    with (output / "results.csv").open(newline="") as file:
        rows = {row["side"]: row for row in csv.DictReader(file)}
    assert (rows["right"]["status"], rows["right"]["cautions"]) == ("measured", "UNUSUAL_FEMUR")
    assert (rows["left"]["status"], rows["left"]["cautions"]) == ("refused", "")
    (record,) = json.loads((output / "results.json").read_text())["radiographs"]
    (caution,) = record["hips"][0]["cautions"]
    assert caution["code"] == "UNUSUAL_FEMUR" and caution["sentence"] in (output / "index.html").read_text().replace("&#39;", "'")
