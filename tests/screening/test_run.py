"""A whole run through MONAI's evaluator, with files that cannot be read among the others."""

import csv
import json
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fake_screening import KEY, NOTICE, item_of
from PIL import Image
from scripts.clinical import Code, Reason
from scripts.dataset.listing import PassedOver
from scripts.dataset.pseudonyms import pseudonymise
from scripts.results.document import check_document

FILES = ("hip.dcm", "sub/chest.dcm", "broken.dcm", "transposed.dcm")
HIP, TRANSPOSED = (pseudonymise(KEY, file) for file in ("hip.dcm", "transposed.dcm"))


@pytest.fixture
def run(screening):
    items = [item_of(screening.folder, file) for file in FILES]
    ct = {**item_of(screening.folder, "DOE^JANE/ct.dcm"), "refusal": Reason(Code.NOT_A_RADIOGRAPH, "The file is a CT.")}
    return lambda: screening([*items, ct])


@pytest.fixture
def output(run):
    return run()


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_is_accounted_for_once(output):
    measured = {row["file"] for row in rows(output / "results.csv")}
    rejected = {row["file"] for row in rows(output / "rejected.csv")}
    assert measured == {"hip.dcm", "transposed.dcm"}
    assert rejected - measured == {"sub/chest.dcm", "broken.dcm", "DOE^JANE/ct.dcm"}


def test_results_have_one_row_a_hip(output):
    right, left = (row for row in rows(output / "results.csv") if row["file"] == "hip.dcm")
    assert (right["side"], right["status"]) == ("right", "measured")
    assert float(right["neck_bmd_g_cm2"]) == pytest.approx(0.498)
    assert float(right["neck_t_score"]) == pytest.approx(-3.0)
    assert float(right["neck_t_low"]) < -3.0 < float(right["neck_t_high"])
    assert (left["side"], left["status"], left["code"]) == ("left", "refused", "IMPLANT")
    assert left["neck_bmd_g_cm2"] == left["neck_t_score"] == ""
    assert right["patient_category"] == left["patient_category"] == "osteoporosis"
    assert right["notice"] == NOTICE


NAMED = "DOE^JANE/notes.txt"


@pytest.fixture
def beside_others(screening):
    """A run over a folder with a duplicate, and with files that are passed over, among them those of the run itself."""
    reason = Reason(Code.PASSED_OVER, "Its ending (.txt) is none of a radiograph. It was not read.")
    odd = os.fsdecode(b"M\xfcller.txt")
    screening.out = screening.folder / "out"
    screening.folder.mkdir()
    screening.passed_over = [PassedOver(file, reason) for file in (NAMED, odd, "out/", "out/pseudonym.key", "outer/")]
    copy = item_of(screening.folder, "DOE^JANE/copy.dcm")
    sentence = f"The file has the same content as {HIP}, but each film counts once."
    items = [item_of(screening.folder, "hip.dcm"), {**copy, "refusal": Reason(Code.DUPLICATE, sentence)}]
    return lambda: screening(items)


def test_what_is_passed_over_is_counted_and_named(beside_others, capsys):
    out = beside_others()
    found = [(row["file"], row["name"], row["code"]) for row in rows(out / "rejected.csv")][2:]
    assert found == [(file, "", "PASSED_OVER") for file in (NAMED, r"M\xfcller.txt", "outer/")], "the run's own folder is none"
    document = json.loads((out / "results.json").read_text())
    assert document["summary"]["passed_over"] == 3 and document["passed_over"][0]["file"] == NAMED
    assert document["summary"]["patients"] == 1, "a file that was not read shows nobody"
    said = capsys.readouterr().out
    assert "1 refused. 3 other files or folders were passed over. See" in said and "DOE" not in said.replace(
        str(beside_others), ""
    )


def test_a_duplicate_names_the_file_where_files_are_named(beside_others):
    out = beside_others()
    (row,) = (row for row in rows(out / "rejected.csv") if row["code"] == "DUPLICATE")
    assert row["file"] == "DOE^JANE/copy.dcm" and "same content as hip.dcm, but" in row["reason"]
    page = (out / "index.html").read_text(encoding="utf-8")
    assert f"same content as {HIP}, but" in page and "hip.dcm" not in page and "DOE" not in page


def test_every_refused_radiograph_and_hip_has_its_code_and_reason(output):
    found = {(row["file"], row["side"]): row for row in rows(output / "rejected.csv")}
    assert {place: row["code"] for place, row in found.items()} == {
        ("hip.dcm", "left"): "IMPLANT",
        ("sub/chest.dcm", ""): "NOT_A_HIP",
        ("broken.dcm", ""): "UNREADABLE",
        ("transposed.dcm", "left"): "IMPLANT",
        ("DOE^JANE/ct.dcm", ""): "NOT_A_RADIOGRAPH",
    }
    assert found["hip.dcm", "left"]["name"] == HIP and "50% of the left proximal femur" in found["hip.dcm", "left"]["reason"]


def test_only_the_tables_tell_which_file_is_which(output):
    tables = {"results.csv", "rejected.csv", "results.json", "journal.jsonl"}
    for path in output.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"MRN-4711" not in content, path
            assert path.name in tables or not any(word in content for word in (b"DOE", b"JANE", b"hip.dcm", b"1.2.3")), path
            assert path.parent == output or re.fullmatch(r"[0-9a-f]{16}\.(png|html)", path.name)


def test_the_document_is_valid_and_says_what_made_it(output, provenance):
    document = json.loads((output / "results.json").read_text())
    check_document(document, json.loads((output / "results.schema.json").read_text()))
    took = document["provenance"].pop("took")
    assert document["provenance"] == provenance and took["studies"] == 4, "one file was refused by its name"
    assert document["summary"] == {
        "patients": 2,
        "studies": 5,
        "radiographs": 5,
        "measured": 2,
        "refused": 3,
        "passed_over": 0,
        "hips_measured": 2,
        "categories": {"normal": 0, "low bone mass": 0, "osteoporosis": 2},
        "triage": {"osteoporosis likely": 2, "uncertain: DXA decides": 0, "osteoporosis unlikely": 0},
    }
    study, hip = document["studies"][0], document["radiographs"][0]
    assert study["outcome"]["lowest_site"] == "right neck"
    assert study["films"] == [HIP] and study["hips"] == {"right": HIP, "left": None}
    assert any("weight" in note for note in hip["notes"])


def test_a_document_that_breaks_the_schema_is_not_accepted(output):
    document = json.loads((output / "results.json").read_text())
    document["radiographs"][0]["hips"][0]["estimates"]["neck"]["bmd_g_cm2"] = -1
    with pytest.raises(ValueError, match=r"radiographs\[0\].hips\[0\].estimates.neck.bmd_g_cm2: -1"):
        check_document(document, json.loads((output / "results.schema.json").read_text()))


def test_masks_lie_on_the_grid_of_the_file(output, film):
    mask = np.asarray(Image.open(output / "masks" / f"{HIP}.png"))
    assert mask.dtype == np.uint8 and mask.shape == film.shape
    assert mask[300, 200] == 1 and mask[300, 640] == 2 and mask[0, 0] == 0
    assert (mask[:, 120:300] == 1).sum() == 280 * 180
    transposed = np.asarray(Image.open(output / "masks" / f"{TRANSPOSED}.png"))
    assert np.array_equal(transposed, mask.T)


def test_the_overlay_shows_contours_landmarks_and_no_margin_of_the_film(output, film):
    picture = np.asarray(Image.open(output / "overlays" / f"{HIP}.png").convert("RGB")).astype(int)
    for colour in ((64, 196, 255), (255, 145, 0), (255, 214, 0), (118, 255, 3)):
        assert (abs(picture - colour).sum(axis=2) < 30).sum() > 50, colour
    shown = picture.shape[0] / picture.shape[1]
    assert shown != pytest.approx(film.shape[0] / film.shape[1], rel=0.02)


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links = []
        self.text = ""

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_the_page_shows_every_radiograph_and_links_only_to_files_beside_it(output):
    page = Links()
    page.feed((output / "index.html").read_text(encoding="utf-8"))
    assert NOTICE in page.text
    for words in (HIP, pseudonymise(KEY, "broken.dcm"), "NOT_A_HIP", "IMPLANT", "-3.00", "0.498", "osteoporosis likely", "98%"):
        assert words in page.text
    links = {link for link in page.links if not link.startswith("data:")}
    pages = {f"patients/{file.name}" for file in (output / "patients").iterdir()}
    assert links == {f"overlays/{HIP}.png", f"overlays/{TRANSPOSED}.png", *pages}
    assert all((output / link).is_file() for link in links)


def test_it_ends_with_one_line_that_says_what_is_where(run, capsys):
    run()
    line = capsys.readouterr().out.strip().splitlines()[-1]
    assert re.match(r"5 radiographs: 2 hips measured on 2, 3 refused\. See .*index\.html", line)


def test_no_temporary_file_is_left(output):
    assert not [path for path in output.rglob(".*")]
