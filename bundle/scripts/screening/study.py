"""One patient from the radiographs of a study: which hip from which radiograph, and the outcome of both hips together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from scripts.clinical import RadiographFacts, Reason
from scripts.clinical.anatomy import HIP
from scripts.screening.findings import RadiographFindings, Seen, StudyFindings
from scripts.screening.interpretation import Interpretd


def unmeasured(reason: Reason) -> StudyFindings:
    """The findings of a study of which nothing was measured."""
    return StudyFindings((None,) * len(HIP.sides), None, reason)


def join_study(radiographs: Sequence[RadiographFindings], interpretation: Interpretd, network: Any) -> StudyFindings:
    """Join the radiographs of one study.

    A hip that several radiographs measured counts as on the one with the higher landmark confidence. Where both hips come from
    one radiograph its own channels stand; else the network estimates anew from the crops of both, and each hip keeps what was
    measured on its radiograph, and its cautions.

    Args:
        radiographs: at least one.
        interpretation: as the radiographs were interpreted.
        network: the `ScreeningNetwork` that made the predictions, in evaluation mode.
    """
    chosen = [_best(radiographs, index) for index in range(len(HIP.sides))]
    used = sorted({index for index in chosen if index is not None})
    if not used:
        return unmeasured(next(found.reason for found in radiographs if found.reason))
    seen = [found for index in used if (found := radiographs[index].seen)]
    if len(seen) == 1:
        screening = seen[0].screening
    else:
        lending = [radiographs[index].require() for index in chosen if index is not None]  # of the right and of the left hip
        screening = interpretation.interpret(_join(seen, network), _join_facts([found.facts for found in seen], lending))
    if screening.reason:
        return unmeasured(screening.reason)
    sources = [None if hip.reason else index for hip, index in zip(screening.hips, chosen, strict=True)]
    return StudyFindings(tuple(sources), screening, None)


def _join(seen: Sequence[Seen], network: Any) -> Tensor:
    """The channels (K,) of both hips, each from the radiograph that shows it best."""
    device = next(network.parameters()).device
    usable = torch.tensor([[hip.reason is None for hip in found.screening.hips] for found in seen], device=device)
    tensors = [{key: found.prediction[key].to(device) for key in ("channels", "crops", "around", "poses")} for found in seen]
    channels: Tensor = network.join(tensors, usable, seen[0].covariates.to(device))[0]
    return channels.cpu()


def _best(radiographs: Sequence[RadiographFindings], side: int) -> int | None:
    confidence = {
        index: found.seen.screening.hips[side].values["landmark_confidence"]
        for index, found in enumerate(radiographs)
        if found.seen and found.seen.screening.hips[side].reason is None
    }
    return max(confidence, key=lambda index: confidence[index], default=None)


def _join_facts(facts: Sequence[RadiographFacts], lending: Sequence[Seen]) -> RadiographFacts:
    """Those of all radiographs; what belongs to a hip is of the radiograph that lends it."""
    return replace(
        facts[0],
        age_years=next((one.age_years for one in facts if one.age_years is not None), None),
        sex=next((one.sex for one in facts if one.sex is not None), None),
        laterality="",
        assumptions=(),
        cautions=tuple(found.screening.hips[side].cautions for side, found in enumerate(lending)),
        measured=tuple(found.facts.measured[side] for side, found in enumerate(lending)),
    )
