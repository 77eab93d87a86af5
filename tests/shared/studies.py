"""A study of made-up patients: cases whose numbers are drawn, and what an evaluation writes of them."""

import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import scripts
from evaluation_cases import make_case, make_hip
from fake_screening import NOTICE
from monai.bundle import ConfigParser
from PIL import Image
from scripts.clinical import Code, Reason, Triage
from scripts.evaluation import EvaluationWriter
from scripts.results import write_study_page
from scripts.screening import RadiographFindings

CONFIG = Path(scripts.__file__).parents[1] / "configs" / "evaluate.yaml"
PICTURE = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (160, 1)))


def draw_patients(count: int, seed: int = 0, refused: float = 0.2, sites=("hospital-a", "hospital-b")) -> list:
    """Cases with DXA; every fifth patient or so is refused, some before any network saw them."""
    random = np.random.default_rng(seed)
    cases = []
    for index in range(count):
        dxa = random.normal(0.72, 0.13)
        total = dxa + random.normal(0.01, 0.06)
        lowest, estimated = ((value - 0.942) / 0.122 for value in (dxa, total))
        probability = 1 / (1 + math.exp(3 * (estimated + 2.5)))
        code = "" if random.random() >= refused else random.choice(["IMPLANT", "EXPOSURE", "NO_FEMUR", "UNSUPPORTED_ENCODING"])
        case = make_case(
            f"name{index:04d}",
            hips=(
                make_hip("right", total=math.nan if code else total, dxa=dxa, code=code),
                make_hip("left", dxa=dxa + 0.02, code=code or "IMPLANT"),
            ),
            dxa_lowest_t=lowest,
            probability=math.nan if code else probability,
            lowest_t=math.nan if code else estimated,
            code=code,
            site=sites[index % len(sites)],
            femur=float(random.uniform(0.93, 0.99)),
            triage=None if code else Triage.UNLIKELY if probability < 0.1 else Triage.UNCERTAIN,
        )
        age, sex = random.uniform(50, 90), float(random.integers(0, 2))
        strata = {"shown": "whole", "view": "AP", "femoral rotation": "within 15°" if index % 3 else "15 to 40° outward"}
        hips = tuple(dataclasses.replace(hip, strata=strata, dice={"femur": 0.97}) for hip in case.hips)
        seen = code != "UNSUPPORTED_ENCODING"
        weight = math.nan if index % 7 == 0 else float(random.uniform(50, 95))
        interval = (case.lowest_t - 1, case.lowest_t + 1)
        cases.append(
            dataclasses.replace(
                case, hips=hips, covariates=(age, sex, weight, 165.0), seen=seen, split="external", lowest_t_interval=interval
            )
        )
    return cases


def write_evaluation(cases, folder: Path, provenance, **others) -> Path:
    """All that an evaluation writes of these cases, with the metrics that evaluate.yaml names unless others are given."""
    folder.mkdir(parents=True, exist_ok=True)
    named = ConfigParser.load_config_file(CONFIG)["writer"]["metrics"]
    metrics = ConfigParser({"metrics": named}, globals={"scripts": scripts}).get_parsed_content("metrics")
    items = [
        {"image": str(folder / "in" / f"{case.name}.dcm"), "name": case.name, "right_neck_bmd": 0.7, "split": "external"}
        for case in cases
    ]
    spare = [{"image": str(folder / "in" / "spare.dcm"), "name": "spare"}, {**items[0], "name": "learnt", "split": "train"}]
    settings = {
        "metrics": metrics,
        "found": [*items, *spare],
        "draw": lambda seen: PICTURE,
        "write_page": write_study_page,
        **others,
    }
    writer = EvaluationWriter(
        radiographs=items, dataset_dir=folder / "in", output_dir=folder, provenance=provenance, notice=NOTICE, **settings
    )
    writer.cases = list(cases)
    for case in cases:
        reason = Reason(Code(case.code), f"Made-up reason of {case.code}.") if case.code else None
        outcome = SimpleNamespace(screening=SimpleNamespace(reason=reason))
        writer.failures.add(case, found_of(case, outcome, reason))
    writer.finish(None)
    return folder


def found_of(case, outcome, reason):
    """Findings of a case: a refusal alone where no network saw it."""
    if not case.seen:
        return RadiographFindings(case.name, reason)
    return SimpleNamespace(name=case.name, seen=outcome, reason=reason, outcome=outcome)
