"""Triage keeps what it promises in patients whose diagnosis is known, at their prevalence, and says nothing where it cannot."""

import numpy as np
import pytest
from scripts.clinical import Category, Thresholds, Triage, find_thresholds


def told_of(patients, spread, seed=0):
    """Probabilities of patients with and without osteoporosis, the better apart the larger the spread."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1, patients)
    ill = random.random(patients) < 1 / (1 + np.exp(-spread * logits))
    told = 1 / (1 + np.exp(-spread * logits))
    return told[ill].round(4).tolist(), told[~ill].round(4).tolist()


def values_of(thresholds, ill, well, prevalence):
    """PPV of those called likely, and NPV of those called unlikely, at a prevalence."""
    ill, well = np.array(ill), np.array(well)
    likely, unlikely = thresholds.likely_at_least, thresholds.unlikely_below
    right, wrong = prevalence * (ill >= likely).mean(), (1 - prevalence) * (well >= likely).mean()
    true, missed = (1 - prevalence) * (well < unlikely).mean(), prevalence * (ill < unlikely).mean()
    return right / (right + wrong), true / (true + missed)


@pytest.mark.parametrize("prevalence", [0.15, 0.257, 0.5])
def test_predictive_values_hold_at_the_prevalence_and_no_step_further(prevalence):
    ill, well = told_of(3000, 4.0)
    found = find_thresholds(ill, well, prevalence, 0.95, 0.95)
    ppv, npv = values_of(found, ill, well, prevalence)
    assert ppv >= 0.95 and npv >= 0.95
    if found.likely_at_least > 0.5:
        assert ppv < 0.97 and values_of(Thresholds(found.likely_at_least - 0.02, 0.5), ill, well, prevalence)[0] < 0.95
    if found.unlikely_below < 0.2:
        assert npv < 0.97 and values_of(Thresholds(0.5, found.unlikely_below + 0.02), ill, well, prevalence)[1] < 0.95


def test_they_hold_in_other_patients_too():
    found = find_thresholds(*told_of(3000, 4.0), 0.257, 0.95, 0.95)
    ppv, npv = values_of(found, *told_of(20000, 4.0, seed=1), 0.257)
    assert ppv > 0.93 and npv > 0.93


def test_where_osteoporosis_is_rarer_it_is_called_likely_later_and_unlikely_sooner():
    ill, well = told_of(3000, 3.0)
    found = [find_thresholds(ill, well, prevalence, 0.95, 0.95) for prevalence in (0.1, 0.3, 0.5)]
    likely, unlikely = ([getattr(one, name) for one in found] for name in ("likely_at_least", "unlikely_below"))
    never = [1.0 if one is None else one for one in likely]
    assert never == sorted(never, reverse=True) and never[0] > never[-1]
    assert unlikely == sorted(unlikely, reverse=True) and unlikely[0] > unlikely[-1]


def test_one_patient_more_than_there_are_counts_as_called_so_wrongly():
    """Of 100 well ones below and none of n ill ones, the share of the ill below is taken as 1 / (n + 1)."""
    enough = next(n for n in range(1, 50) if 0.95 * (0.743 + 0.257 / (n + 1)) <= 0.743)
    for ill, said in ((enough, 0.2), (enough - 1, None)):
        assert find_thresholds([0.9] * ill, [0.1] * 100, 0.257, 0.95, 0.95).unlikely_below == said


def test_a_word_that_cannot_be_kept_is_never_said():
    ill, well = told_of(3000, 0.2)
    assert find_thresholds(ill, well, 0.257, 0.95, 0.95) == Thresholds(None, None)
    assert Thresholds(None, None).advise(1.0) is Thresholds(None, None).advise(0.0) is Triage.UNCERTAIN


@pytest.mark.parametrize(("ill", "well"), [([], [0.1] * 50), ([0.9] * 50, []), ([], [])])
def test_patients_of_one_kind_tell_no_threshold(ill, well):
    assert find_thresholds(ill, well, 0.257, 0.95, 0.95) == Thresholds(None, None)


def test_ten_patients_at_least_must_be_called_so():
    nine, ten = [0.9] * 9, [0.9] * 10
    assert find_thresholds(nine, [0.1] * 100, 0.257, 0.95, 0.95).likely_at_least is None
    assert find_thresholds(ten, [0.1] * 100, 0.257, 0.95, 0.95).likely_at_least == 0.5


def test_no_word_contradicts_its_probability():
    found = find_thresholds([0.3] * 100, [0.1] * 100, 0.257, 0.95, 0.95)
    assert found == Thresholds(None, 0.2), "0.3 tells all from all, but is not likely"
    assert find_thresholds([0.9] * 100, [0.7] * 100, 0.257, 0.95, 0.95) == Thresholds(0.9, None)
    assert find_thresholds([0.9] * 100, [0.3] * 100, 0.01, 0.95, 0.95).unlikely_below is None, "30% is not unlikely, however rare"


def test_thresholds_belong_to_what_is_likely_and_to_what_is_left_to_dxa():
    found = Thresholds(0.8, 0.1)
    said = [found.advise(probability) for probability in (1.0, 0.8, 0.7999, 0.1, 0.0999, 0.0)]
    assert said == [Triage.LIKELY] * 2 + [Triage.UNCERTAIN] * 2 + [Triage.UNLIKELY] * 2


def test_a_category_agrees_with_what_is_advised_or_not():
    agreed = {
        (advice, category, low)
        for advice in Triage
        for category in Category
        for low in (0.2, 0.8)
        if advice.agrees(category, low)
    }
    assert agreed == {
        (Triage.LIKELY, Category.OSTEOPOROSIS, 0.8),
        (Triage.UNLIKELY, Category.NORMAL, 0.2),
        (Triage.UNLIKELY, Category.LOW_BONE_MASS, 0.8),
    }
