"""Four patients whose metrics can be worked out by hand."""

import math

import pytest
from evaluation_cases import make_case, make_hip
from fake_screening import provenance
from scripts.clinical import Triage

__all__ = ["provenance"]


@pytest.fixture
def cases():
    """Three patients measured (one with osteoporosis) and one, with osteoporosis, refused."""
    return [
        make_case(
            "a",
            hips=(make_hip("right", total=0.60, dxa=0.62), make_hip("left", total=0.58, dxa=0.64)),
            dxa_lowest_t=-2.6,
            probability=0.8,
            triage=Triage.LIKELY,
            lowest_t=-2.9,
            femur=0.98,
        ),
        make_case(
            "b",
            hips=(make_hip("right", total=0.80, dxa=0.80), make_hip("left", code="IMPLANT", swapped=True)),
            dxa_lowest_t=-1.2,
            probability=0.6,
            triage=Triage.LIKELY,
            lowest_t=-1.2,
            femur=0.96,
        ),
        make_case(
            "c",
            hips=(make_hip("right", total=0.90, dxa=0.88), make_hip("left", found=False, code="NO_FEMUR")),
            dxa_lowest_t=-0.5,
            probability=0.1,
            triage=Triage.UNLIKELY,
            lowest_t=-0.4,
            femur=0.94,
            site="simulated-2",
        ),
        make_case(
            "d",
            hips=(make_hip("right", dxa=0.50, code="NOT_AP"), make_hip("left", dxa=0.51, code="NOT_AP")),
            dxa_lowest_t=-3.6,
            probability=math.nan,
            lowest_t=math.nan,
            code="NOT_AP",
            femur=math.nan,
        ),
    ]
