"""What a hip holds is measured as DXA sees it, goes with aBMD as it should, and stands beside what is published."""

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scripts
import torch
from PIL import Image
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_bone import FemurMineral
from scripts.simulation.compartments import study
from scripts.simulation.compartments.hip import COMPARTMENTS, MEASURES, measure_hip
from scripts.simulation.compartments.inside import look_inside, measure_neck_cortex
from scripts.simulation.compartments.published import Finding, Published, load_published, load_sources
from scripts.simulation.compartments.relations import SETS, relate, relate_sets, relate_together, share_in_cortex, weigh

DOCS = Path(scripts.__file__).parents[1] / "docs"


def made_up_hip(index: int, seed: int = 0) -> dict[str, Any]:
    """A hip whose aBMD is its neck's width at the total hip and its shaft's at the neck, nothing else being related; a percent
    more of a compartment is half a percent more of aBMD."""
    rng = np.random.default_rng([seed, index])
    hip = {name: float(math.exp(0.2 * rng.normal())) for name in MEASURES}
    bmd = {"neck_bmd": hip["shaft_40_below_mm"], "total_bmd": hip["neck_width_mm"]}
    shares = {"cortical_share_neck": 0.7, "cortical_share_total": 0.6}
    worth = {f"{name}:{site}": 0.5 for name in COMPARTMENTS for site in ("neck", "total")}
    return {"sex": "FM"[index % 2], "age_years": float(rng.uniform(50, 90))} | hip | bmd | shares | worth


@pytest.fixture(scope="module")
def hip() -> dict[str, Any]:
    return measure_hip(0, seed=3)


@pytest.fixture(scope="module")
def hips() -> pd.DataFrame:
    return pd.DataFrame([made_up_hip(index) for index in range(400)])


def test_a_person_is_of_fifty_or_older_and_everything_is_measured(hip):
    assert hip["age_years"] >= 50 and hip["sex"] in ("F", "M")
    assert all(math.isfinite(hip[name]) for name in MEASURES)
    assert 0 < hip["cortical_index_100"] < 1 and 1 <= hip["singh_grade"] <= 6


def test_the_mineral_of_the_volume_is_shared_as_dxa_says(hip):
    cortex = hip["cortical_volume_cm3"] * hip["cortical_mineral_g_cm3"]
    spongy = hip["spongy_volume_cm3"] * hip["spongy_mineral_g_cm3"]
    assert cortex / (cortex + spongy) == pytest.approx(hip["cortical_share_total"], abs=0.03)
    assert hip["bone_mineral_g_cm3"] == pytest.approx((cortex + spongy) / (hip["cortical_volume_cm3"] + hip["spongy_volume_cm3"]))


def test_a_percent_more_mineral_in_both_compartments_is_a_percent_more_abmd(hip):
    for site in ("neck", "total"):
        assert hip[f"cortical_mineral_g_cm3:{site}"] == pytest.approx(hip[f"cortical_share_{site}"], abs=1e-3)
        assert hip[f"cortical_mineral_g_cm3:{site}"] + hip[f"spongy_mineral_g_cm3:{site}"] == pytest.approx(1, abs=1e-3)
        assert 0.2 < hip[f"cortex_mm:{site}"] < 1.1


def test_twice_the_cortex_is_measured_as_twice_the_cortex():
    torch.set_num_threads(1)
    thin, thick = Femur(), Femur(bone=FemurMineral().thicker(2.0))
    assert look_inside(thick).cortex_mm == pytest.approx(2 * look_inside(thin).cortex_mm, rel=0.01)
    superior, inferior = measure_neck_cortex(thin)
    assert measure_neck_cortex(thick) == pytest.approx((2 * superior, 2 * inferior), rel=0.05)
    assert superior < inferior


def test_a_correlation_has_fishers_interval():
    rng = np.random.default_rng(0)
    x = rng.normal(size=103)
    y = x + rng.normal(size=103)
    found = relate("x", "total", "all", [*x, math.nan], [*y, 1.0])
    r = np.corrcoef(x, y)[0, 1]
    assert (found.count, found.r) == (103, pytest.approx(r))
    assert (found.low, found.high) == pytest.approx(
        (math.tanh(math.atanh(r) - 0.196), math.tanh(math.atanh(r) + 0.196)), abs=1e-3
    )


def test_what_does_not_vary_has_no_correlation():
    found = relate("x", "total", "all", [1.0] * 9, range(9))
    assert found.count == 9 and math.isnan(found.r)


def test_sets_of_measures_tell_what_is_in_them_and_nothing_else(hips):
    told = {(one.what, one.people): one.r for one in relate_sets(hips) if one.site == "total"}
    assert all(told["outer shape", people] > 0.98 for people in ("all", "women", "men"))
    shuffled = hips.assign(total_bmd=np.random.default_rng(1).permutation(hips["total_bmd"]))
    chance = [one.r for one in relate_sets(shuffled) if one.site == "total"]
    assert max(r for r in chance if math.isfinite(r)) < 0.2


def test_the_worth_of_a_compartment_is_its_spread_times_what_a_percent_of_it_does(hips):
    for worth in weigh(hips):
        assert worth.sd == pytest.approx(20, rel=0.1)
        assert worth.total == pytest.approx(100 * math.expm1(0.5 * worth.sd / 100))
    tied = hips.assign(cortex_mm=hips["total_bmd"])
    assert next(worth for worth in weigh(tied) if worth.compartment == "cortex_mm").sd_of_one_bmd == pytest.approx(0, abs=1e-6)


def test_a_difference_of_the_sexes_is_none_of_one_sex(hips):
    apart = hips.assign(**{name: hips[name] + 9 * (hips["sex"] == "M") for name in ("cortex_mm", "spongy_mineral_g_cm3")})
    together = relate_together(apart)
    assert abs(together.loc["cortex_mm", "spongy_mineral_g_cm3"]) < 0.2
    assert share_in_cortex(hips)["neck"]["women"][0] == pytest.approx(0.7)


def test_what_is_published_is_of_what_is_measured_and_its_sources_are_those_of_the_page():
    published, sources = load_published(), load_sources()
    assert set(published) <= {*MEASURES, *SETS}
    cited = {int(number) for known in published.values() for number in re.findall(r"\[(\d+)\]", known.told())}
    assert cited == set(sources)
    page = " ".join((DOCS / "simulation.md").read_text(encoding="utf-8").split())
    assert all(f"{number}. {text}" in page for number, text in sources.items())


def test_bounds_are_those_of_all_findings_and_the_interval_of_one():
    low, high = Finding(0.3, 50, "women", 1), Finding(0.6, 50, "men", 2)
    assert Published((high, low)).bounds == (0.3, 0.6)
    assert Published((low,)).bounds == pytest.approx((0.02, 0.53), abs=0.01)
    assert Published((high, low), "no more").told() == "0.30 [1]; 0.60 [2]; no more"
    assert math.isnan(Published().bounds[0])


def test_the_study_writes_page_table_json_and_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study, "measure_hip", made_up_hip)
    found = study.measure_compartments(str(tmp_path / "out"), people=60, workers=2)
    assert found.relation("neck_width_mm", "total", "women").r == pytest.approx(1)
    assert found.relation("shaft_40_below_mm", "neck", "men").r == pytest.approx(1)
    assert "60 simulated people in" in (said := capsys.readouterr().out) and "compartments.md" in said
    page = (tmp_path / "out/compartments.md").read_text(encoding="utf-8")
    assert page.startswith("# What bone holds (simulated)") and "| neck width, mm |" in page and "nan" not in page
    with (tmp_path / "out/compartments.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 * (len(MEASURES) + len(SETS))
    index = next(row for row in rows if (row["what"], row["site"], row["people"]) == ("cortical_index_100", "total", "all"))
    assert (index["published_low"], index["published_high"]) == ("0.49", "0.71")
    document = json.loads((tmp_path / "out/compartments.json").read_text(encoding="utf-8"))
    assert document["data"] == "simulated" and document["settings"] == {"people": 60, "seed": 0}
    with Image.open(tmp_path / "out/compartments.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(
    ("wrong", "said"), [({"people": 39}, "people is 39"), ({"workers": 0}, "workers is 0"), ({"seed": -1}, "seed is -1")]
)
def test_what_cannot_be_studied_is_refused_and_nothing_is_written(wrong, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        study.measure_compartments(str(tmp_path / "out"), **wrong)
    assert not (tmp_path / "out").exists()


def test_without_a_folder_nothing_is_measured():
    with pytest.raises(ValueError, match="No output_dir given"):
        study.measure_compartments("")
