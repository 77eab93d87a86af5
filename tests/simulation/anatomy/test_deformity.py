"""Each deformity and disease changes the form or the mineral of the femur as it is said to, the more the higher its grade."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scripts.simulation.anatomy.deformity import diseased, reshaped, seat
from scripts.simulation.anatomy.disease import DEFORMITIES, Deformity, Disease, draw_deformity
from scripts.simulation.anatomy.dxa import scan
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femurs_of_person import draw_femurs
from scripts.simulation.physics.projection import ImagePlane, cast
from scripts.simulation.population import Person

WHOLE = Femur()
SEEDS = range(3)
PLANE = ImagePlane(110, 70, 2.0, -100, -60)


def sick(deformity: Deformity, grade: float, seed: int = 0, femur: Femur = WHOLE) -> Femur:
    state, rng = Disease(deformity=deformity, grade=grade), np.random.default_rng(seed)
    return diseased(reshaped(femur, state, rng), state, rng)


def mineral(femur: Femur) -> torch.Tensor:
    """Mineral of the interior and thickness of the cortex that rays meet, (2, rows, columns)."""
    shadows = [cast(solid, PLANE, box, 1.0) for solid, box in femur.parts()]
    return torch.stack([sum(s.interior for s in shadows), sum(s.cortex for s in shadows)])


@pytest.mark.parametrize("deformity", DEFORMITIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_deformity_changes_the_picture_and_keeps_the_landmarks_in_the_bone(deformity, seed):
    femur = sick(deformity, 1.0, seed)
    slight, gross = (float((mineral(sick(deformity, g, seed)) - mineral(WHOLE)).abs().sum()) for g in (0.1, 1.0))
    assert gross > 1.2 * slight > 0
    for name in ("head_centre", "neck_base", "shaft"):
        point = femur.to_patient(torch.tensor(femur.landmarks[name]))
        assert min(float(solid(point).distance) for solid, _ in femur.parts()) < 1.0


def test_coxa_vara_is_a_smaller_angle():
    assert sick(Deformity.COXA_VARA, 0.0).neck_shaft_angle < 120
    assert sick(Deformity.COXA_VARA, 1.0).neck_shaft_angle < 104


@pytest.mark.parametrize("seed", SEEDS)
def test_after_perthes_the_head_is_wide_and_flat_on_a_short_neck_and_sits_high(seed):
    femur = sick(Deformity.PERTHES, 1.0, seed)
    assert femur.head_radius > 1.15 * WHOLE.head_radius
    assert femur.head_radius / (1 + femur.flattening) < WHOLE.head_radius
    assert femur.neck_length < WHOLE.neck_length
    assert seat(femur, Disease(deformity=Deformity.PERTHES, grade=1.0))[2] < -3
    assert not seat(WHOLE, Disease()).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_paget_thickens_the_cortex_and_bows_the_shaft(seed):
    femur = sick(Deformity.PAGET, 1.0, seed)
    assert mineral(femur)[1].sum() > 1.2 * mineral(WHOLE)[1].sum()
    assert femur.landmarks["shaft"][0] < WHOLE.landmarks["shaft"][0] - 0.4
    assert femur.coarseness == 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slip_leaves_the_head_behind_and_below_the_neck(seed):
    head, neck = sick(Deformity.SLIPPED_EPIPHYSIS, 1.0, seed).fragments
    cut = torch.tensor([0.32 * -WHOLE.offset, 0.0, 0.32 * WHOLE.drop])
    apart = neck.moved(cut) - head.moved(cut)
    assert apart[1] < -3 and apart[2] < -2


@pytest.mark.parametrize("seed", SEEDS)
def test_callus_surrounds_what_has_healed_out_of_place(seed):
    femur = sick(Deformity.MALUNION, 0.8, seed)
    bare = replace(femur, callus=None)
    assert mineral(femur)[0].sum() > mineral(bare)[0].sum() + 2
    callus, (low, high) = femur.parts()[-1]
    points = low + torch.rand(20_000, 3, generator=torch.Generator().manual_seed(0)) * (high - low)
    in_bone = torch.stack([solid(points).distance for solid, _ in femur.parts()[:-1]]).amin(0) < -0.5
    assert (callus(points[in_bone]).distance > 0).all()


@pytest.mark.parametrize(
    ("deformity", "sign"), [(Deformity.CYSTS, -1), (Deformity.LYTIC, -1), (Deformity.SCLEROTIC, 1), (Deformity.NECROSIS, 1)]
)
def test_holes_take_mineral_and_dense_spots_add_some(deformity, sign):
    for seed in SEEDS:
        femur = replace(sick(deformity, 1.0, seed), flattening=0.0)
        change = (mineral(femur) - mineral(WHOLE))[0] * sign
        assert change.max() > 0.02
    if deformity is Deformity.LYTIC:
        assert mineral(femur)[1].sum() < mineral(WHOLE)[1].sum()


def test_dxa_reads_the_density_of_the_person_in_a_deformed_femur_and_the_disease_on_top():
    person = Person(70, "F", 162, 66, 0.80, 0.69)

    def drawn(deformity: Deformity) -> dict[str, Femur]:
        state = {"right": Disease(deformity=deformity, grade=0.9), "left": Disease()}
        return draw_femurs(person, np.random.default_rng(5), 21.6, state)

    assert scan(drawn(Deformity.COXA_VARA)["right"]).total == pytest.approx(0.80, abs=0.07)
    assert scan(drawn(Deformity.PAGET)["right"]).total > 0.90
    assert scan(drawn(Deformity.SCLEROTIC)["right"]).total > scan(drawn(Deformity.NONE)["right"]).total + 0.01


def test_grossly_deformed_hips_are_not_scanned_and_mild_ones_are():
    assert Disease().is_scanned
    assert Disease(deformity=Deformity.PAGET, grade=0.3).is_scanned
    assert not Disease(deformity=Deformity.PAGET, grade=0.5).is_scanned


def test_all_deformities_and_grades_are_as_likely_as_one_another():
    drawn = [draw_deformity(np.random.default_rng(seed)) for seed in range(900)]
    counts = [sum(kind is each for kind, _ in drawn) for each in DEFORMITIES]
    assert min(counts) > 60 and max(counts) < 145
    assert np.histogram([grade for _, grade in drawn], 3, (0, 1))[0] == pytest.approx([300] * 3, abs=70)
