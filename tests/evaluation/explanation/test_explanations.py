"""Explanations are drawn at their place, depend on what was learnt, and mark what matters."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.utils import eval_mode
from PIL import Image
from scripts.apps import command
from scripts.development.made import BUNDLE
from scripts.evaluation.explanation.checks import SHARES, observe_one, randomise, summarise
from scripts.results.explanations import draw_explanation
from scripts.screening import Explainer, Explanation, Screen, Seen, load_screen
from scripts.screening.explanation import _guide, on_image, told_of

IMAGES = BUNDLE / "examples/images"


@pytest.fixture(scope="module")
def screen() -> Screen:
    return load_screen()


@pytest.fixture(scope="module")
def seen(screen: Screen) -> dict[str, Seen]:
    return {name: screen.files([IMAGES / f"{name}.dcm"]).radiographs[0].require() for name in ("osteoporosis", "hip_replacement")}


@pytest.fixture(scope="module")
def explainer(screen: Screen) -> Explainer:
    return Explainer(screen.network)


def test_both_hips_are_explained_from_0_to_1_and_one_that_is_refused_is_not(explainer: Explainer, seen: dict[str, Seen]) -> None:
    both, one = explainer(seen["osteoporosis"]), explainer(seen["hip_replacement"])
    assert both is not None and one is not None
    for maps in (both.coarse, both.fine, one.coarse, one.fine):
        assert maps.shape == (2, 224, 224) and maps.min() >= 0 and float(maps.max()) == pytest.approx(1.0)
    assert both.coarse.amax(dim=(1, 2)).min() > 0
    refused = [hip.reason is not None for hip in seen["hip_replacement"].screening.hips]
    assert list(one.valid) == [not hip for hip in refused] and both.valid == (True, True)
    assert sorted(refused) == [False, True]
    assert all((maps[refused.index(True)] == 0).all() for maps in (one.coarse, one.fine))
    with eval_mode(explainer.classifier):
        said = explainer.classifier(**told_of(seen["osteoporosis"]))["logit"]
    assert both.logit == pytest.approx(float(said), abs=1e-4)


def test_only_what_raises_the_logit_passes_back_through_a_guided_network() -> None:
    def gradient(guided: bool) -> torch.Tensor:
        layers = torch.nn.Sequential(torch.nn.Linear(1, 2, bias=False), torch.nn.ReLU(inplace=True), torch.nn.Linear(2, 1))
        with torch.no_grad():
            layers[0].weight.copy_(torch.tensor([[3.0], [2.0]]))
            layers[2].weight.copy_(torch.tensor([[1.0, -4.0]]))
        if guided:
            _guide(layers)
        given = torch.ones(1, 1, requires_grad=True)
        layers(given).sum().backward()
        assert given.grad is not None
        return given.grad

    assert float(gradient(guided=False)) == 3.0 - 8.0 and float(gradient(guided=True)) == 3.0


def test_the_cascade_is_as_it_was(explainer: Explainer, seen: dict[str, Seen]) -> None:
    before = {key: value.clone() for key, value in explainer.classifier.state_dict().items() if isinstance(value, torch.Tensor)}
    explainer(seen["osteoporosis"])
    assert all(torch.equal(value, before[key]) for key, value in explainer.classifier.state_dict().items() if key in before)
    assert all(weight.grad is None for weight in explainer.classifier.parameters())


@pytest.mark.parametrize(("head", "layer", "said"), [("nobody", "", "head nobody: the cascade has"), ("siamese", "x", "layer x")])
def test_what_is_not_there_is_named(screen: Screen, head: str, layer: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Explainer(screen.network, head, layer)


def test_a_map_lies_on_the_radiograph_where_the_crop_was_taken(seen: dict[str, Seen]) -> None:
    film = seen["osteoporosis"]
    image = film.image.as_tensor()
    for side in range(2):
        crop, transform = film.prediction["crops"][side], film.prediction["crop_transforms"][side]
        back = on_image(crop, transform, (image.shape[1], image.shape[2]))
        covered = on_image(torch.ones_like(crop), transform, (image.shape[1], image.shape[2])) > 0.999
        assert covered.float().mean() > 0.05
        assert float((back - image[0]).abs()[covered].mean()) < 0.01


def test_what_is_marked_is_drawn_and_the_rest_is_grey(seen: dict[str, Seen]) -> None:
    film = seen["osteoporosis"]
    marked = torch.zeros(2, 224, 224)
    marked[0, 100:130, 100:130] = 1.0
    plain, tinted = (
        np.asarray(draw_explanation(film.image.as_tensor(), film.prediction, Explanation(0.5, (True, True), maps, maps))).astype(
            int
        )
        for maps in (torch.zeros(2, 224, 224), marked)
    )
    reddish = (tinted[..., 0] - tinted[..., 2]) > 60
    assert reddish[:-300].any() and reddish[-300:, :600].any() and not reddish[-300:, 600:].any()
    assert (np.ptp(plain, axis=2) == 0).mean() > 0.99 and reddish.mean() < 0.1


def test_random_weights_explain_otherwise_and_what_is_marked_matters(explainer: Explainer, seen: dict[str, Seen]) -> None:
    torch.manual_seed(7)
    randomised = list(randomise(explainer.classifier, 0))
    names = [name for name, _ in randomised]
    assert names[0] == "fusion" and names[-1] == "conv1" and "layer4" in names
    first, last = randomised[0][1].state_dict(), randomised[-1][1].state_dict()
    own = explainer.classifier.state_dict()
    assert torch.equal(first["encoder.backbone.conv1.weight"], own["encoder.backbone.conv1.weight"])
    assert not torch.equal(last["encoder.backbone.conv1.weight"], own["encoder.backbone.conv1.weight"])
    observed = [observe_one(explainer, film, randomised, 0) for film in seen.values()]
    found = summarise([one for one in observed if one], names)
    assert abs(found["likeness"]["conv1"]) < 0.6 and len(found["deleted"]["marked"]) == len(SHARES)
    assert np.mean(found["deleted"]["marked"]) > np.mean(found["deleted"]["chance"])
    assert json.loads(json.dumps(observed)) == observed, "plain numbers"


def test_the_command_explains_in_the_report_and_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in ("osteoporosis", "no_hips"):
        if (IMAGES / f"{name}.dcm").exists():
            shutil.copy(IMAGES / f"{name}.dcm", tmp_path / "in")
    (tmp_path / "in" / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM")
    with pytest.raises(SystemExit) as ended:
        command.main(["explain", "in", "out", "--sample", "3"])
    said = capfd.readouterr()
    assert ended.value.code in (0, None), said.err
    out = tmp_path / "out"
    (picture,) = (out / "explanations").iterdir()
    assert Image.open(picture).size[0] == 1200
    assert f"explanations/{picture.name}" in (out / "index.html").read_text()
    (mapped,) = (out / "mineral_maps").iterdir()
    assert f"mineral_maps/{mapped.name}" in (out / "index.html").read_text()
    assert json.loads((out / "results.json").read_text())["provenance"]["mineral_weights"]["file"] == "mineral.pt"
    (page,) = (path.read_text() for path in (out / "patients").iterdir() if "data:image" in path.read_text())
    assert page.count("data:image/jpeg") == 3 and "where the mineral of the femurs lies" in page
    assert "Explanations of 1 of " in said.out and "written to out: explanation.md" in said.out
    with (out / "explanation.csv").open() as file:
        assert {row["check"] for row in csv.DictReader(file)} == {"likeness", "deletion"}
    assert "not tested, of fewer than five" in (out / "explanation.md").read_text()
    assert json.loads((out / "explanation.json").read_text())["radiographs"] == 1
