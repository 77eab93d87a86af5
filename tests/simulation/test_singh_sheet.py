"""A hip that loses its trabeculae: the radiograph shows it, and the sheet is drawn."""

from itertools import pairwise

from PIL import Image
from scripts.simulation import singh_sheet
from scripts.simulation.anatomy.femur_bone import singh_grade


def test_the_true_grade_falls_with_the_bone_from_six_to_one():
    grades = [singh_grade(0.2 + 0.05 * step) for step in range(20)]
    assert all(weaker <= stronger for weaker, stronger in pairwise(grades))
    assert singh_grade(1.0) == singh_grade(1.4) == 6.0
    assert singh_grade(0.2) == 1.0
    assert {round(grade) for grade in grades} == {1, 2, 3, 4, 5, 6}


def test_the_radiograph_of_a_weak_hip_is_graded_lower_and_the_sheet_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(singh_sheet, "_TOTAL_HIP_BMD", (0.9, 0.5))
    found, measured = [], singh_sheet.grade_contrasts

    def spied(contrasts):
        found.append(measured(contrasts))
        return found[-1]

    monkeypatch.setattr(singh_sheet, "grade_contrasts", spied)
    path = singh_sheet.write_singh_sheet(str(tmp_path / "out"))
    strong, weak = found
    assert strong > 3.5 and weak < strong - 1.5  # what is drawn of a person's strands moves all grades alike
    with Image.open(path) as picture:
        assert picture.format == "JPEG" and picture.convert("L").getextrema()[1] > 200
