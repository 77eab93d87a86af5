"""What limits the estimates: all regressors learn by as many steps, from the patients that they are said to."""

from scripts.development.bounds import _COHORTS, _LESSONS, _LISTED, _SITES_FILE, table
from scripts.simulation.sites import load_sites

BMD = {"pearson_r": 0.8, "rmse": 0.09, "bias": -0.02}


def test_each_learns_by_as_many_steps() -> None:
    whole = _LESSONS["all"]
    radiographs = {name: lesson.patients * (1 if lesson.one else 6) for name, lesson in _LESSONS.items()}
    steps = {name: lesson.epochs * radiographs[name] for name, lesson in _LESSONS.items()}
    assert all(abs(count / steps["all"] - 1) < 0.03 for count in steps.values()) and whole.epochs == 18


def test_the_first_patients_are_taken_and_of_each_the_unaltered_radiograph_where_one_is_wanted() -> None:
    items = [
        {"patient_id": f"P{index // 3:06d}", "image": f"P{index // 3:06d}{'_state1' * (index % 3)}.dcm"} for index in range(9)
    ]
    for patients, which, expected in ((2, "True", 6), (2, "'_state' not in item['image']", 2), (9, "True", 9)):
        chosen = _LISTED.format(patients=patients, which=which).removeprefix("$")
        condition = chosen.partition(" if ")[2].removesuffix("]")
        assert sum(bool(eval(condition, {"item": item})) for item in items) == expected


def test_the_known_exposure_is_one_and_its_cohorts_are_of_that_site() -> None:
    (site,) = load_sites(_SITES_FILE).values()
    assert not site.external and set(site.habits.styles) == {"L"}
    assert len({_COHORTS[name]["seed"] for name in _COHORTS}) == len(_COHORTS)
    assert [name for name, settings in _COHORTS.items() if "sites" not in settings] == ["known", "judge_known"]


def test_the_table_tells_what_was_learnt_and_where_it_was_judged() -> None:
    found = {("all of 487 patients", "other sites"): {"total": BMD, "neck": {**BMD, "rmse": 0.1}}}
    lines = list(table(found))
    assert lines[-1] == "| all of 487 patients | other sites | 0.800 | 0.090 | 0.800 | 0.100 |"
    assert len({line.count("|") for line in lines}) == 1
