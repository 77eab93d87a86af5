"""A faulty cohort has every fault often, and its patients are otherwise like any others."""

import numpy as np
import pytest
from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.disease import DEFORMITIES, FRACTURES, Deformity, Disease, Fracture, draw_diseases
from scripts.simulation.faults import Fault, draw_fault
from scripts.simulation.population import draw_person

FAULTS = [draw_fault(np.random.default_rng(seed)) for seed in range(2000)]


def test_every_kind_of_fracture_and_deformity_is_as_frequent_as_another_at_any_displacement():
    broken = [fault for fault in FAULTS if fault.fracture is not Fracture.NONE]
    deformed = [fault for fault in FAULTS if fault.deformity is not Deformity.NONE]
    assert {fault.fracture for fault in broken} == set(FRACTURES)
    assert {fault.deformity for fault in deformed} == set(DEFORMITIES)
    assert len(broken) == pytest.approx(1000, abs=90)
    assert len(deformed) == pytest.approx(500, abs=70)
    assert np.histogram([fault.displacement for fault in broken], 4, (0, 1))[0].min() > 150
    assert np.histogram([fault.grade for fault in deformed], 4, (0, 1))[0].min() > 70
    assert {fault.side for fault in broken} == set(HIP.sides)


def test_a_fault_leaves_the_rest_of_the_patient_as_it_is():
    worn = {side: Disease(osteoarthritis=0.6, enthesophytes=0.3) for side in HIP.sides}
    fault = next(fault for fault in FAULTS if fault.fracture is not Fracture.NONE)
    suffered = fault.suffered(worn)
    assert all(state.osteoarthritis == 0.6 for state in suffered.values())
    assert sum(state.fracture is fault.fracture for state in suffered.values()) == 1
    assert Fault(pelvic_turn=20.0).suffered(worn) == worn


def test_an_ordinary_list_has_a_few_broken_and_deformed_hips_and_weak_bones_break_more_often():
    rng = np.random.default_rng(1)
    people = [draw_person(rng) for _ in range(4000)]
    states = [draw_diseases(person, rng) for person in people]
    broken = np.array([any(s.fracture is not Fracture.NONE for s in state.values()) for state in states])
    deformed = np.array([any(s.deformity is not Deformity.NONE for s in state.values()) for state in states])
    weak = np.array([person.total_hip < 0.75 for person in people])
    assert 0.005 < broken.mean() < 0.04 and 0.01 < deformed.mean() < 0.03
    assert broken[weak].mean() > 1.5 * broken[~weak].mean()
    assert not any(s.fracture is not Fracture.NONE and s.deformity is not Deformity.NONE for st in states for s in st.values())
