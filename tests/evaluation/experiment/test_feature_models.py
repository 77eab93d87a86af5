"""Models find the features that tell, and do with what there is."""

import numpy as np
import pytest
from scripts.evaluation.experiment.feature_models import LAYERS, MODELS, FeatureModel, fit_models
from scripts.evaluation.experiment.patients import Patients
from scripts.evaluation.statistics.discrimination import auc_delong


def features_of(patients: Patients, deep: np.ndarray, of: np.ndarray) -> dict[str, np.ndarray]:
    return {group: values[of] for group, values in {**patients.hand_made, "deep": deep}.items()}


def fitted(
    patients: Patients, features: dict[str, np.ndarray], of: np.ndarray, name: str, seed: int = 0
) -> dict[str, FeatureModel]:
    return fit_models(features, patients.positive[of], patients.patient[of].tolist(), MODELS[name], seed)


@pytest.mark.parametrize("layer", LAYERS)
def test_each_model_tells_as_much_as_its_features_do(made_up: tuple[Patients, np.ndarray], layer: str) -> None:
    patients, deep = made_up
    taught, judged = patients.split == "train", patients.split == "external"
    auc = {}
    for name, groups in MODELS.items():
        model = fitted(patients, features_of(patients, deep, taught), taught, name)[layer]
        said = model.probability(features_of(patients, deep, judged))
        assert ((said >= 0) & (said <= 1)).all()
        auc[name] = auc_delong(said, patients.positive[judged]).value
        assert name == "C" or auc[name] > auc["C"] + 0.03
        if "radiomics" in groups:
            assert {0, 1} & set(model.chosen["radiomics"].tolist()), "the mean of the two that tell"
            assert len(model.chosen["radiomics"]) < 60
        if "deep" in groups:
            assert 3 in model.chosen["deep"]
    assert 0.55 < auc["C"] < 0.8 and auc["D"] > 0.85 and auc["DTC"] > auc["T"]


def test_what_is_unknown_of_a_patient_does_not_keep_a_model_from_answering(made_up: tuple[Patients, np.ndarray]) -> None:
    patients, deep = made_up
    taught = patients.split == "train"
    features = features_of(patients, deep, taught)
    model = fitted(patients, features, taught, "DTC")["linear"]
    whole = model.probability(features)
    for group in MODELS["DTC"]:
        without = model.probability({**features, group: np.full_like(features[group], np.nan)})
        assert np.isfinite(without).all() and not np.array_equal(without, whole)
    wild = {**features, "radiomics": features["radiomics"].copy()}
    wild["radiomics"][:, :2] = 1e12
    wilder = {**wild, "radiomics": wild["radiomics"].copy()}
    wilder["radiomics"][:, :2] = 1e15
    assert np.array_equal(model.probability(wild), model.probability(wilder)), "an outlier tells no more than five deviations"


def test_one_patient_of_a_class_is_too_few(made_up: tuple[Patients, np.ndarray]) -> None:
    patients, deep = made_up
    few = np.flatnonzero(patients.split == "train")[:30]
    positive = np.zeros(30, dtype=bool)
    positive[:3] = True
    features = features_of(patients, deep, few)
    names = patients.patient[few].tolist()
    fit_models(features, positive, names, ("clinical",))
    with pytest.raises(ValueError, match="1 patients to learn from with osteoporosis, 27 without; expected two of each"):
        fit_models(features, positive, [names[0]] * 3 + names[3:], ("clinical",))


def test_the_same_seed_fits_the_same_model(made_up: tuple[Patients, np.ndarray]) -> None:
    patients, deep = made_up
    taught = patients.split == "train"
    features = features_of(patients, deep, taught)
    one, other = (fitted(patients, features, taught, "DC", 4)["forest"] for _ in range(2))
    assert np.array_equal(one.probability(features), other.probability(features))
