"""The Siamese classifier does not tell right from left, does with what there is, and has the published network's size."""

from pathlib import Path

import pytest
import scripts
import torch
from monai.bundle import ConfigParser
from scripts.networks import CropEncoder, DeepRadiomicsBackbone, SiameseNetwork

CONFIGS = Path(scripts.__file__).parents[1] / "configs"
UNKNOWN = torch.full((2, 4), torch.nan)


def built(*files: str) -> SiameseNetwork:
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / name) for name in ("inference.yaml", *files)])
    torch.manual_seed(0)
    network: SiameseNetwork = parser.get_parsed_content("siamese_def").eval()
    return network


COMPARED = sorted(f"experiments/{file.name}" for file in (CONFIGS / "experiments").iterdir() if file.stem != "inception")


@pytest.fixture(scope="module", params=[(), ("experiments/published.yaml",)], ids=["own", "published"])
def network(request: pytest.FixtureRequest) -> SiameseNetwork:
    return built(*request.param)


def seen(valid: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    hips = {"crops": torch.rand(2, 2, 224, 224), "around": torch.rand(2, 2, 64, 64), "poses": torch.rand(2, 2, 2) - 0.5}
    return {**hips, "valid": torch.ones(2, 2) if valid is None else valid, "covariates": UNKNOWN}


def swapped(told: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: value if key == "covariates" else value.flip(1) for key, value in told.items()}


def probability(network: SiameseNetwork, told: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return network.estimate(told)["osteoporosis_probability"]


def test_the_published_network_has_the_published_number_of_parameters() -> None:
    of_both_hips = torch.nn.Linear(2 * CropEncoder(DeepRadiomicsBackbone()).features, 2)
    parameters = [*DeepRadiomicsBackbone().parameters(), *of_both_hips.parameters()]
    assert sum(one.numel() for one in parameters) == 149_314
    assert CropEncoder(DeepRadiomicsBackbone()).features == 128


def test_the_sides_may_be_swapped(network: SiameseNetwork) -> None:
    torch.testing.assert_close(probability(network, seen()), probability(network, swapped(seen())))


def test_a_hip_that_is_not_valid_is_not_looked_at(network: SiameseNetwork) -> None:
    alone = seen(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    other = {**alone, "crops": alone["crops"].clone(), "around": alone["around"].clone()}
    for row, side in ((0, 1), (1, 0)):
        other["crops"][row, side], other["around"][row, side] = 0.3, 0.7
    torch.testing.assert_close(probability(network, alone), probability(network, other))
    assert (probability(network, alone) != probability(network, seen())).all()
    assert probability(network, seen(torch.zeros(2, 2))).tolist() == [0.0, 0.0]
    with torch.no_grad():
        deep = network(**alone)["deep"]
    half = deep.shape[1] // 2
    assert (deep[:, half:] == 0).all() and (deep[:, :half] != 0).any()


def test_the_published_network_is_not_told_the_covariates_and_no_gain_of_the_display() -> None:
    network = built("experiments/published.yaml")
    plain = probability(network, seen())
    torch.testing.assert_close(plain, probability(network, {**seen(), "covariates": torch.full((2, 4), 60.0)}))
    torch.testing.assert_close(plain, probability(network, {**seen(), "crops": 0.2 + 0.5 * seen()["crops"]}))
    assert (probability(built(), seen()) != probability(built(), {**seen(), "covariates": torch.full((2, 4), 60.0)})).all()


@pytest.mark.parametrize("file", COMPARED)
def test_every_network_that_is_compared_judges(file: str) -> None:
    found = probability(built(file), seen())
    assert found.shape == (2,) and ((found > 0) & (found < 1)).all()


def test_both_are_exported(network: SiameseNetwork) -> None:
    told = seen(torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
    with torch.no_grad():
        found, expected = torch.jit.script(network)(**told), network(**told)
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value)
