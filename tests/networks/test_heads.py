"""Heads are a mapping of the config: a further one is built, estimated and exported; parts that do not fit are refused."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import scripts
import torch
from monai.bundle import ConfigParser
from scripts.clinical import CHANNELS, Code, Quantity
from scripts.clinical.findings import Limit
from scripts.networks import Head, HipEncoder, RegressionHead, ScreeningNetwork
from torch import Tensor, nn

CONFIGS = Path(scripts.__file__).parents[1] / "configs"
ANOTHER = Quantity("canal_mm", "mm", "width of the canal")
LIMITED = replace(ANOTHER, limits=(Limit("view_at_least", Code.NOT_A_HIP, 1, "Too narrow."),))
JOINT = {
    "crops": torch.rand(3, 2, 224, 224),
    "around": torch.rand(3, 2, 64, 64),
    "poses": torch.zeros(3, 2, 2),
    "covariates": torch.full((3, 4), torch.nan),
}


def built(*files: str, **overrides: object) -> ScreeningNetwork:
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / name) for name in ("inference.yaml", *files)])
    parser.update(overrides)
    torch.manual_seed(0)
    return parser.get_parsed_content("network_def").eval()


def encoder(features: int = 4, channels: int = 2) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, features, 5, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.fixture(scope="module")
def further() -> ScreeningNetwork:
    """The cascade with a head that the table knows nothing of."""
    return built("head.yaml")


def test_a_head_of_the_config_alone_has_channels_of_its_own(further: ScreeningNetwork) -> None:
    names = further.channels.names
    assert set(names) - set(CHANNELS.names) == {
        f"{side}_canal_20_above_mm{sd}" for side in ("right", "left") for sd in ("", "_sd", "_epistemic_sd")
    }
    assert names[13:16] == ("right_total_bmd_epistemic_sd", "right_canal_20_above_mm", "right_canal_20_above_mm_sd")
    assert further.channels.quantities[-2].describe() == (
        "standard deviation of the estimated width of the medullary canal 20 mm above the lesser trochanter, mm"
    )


def test_a_further_head_changes_no_other_number(further: ScreeningNetwork) -> None:
    plain, image = built(), torch.rand(1, 1, 300, 400)
    further.load_state_dict({**further.state_dict(), **plain.state_dict()})
    with torch.no_grad():
        expected, found = plain(image)[0], further(image)[0]
    assert found.shape == (len(further.channels.names),)
    kept = [further.channels.names.index(name) for name in plain.channels.names]
    assert torch.equal(found[kept], expected)


def test_a_further_head_is_exported(further: ScreeningNetwork) -> None:
    image = torch.rand(1, 1, 300, 400)
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.script(further)(image), further(image), atol=1e-4, rtol=1e-4)


def test_a_hip_that_is_not_valid_has_no_estimate_and_lends_none(further: ScreeningNetwork) -> None:
    valid = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    with torch.no_grad():
        found = further.heads["canal"].estimate({**JOINT, "valid": valid})
    sizes = found["canal_20_above_mm"]
    assert (sizes[valid == 0] == 0).all() and (found["canal_20_above_mm_sd"][valid == 0] == 0).all()
    assert (sizes[valid == 1] > 30).all() and (found["canal_20_above_mm_sd"][valid == 1] > 0).all()


def test_the_radiographs_of_a_study_are_estimated_anew_by_joint_heads_alone(further: ScreeningNetwork) -> None:
    names = further.channels.names
    right, left = (torch.full((len(names),), value) for value in (0.7, 0.9))
    of_hip = {"crops": torch.rand(2, 224, 224), "poses": torch.zeros(2, 2)}
    predictions = [{**of_hip, "around": torch.rand(2, 64, 64), "channels": values} for values in (right, left)]
    usable = torch.tensor([[True, False], [False, True]])
    with torch.no_grad():
        joined, sources = further.join(predictions, usable, torch.full((4,), torch.nan))
    found = dict(zip(names, joined.tolist(), strict=True))
    assert sources.tolist() == [0, 1]
    assert found["right_metal_fraction"] == pytest.approx(0.7) and found["left_metal_fraction"] == pytest.approx(0.9)
    assert found["hip_view"] == pytest.approx(0.7)
    anew = [name for name in names if "_bmd" in name or "canal" in name or name == "osteoporosis_probability"]
    assert len(anew) == 19 and not {0.7, 0.9} & {round(found[name], 4) for name in anew}


def test_what_surrounds_a_hip_comes_from_the_radiograph_that_lends_it(further: ScreeningNetwork) -> None:
    channels = torch.full((len(further.channels.names),), 0.7)
    predictions = [
        {"crops": torch.rand(2, 224, 224), "around": torch.rand(2, 64, 64), "poses": torch.zeros(2, 2), "channels": channels}
        for _ in range(2)
    ]
    usable = torch.tensor([[True, False], [False, True]])

    def joined(changed: int, side: int) -> Tensor:
        seen = [dict(one) for one in predictions]
        seen[changed]["around"] = seen[changed]["around"].clone()
        seen[changed]["around"][side] += 0.3
        with torch.no_grad():
            return further.join(seen, usable, torch.full((4,), torch.nan))[0]

    with torch.no_grad():
        plain = further.join(predictions, usable, torch.full((4,), torch.nan))[0]
    assert torch.equal(joined(0, 1), plain) and torch.equal(joined(1, 0), plain), "lent by the other radiograph"
    assert not torch.equal(joined(0, 0), plain) and not torch.equal(joined(1, 1), plain)


def test_an_encoder_may_give_any_number_of_features() -> None:
    head = RegressionHead(HipEncoder(encoder(7), encoder(3, channels=1)), ["neck_bmd"], [0.75], [0.15])
    found = head(**JOINT, valid=torch.ones(3, 2))
    assert found["estimates"].shape == (3, 2, 1, 3) and found["members"].shape == (3, 2, 5, 1, 2)
    assert head.names == ["neck_bmd", "neck_bmd_sd", "neck_bmd_epistemic_sd"] and head.targets == ["neck_bmd"]


def test_every_member_is_told_the_covariates_whole_and_half_of_the_rest() -> None:
    head = RegressionHead(HipEncoder(encoder(7), encoder(3, channels=1)), ["neck_bmd"], [0.75], [0.15])
    halves = head.members.halves
    assert halves.shape == (5, 2 * 12 + 8) and halves[:, -12:].all() and (halves[:, :20].sum(dim=1) == 10).all()
    assert torch.equal(halves[0, :20] + halves[1, :20], torch.ones(20)) and halves[:2].any(dim=0).all()
    with pytest.raises(ValueError, match="1 members; expected 2 at least"):
        RegressionHead(HipEncoder(encoder(7), encoder(3, channels=1)), ["neck_bmd"], [0.75], [0.15], members=1)


def test_the_members_of_a_regressor_make_one_estimate_whose_spread_is_theirs_and_how_they_differ() -> None:
    head = RegressionHead(HipEncoder(encoder(7), encoder(3, channels=1)), ["neck_bmd"], [0.75], [0.15]).eval()
    found = head(**JOINT, valid=torch.ones(3, 2))
    mean, sd, epistemic = found["estimates"].unbind(dim=3)
    means, sds = found["members"].unbind(dim=4)
    torch.testing.assert_close(mean, means.mean(dim=2))
    torch.testing.assert_close(sd**2, sds.square().mean(dim=2) + means.var(dim=2, unbiased=False))
    torch.testing.assert_close(epistemic, means.std(dim=2, unbiased=False))
    assert (epistemic > 0).all() and (epistemic < sd).all()


def test_a_regressor_sees_how_bright_bone_is_against_what_surrounds_it_and_not_form_alone() -> None:
    torch.manual_seed(0)
    head = RegressionHead(HipEncoder(encoder(7), encoder(3, channels=1)), ["neck_bmd"], [0.75], [0.15]).eval()
    whole = {**JOINT, "valid": torch.ones(3, 2)}
    first = head(**whole)["estimates"][..., 0]
    brighter = head(**{**whole, "crops": JOINT["crops"] + 0.2})["estimates"][..., 0]
    darker = head(**{**whole, "around": JOINT["around"] - 0.2})["estimates"][..., 0]
    assert (brighter - first).abs().min() > 1e-4 and (darker - first).abs().min() > 1e-4


class Given(Head):
    """Gives what it is made with."""

    def __init__(self, *quantities: str | Quantity, value: Tensor | None = None, key: str = "poses") -> None:
        super().__init__(quantities, joint=True)
        self.value, self.key = torch.zeros(1, 2) if value is None else value, key

    def estimate(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: self.value + 0 * seen[self.key].sum() for name in self.names}


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (nn.Linear(1, 1), "Head other is a Linear; expected a scripts.networks.Head"),
        (Given("hip_view"), "Head other gives hip_view, which head view gives already"),
        (Given("metal_fraction"), "Head other gives metal_fraction, which the cascade itself gives already"),
        (Given("singh_grade"), "Head other: singh_grade is measured on the picture"),
        (Given(Quantity("singh_grade", "", "by a network")), "singh_grade: in the table with another meaning"),
        (Given(LIMITED), "Head other: canal_mm has limits, which the gate asks of the table's quantities alone"),
        (Given(ANOTHER, value=torch.zeros(1)), r"Head other gives \{'canal_mm': \(1,\)\} of one radiograph; expected"),
        (Given(ANOTHER, key="small"), "Head other does not fit what it is told .*small"),
    ],
)  # fmt: skip
def test_a_head_that_does_not_fit_is_refused_when_the_cascade_is_built(further, head: nn.Module, sentence: str) -> None:
    heads = {name: part for name, part in further.heads.items() if name != "canal"}
    with pytest.raises(ValueError, match=sentence):
        ScreeningNetwork(
            further.search, further.localiser, further.surroundings, {**heads, "other": head}, implant_threshold=0.05
        )


def test_a_quantity_of_the_table_that_no_head_gives_is_named(further: ScreeningNetwork) -> None:
    heads = {name: part for name, part in further.heads.items() if name != "siamese"}
    with pytest.raises(ValueError, match="No head gives osteoporosis_probability; expected all of the table from the heads view"):
        ScreeningNetwork(further.search, further.localiser, further.surroundings, heads, implant_threshold=0.05)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"quantities": ["neck_width"]}, "neck_width: no quantity of the table"),
        ({"quantities": ["hip_view"]}, "hip_view: not of a bone"),
        ({"target_sd": [0.1, 0.2]}, r"1 quantities \(neck_bmd\), 1 values of target_mean, 2 of target_sd"),
    ],
)
def test_a_regression_head_of_unfit_parts_is_refused(arguments: dict, sentence: str) -> None:
    fit = {
        "encoder": HipEncoder(encoder(), encoder(channels=1)),
        "quantities": ["neck_bmd"],
        "target_mean": [0.75],
        "target_sd": [0.15],
    }
    with pytest.raises(ValueError, match=sentence):
        RegressionHead(**{**fit, **arguments})


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ((encoder(channels=3), encoder(channels=1)), r"Sequential takes no pictures \(N, 2, 112, 112\)"),
        ((nn.Conv2d(2, 4, 5), encoder(channels=1)), r"Conv2d maps pictures \(1, 2, 112, 112\) to \(1, 4, 108, 108\)"),
        ((encoder(), encoder(channels=3)), r"Sequential takes no pictures \(N, 1, 64, 64\)"),
    ],
)
def test_an_encoder_of_unfit_parts_is_refused(parts: tuple[nn.Module, nn.Module], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        HipEncoder(*parts)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("view_def#radiograph_features", 100, r"Head view does not fit what it is told .*radiograph_features \(1, 320\)"),
        ("localisation_def#backbone#out_channels", 12, "The localisation network does not map .* to 13 maps .femur"),
        ("segmentation_def#landmarks", 10, "The segmentation network does not map"),
        ("segmentation_def#backbone#in_channels", 3, "The segmentation network does not map .* to 9 maps"),
    ],
)
def test_parts_of_the_config_that_do_not_fit_are_refused_in_a_sentence(key: str, value: int, sentence: str) -> None:
    with pytest.raises(Exception, match="instantiat") as told:  # MONAI's own, made of the sentence
        built(**{key: value})
    causes, error = [], told.value
    while error is not None:
        causes.append(str(error))
        error = error.__cause__
    assert any(re.search(sentence, cause) for cause in causes), causes
