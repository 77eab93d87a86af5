"""Several processes train and evaluate as one does: the same batches, metrics and checkpoints, over gloo on the CPU."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import scripts
import torch
import torch.distributed as dist
from ignite.engine import Engine
from ignite.metrics import MeanAbsoluteError
from monai.bundle import ConfigParser
from monai.handlers import ROCAUC, MeanDice
from scripts.networks.view import OUTPUTS
from scripts.training import (
    AverageStatistics,
    GatheredMetric,
    GaussianLoss,
    SiameseLoss,
    ViewLoss,
    area_under_roc,
    correlation,
    mean_absolute_error,
    share_of_batch,
)

BUNDLE = Path(scripts.__file__).parents[1]
ALONE = (sys.executable, "-m")
TOGETHER = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m")
NAN = float("nan")
# Without batch normalisation, which on a CPU sees each process's share by itself.
ENCODER = {
    "_target_": "monai.networks.nets.Regressor", "in_shape": [2, 112, 112], "out_shape": [128], "channels": [8, 16, 16, 16],
    "strides": [4, 4, 2, 2], "norm": "INSTANCE",
}  # fmt: skip

OUTSIDE = {
    "_target_": "monai.networks.nets.Regressor", "in_shape": [1, 64, 64], "out_shape": [32], "channels": [8, 16, 16, 16],
    "strides": [2, 2, 2, 2], "norm": "INSTANCE",
}  # fmt: skip


def files(*names: str) -> list[str]:
    return [str(BUNDLE / "configs" / f"{name}.yaml") for name in names]


def run(start: tuple[str, ...], *names: str, **settings: object) -> str:
    """Run configs laid over each other, with the overlay where several processes start; return what was printed."""
    names = ("inference", *names, *(["multi_gpu"] if start is TOGETHER else []))
    options = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
    command = [*start, "monai.bundle", "run", "--config_file", str(files(*names)), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def uneven(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohort with three patients to validate on, which two processes cannot share evenly."""
    folder = tmp_path_factory.mktemp("uneven")
    for name in ("images", "masks", "landmarks"):
        (folder / name).symlink_to(cohort / name)
    with (cohort / "manifest.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows[:-1])
    return folder


@pytest.fixture(scope="module")
def trained(uneven: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs without batch normalisation, dropout or augmentation, the second with the other number of processes."""
    work = tmp_path_factory.mktemp("trained")
    settings: dict[str, Any] = {
        "dataset_dir": uneven, "cache_dir": work / "cache", "epochs": 2, "batch_size": 2, "bfloat16": False,
        "bmd_def#encoder#backbone": ENCODER, "bmd_def#encoder#outside": OUTSIDE, "bmd_def#dropout": 0.0,
        "augmentation": "@validation_transforms",
        "train#optimizer#eps": 1.0e-3, # else Adam makes whole steps of what is rounding alone
    }  # fmt: skip
    for first, second, folder in ((ALONE, TOGETHER, work / "alone"), (TOGETHER, ALONE, work / "together")):
        run(first, "train", "train_bmd", output_dir=folder, **settings, **{"train#trainer#max_epochs": 1})
        shutil.copytree(folder, work / f"{folder.name}_1")
        printed = run(second, "train", "train_bmd", output_dir=folder, **settings)
        assert printed.count("Trained 2 epochs") == 1 and printed.count("Epoch[2] Metrics") == 1
        assert "Epoch[1] Metrics" not in printed
    return work


def load(path: Path) -> dict[str, Any]:
    saved: dict[str, Any] = torch.load(path, weights_only=True)
    return saved


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_training_shared_by_two_processes_is_that_of_one_and_each_resumes_the_other(trained: Path, epochs: int) -> None:
    folders = (("alone_1", 1), ("together_1", 2)) if epochs == 1 else (("alone", 2), ("together", 1))
    alone, together = (load(trained / folder / "last.pt") for folder, _ in folders)
    assert [saved["provenance"]["processes"] for saved in (alone, together)] == [processes for _, processes in folders]
    for key in ("epoch", "iteration", "best_epoch"):
        assert alone[key] == together[key]
    assert alone["best_metric"] == pytest.approx(together["best_metric"], abs=1e-4)
    for key, weight in alone["state_dict"].items():
        torch.testing.assert_close(weight, together["state_dict"][key], atol=1e-6, rtol=1e-5, msg=key)
    steps = [saved["progress"]["optimizer"]["state"][0]["step"] for saved in (alone, together)]
    assert steps[0] == steps[1] == 2 * epochs and alone["epoch"] == epochs


def test_two_processes_report_the_metric_that_one_finds_with_their_weights(trained: Path, uneven: Path, tmp_path: Path) -> None:
    def validate(name: str, folder: Path, settings: dict[str, object]) -> float:
        content = ConfigParser.load_config_files(files("inference", "train", f"train_{name}"))
        parser = ConfigParser(content)
        for key, value in {"dataset_dir": str(uneven), "cache_dir": str(tmp_path), "bfloat16": False, **settings}.items():
            parser[key] = value
        parser["initial_file"] = str(folder / "best.pt")
        parser.get_parsed_content("initial")
        evaluator = parser.get_parsed_content("validate#evaluator")
        evaluator.run()
        return float(evaluator.state.best_metric)

    run(
        TOGETHER, "train", "train_localisation", dataset_dir=uneven, output_dir=tmp_path / "localisation", epochs=1, batch_size=4,
        bfloat16=False, **{"augmentation#0#size": "[96,128]"},
    )  # fmt: skip
    for name, folder, settings in (
        ("localisation", tmp_path / "localisation", {}),
        ("bmd", trained / "together_1", {"bmd_def#encoder#backbone": ENCODER, "bmd_def#encoder#outside": OUTSIDE}),
    ):
        saved = load(folder / "best.pt")
        assert not any(key.startswith("module.") for key in saved["state_dict"])
        assert saved["provenance"]["best_metric"]["value"] == pytest.approx(validate(name, folder, settings), abs=1e-5)


def test_a_process_that_fails_ends_the_others(uneven: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run(
            TOGETHER,
            "train",
            "train_bmd",
            dataset_dir=uneven,
            output_dir=tmp_path,
            batch_size=4,
            **{"train#optimizer#lr": "$1 / (1 - @rank)"},
        )


def test_an_evaluation_shared_by_two_processes_is_that_of_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("images", "masks", "landmarks"):
        (data / name).symlink_to(BUNDLE / "examples" / name)
    with (BUNDLE / "examples" / "manifest.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    with (data / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows[:4])  # three studies, which two processes cannot share evenly
    found = []
    for start, name in ((TOGETHER, "together"), (ALONE, "alone")):
        pseudonyms = {"key_file": tmp_path / "together" / "pseudonym.key"} if start is ALONE else {}
        printed = run(start, "evaluate", dataset_dir=data, output_dir=tmp_path / name, split="all", **pseudonyms)
        assert printed.count("3 radiographs (simulated) evaluated") == 1
        found.append(
            [
                (tmp_path / name / file).read_bytes()
                for file in ("metrics.csv", "strata.csv", "worst.csv", "worst.png", "study.html")
            ]
        )
    assert found[0] == found[1]


def test_batches_and_radiographs_that_processes_cannot_share_are_refused() -> None:
    assert share_of_batch(16, 100, 4) == 4
    with pytest.raises(ValueError, match="3 processes cannot share batches of 16"):
        share_of_batch(16, 100, 3)
    with pytest.raises(ValueError, match="of 3 radiographs"):
        share_of_batch(16, 3, 4)


def observe(rank: int, processes: int) -> dict[str, torch.Tensor]:
    """What one of several processes computes of its share of eleven predictions, and of a batch of four that one learns from."""
    random = torch.Generator().manual_seed(0)
    scores, truth = torch.rand(11, 1, generator=random), torch.tensor([[0.0], [1.0]]).repeat(6, 1)[:11].roll(3, 0)
    masks = [(torch.rand(11, 1, 8, 8, generator=random) > 0.5).float() for _ in range(2)]
    known = torch.tensor([index % 2 == 0 for index in range(11)])  # the second of two processes knows nothing
    numbers = (scores[:, 0], scores[:, 0] + truth[:, 0] / 9)
    metrics: dict[str, tuple[Any, tuple[torch.Tensor, ...], bool]] = {
        "auc": (ROCAUC(), (scores, truth), False),
        "dice": (MeanDice(include_background=True, save_details=False), tuple(masks), False),
        "r": (GatheredMetric(correlation), numbers, True),
        "mae": (MeanAbsoluteError(), numbers, True),
        "gathered_auc": (GatheredMetric(area_under_roc), (scores, truth), True),
        "gathered_mae": (GatheredMetric(mean_absolute_error), numbers, True),
    }
    seen = {}
    for name, (metric, values, some_unknown) in metrics.items():
        for batch in torch.arange(11)[rank::processes].split(2):
            metric.update(tuple(value[batch[known[batch]] if some_unknown else batch] for value in values))
        seen[name] = torch.tensor(float(metric.compute()))

    network = torch.nn.Linear(5, len(OUTPUTS))
    with torch.no_grad():
        network.weight.copy_(torch.rand(len(OUTPUTS), 5, generator=random))
        network.bias.zero_()
    # The view's columns, see scripts.networks.view.OUTPUTS.
    target = torch.tensor(
        [[1, 5, -8, 1, 0, 0, 1, 0, 0, -10, 20], [0, *[NAN] * 10], [NAN, 3, 2, 0, NAN, 1, NAN, NAN, 1, 4, NAN], [1, *[NAN] * 10]]
    )
    batch = torch.rand(4, 5, generator=random)[rank::processes]
    target = target[rank::processes]
    trained = torch.nn.parallel.DistributedDataParallel(network) if processes > 1 else network
    predicted = trained(batch)
    bmd = torch.stack((predicted[:, :4], predicted[:, 4:8].exp()), dim=2).view(-1, 2, 1, 2, 2)
    loss = (
        ViewLoss()(predicted, target)
        + GaussianLoss()({"members": bmd}, target[:, 3:7].view(-1, 2, 2))
        + SiameseLoss()({"logit": predicted[:, :1], "deep": predicted[:, :0]}, target[:, :1])
    )
    loss.backward()
    seen["gradient"] = network.weight.grad

    normalisation = torch.nn.BatchNorm1d(3)
    normalisation.running_mean.fill_(2 * rank)
    AverageStatistics(normalisation)(Engine(lambda *_: None))
    seen["running_mean"] = normalisation.running_mean - (processes - 1)
    return seen


def observe_together(rank: int, folder: str) -> None:
    os.environ["LOCAL_RANK"] = str(rank)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.save(observe(rank, 2), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_metrics_losses_and_statistics_are_those_of_all_processes(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(observe_together, args=(str(tmp_path),), nprocs=2)
    alone = observe(0, 1)
    for rank in range(2):
        together = load(tmp_path / f"{rank}.pt")
        for name, value in alone.items():
            torch.testing.assert_close(together[name], value, atol=1e-6, rtol=1e-5, msg=f"{name} of process {rank}")
