"""How the features of ordinary films spread, by which the view network knows an extraordinary one."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from scripts.training.checkpoint import save_whole

_FLOOR = 1e-3  # of the largest variance: what hardly varies must not decide


@torch.no_grad()
def fit_novelty(network: Any, films: Iterable[Mapping[str, Tensor]], checkpoint: str) -> None:
    """Measure mean and spread of the features of hip views, and write them into a trained view network's checkpoint.

    Args:
        network: `ViewNetwork`.
        films: each with "film_features" (draws, F) and "view" (draws, 8), whose first column is 1 for a hip view.
        checkpoint: file {"state_dict", "provenance"} to complete; it is replaced in one step.
    """
    saved = torch.load(checkpoint, weights_only=True, map_location="cpu")
    network.load_state_dict(saved["state_dict"])
    features = [film["film_features"][film["view"][:, 0] == 1] for film in tqdm(films, desc="features of hip views")]
    found = torch.cat(features).double()
    variance, axes = torch.linalg.eigh(torch.cov(found.T))
    scale = variance.clamp(min=float(variance.max()) * _FLOOR).rsqrt()
    saved["state_dict"]["feature_mean"] = found.mean(dim=0).float()
    saved["state_dict"]["feature_whitening"] = (axes * scale).float()
    saved["provenance"] = {**saved["provenance"], "novelty_drawings": len(found)}
    save_whole(saved, Path(checkpoint))
    print(f"Novelty fitted to {len(found)} hip views, in {checkpoint}", flush=True)
