import math

import pytest
from scripts.clinical import load_reference
from scripts.dataset.manifest import read_manifest
from scripts.dataset.truth import held_out_radiographs, read_truth


def item(name, split="", **truth):
    return {"image": f"/d/{name}.dcm", "name": name, "split": split, "label": "", "right_total_bmd": math.nan, **truth}


FOLDER = [
    item("a", "train", right_total_bmd=0.9),
    item("b", "test", right_total_bmd=0.8),
    item("c", "external", label="/d/c.png"),
    item("d", label="/d/d.png"),
    item("e", "test"),
]


@pytest.mark.parametrize(("split", "names"), [(None, "bcd"), ("train", "a"), ("all", "abcd"), ("test", "b")])
def test_the_split_chooses_and_radiographs_without_truth_are_left_out(split, names, caplog):
    with caplog.at_level("INFO"):
        assert "".join(found["name"] for found in held_out_radiographs(FOLDER, split)) == names
    told = f"{len(names)} of 5 radiographs are evaluated: 1 have no mask, landmarks or hip BMD"
    assert told in caplog.text and f"{4 - len(names)} are of other splits" in caplog.text


@pytest.mark.parametrize(
    ("folder", "split", "message"),
    [(FOLDER, "validation", "validation.*external, none, test, train"), (FOLDER[-1:], None, "manifest.csv")],
)
def test_nothing_to_evaluate_is_an_error_that_says_what_there_is(folder, split, message):
    with pytest.raises(ValueError, match=message):
        held_out_radiographs(folder, split)


def test_the_lowest_t_score_decides_over_known_hips_and_sites():
    left = {"left_neck_bmd": math.nan, "left_total_bmd": ""}
    both = {"right_neck_bmd": 0.618, "right_total_bmd": 0.82, **left}
    assert read_truth(both).lowest_t_score(load_reference()) == pytest.approx(-2.0)
    assert math.isnan(read_truth(left).lowest_t_score(load_reference()))


def test_a_row_tells_what_it_knows_and_no_more():
    known = read_truth({"view": "AP", "right_implant": "nail", "right_rotation_deg": "-12", "left_fracture": "none"})
    right, left = known.hips.values()
    assert (known.kind, known.view, right.is_implanted, right.is_broken, right.rotation_deg) == ("", "AP", True, False, -12)
    assert (left.implant, left.fracture, left.is_broken) == ("", "none", False)
    assert math.isnan(left.rotation_deg) and math.isnan(read_truth({"pelvic_turn_deg": "flat"}).pelvic_turn_deg)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"right_fracture": "none"}, 0.0),
        ({}, math.nan),
        ({"right_fracture": "basicervical"}, 1.0),
        ({"right_fracture": "basicervical", "right_fracture_displacement_mm": 1.2}, 1.0),
        ({"right_fracture": "basicervical", "right_fracture_displacement_mm": 0.7}, math.nan),
        ({"right_fracture": "none", "right_deformity": "none", "right_deformity_grade": 0.0}, 0.0),
        ({"right_fracture": "none", "right_deformity": "paget"}, 1.0),
        ({"right_fracture": "none", "right_deformity": "paget", "right_deformity_grade": 0.2}, math.nan),
        ({"right_fracture": "none", "right_deformity": "paget", "right_deformity_grade": 0.6}, 1.0),
    ],
)
def test_a_femur_looks_broken_where_a_reader_could_tell(row, expected):
    assert read_truth(row).hips["right"].looks_broken == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("maker", "neck", "total"),
    [("", 1.038, 1.008), ("hologic", 1.038, 1.008), ("lunar", 0.858, 0.942), ("standardised", 0.937, 0.994)],
)
def test_dxa_of_another_maker_is_converted_to_the_scale_of_the_estimates(maker, neck, total, tmp_path):
    (tmp_path / "a.dcm").touch()
    columns = "image,dxa_maker,right_neck_bmd,right_total_bmd,left_neck_bmd"
    (tmp_path / "manifest.csv").write_text(f"{columns}\na.dcm,{maker},1.038,1.008,\n")
    (row,) = read_manifest(tmp_path / "manifest.csv").values()
    right, left = read_truth(row).hips.values()
    assert right.bmd == pytest.approx({"neck": neck, "total": total}, abs=6e-4)
    assert (right.number("neck_bmd"), right.number("total_bmd")) == tuple(right.bmd.values()), "a head of the user's own too"
    assert math.isnan(left.bmd["neck"]) and math.isnan(left.number("neck_bmd"))
    if maker == "lunar":
        assert read_truth(row).lowest_t_score(load_reference()) == pytest.approx(0.0, abs=0.01)
