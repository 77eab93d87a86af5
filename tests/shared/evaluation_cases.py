"""Cases with round numbers, whose metrics can be worked out by hand."""

import math

from scripts.evaluation.accuracy.cases import MASK_CLASSES, Case, HipCase

UNKNOWN = {"neck": math.nan, "total": math.nan}


def make_hip(side, *, total=math.nan, dxa=math.nan, code="", errors=(1.0,) * 5, found=True, swapped=False):
    return HipCase(
        side=side,
        found=found,
        drawn=True,
        code=code,
        bmd={"neck": math.nan, "total": total},
        low={"neck": math.nan, "total": total - 0.05},
        high={"neck": math.nan, "total": total + 0.05},
        dxa={"neck": math.nan, "total": dxa},
        landmark_errors_mm=errors if found else (math.nan,) * 5,
        swapped=swapped,
    )


def make_case(
    name, *, hips, dxa_lowest_t, probability, lowest_t, code="", site="simulated-1", femur=0.9, patient=None, triage=None
):
    return Case(
        name=name,
        patient=patient or name,
        site=site,
        seen=True,
        code=code,
        probability=probability,
        lowest_t=lowest_t,
        dxa_lowest_t=dxa_lowest_t,
        covariates=(70.0, 0.0, 65.0, 160.0),
        dice={"femur": femur, "prosthesis": math.nan, "fixation": math.nan},
        false_alarms={name: name == "fixation" for name in MASK_CLASSES},
        hips=hips,
        triage=triage,
    )
