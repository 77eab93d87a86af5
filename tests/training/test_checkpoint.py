"""A resumed training keeps its best network, counts on, and never leaves half a file."""

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from scripts.training import ResumableCheckpoint, StopWithoutImprovement
from scripts.training.checkpoint import save_whole

PROVENANCE = {"config_hash": "c", "data_hash": "d"}


def training(
    folder: Path, scores: list[float], patience: int = 99, provenance: dict = PROVENANCE
) -> tuple[Engine, torch.nn.Module]:
    """A trainer whose epoch e sets the weight to e and scores scores[e - 1]."""
    network = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    evaluator, trainer = Engine(lambda *_: None), Engine(lambda *_: None)
    evaluator.state.best_metric, evaluator.state.best_metric_epoch, evaluator.state.key_metric_name = -1, -1, "score"

    def validate(engine: Engine) -> None:
        network.weight.data.fill_(engine.state.epoch)
        score = scores[engine.state.epoch - 1]
        if score > evaluator.state.best_metric:
            evaluator.state.best_metric, evaluator.state.best_metric_epoch = score, engine.state.epoch

    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    ResumableCheckpoint(str(folder), network, {"optimizer": optimizer}, evaluator, provenance).attach(trainer)
    StopWithoutImprovement(evaluator, patience).attach(trainer)
    return trainer


def run(trainer: Engine, epochs: int) -> None:
    trainer.run([0], max_epochs=epochs)


def weight(path: Path) -> float:
    return float(torch.load(path, weights_only=True)["state_dict"]["weight"])


def test_a_resumed_training_continues_and_keeps_the_better_network(tmp_path: Path) -> None:
    scores = [0.2, 0.9, 0.5, 0.6]
    run(training(tmp_path, scores), 2)
    trainer = training(tmp_path, scores)
    run(trainer, 4)
    assert trainer.state.epoch == 4
    assert weight(tmp_path / "best.pt") == 2.0
    assert weight(tmp_path / "last.pt") == 4.0


def test_a_better_network_after_resuming_replaces_the_best(tmp_path: Path) -> None:
    run(training(tmp_path, [0.2, 0.9, 0.95]), 2)
    run(training(tmp_path, [0.2, 0.9, 0.95]), 3)
    saved = torch.load(tmp_path / "best.pt", weights_only=True)
    assert float(saved["state_dict"]["weight"]) == 3.0
    assert saved["provenance"]["best_metric"] == {"name": "score", "value": 0.95, "epoch": 3}


def test_patience_ends_a_training_also_after_resuming(tmp_path: Path) -> None:
    scores = [0.9] + [0.1] * 20
    trainer = training(tmp_path, scores, patience=3)
    run(trainer, 20)
    assert trainer.state.epoch == 4
    again = training(tmp_path, scores, patience=3)
    run(again, 20)
    assert again.state.epoch == 4


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"config_hash": "x", "settings": {"epochs": 3, "seed": 0}}, r"in epochs \(2 there, 3 here\)\. A training"),
        ({"config_hash": "x", "settings": {"epochs": 2, "seed": 1}}, r"in seed \(0 there, 1 here\)\. A training"),
        (
            {"config_hash": "x", "settings": {"epochs": 9, "seed": 1}},
            r"in epochs \(2 there, 9 here\); seed \(0 there, 1 here\)\.",
        ),
        ({"config_hash": "x", "config": ["a.yaml", "b.yaml"]}, r"its config files \(a\.yaml there, a\.yaml, b\.yaml here\)\."),
        ({"config_hash": "x"}, r"its config files, which have changed\."),
        ({"data_hash": "x"}, r"the data, whose manifest\.csv is another one or has changed\."),
    ],
)
def test_a_training_that_does_not_resume_names_what_differs(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    before = {**PROVENANCE, "settings": {"epochs": 2, "seed": 0}, "config": ["a.yaml"]}
    run(training(tmp_path, [0.2], provenance=before), 1)
    with pytest.raises(ValueError, match=said):
        run(training(tmp_path, [0.2, 0.3], provenance={**before, **changed}), 2)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_whole({"epoch": 1}, path)
    with pytest.raises(Exception, match="pickle"):
        save_whole({"epoch": lambda: None}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
