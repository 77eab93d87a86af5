"""One patient from the films of a study: which hip from which film, and the outcome of both hips together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from scripts.clinical import CHANNELS, RadiographFacts, Reason, Screening
from scripts.clinical.anatomy import HIP
from scripts.screening.interpretation import Interpretd, radiograph_facts


@dataclass(frozen=True)
class StudyOutcome:
    """Of a study's films together.

    films: index of the film that gives the right and the left hip's measurement; None where no film does.
    screening: the findings of both hips; None where no film was measured.
    reason: why there is none.
    """

    films: tuple[int | None, int | None]
    screening: Screening | None
    reason: Reason | None


def unmeasured(reason: Reason) -> StudyOutcome:
    """The outcome of a study of which nothing was measured."""
    return StudyOutcome((None, None), None, reason)


def interpret_study(
    films: Sequence[Mapping[str, Any]], reasons: Sequence[Reason | None], interpretation: Interpretd, network: Any
) -> StudyOutcome:
    """Join the films of one study.

    A hip that several films measured counts as on the film with the higher landmark confidence. Where both hips come from
    one film its own channels stand; else the network estimates anew from the crops of both films.

    Args:
        films: the items with their outputs, interpreted; those that could not be read are without "screening".
        reasons: why each was refused, or None.
        interpretation: as the films were interpreted.
        network: the `ScreeningNetwork` that made the outputs.
    """
    chosen = tuple(_best_film(films, index) for index in range(len(HIP.sides)))
    used = sorted({film for film in chosen if film is not None})
    if not used:
        return unmeasured(next(reason for reason in reasons if reason))
    if len(used) == 1:
        screening = films[used[0]]["screening"]
    else:
        channels = _named(_joined([films[film] for film in used], network))
        screening = interpretation.interpret(channels, _joint_facts([films[film] for film in used]))
    if screening.reason:
        return unmeasured(screening.reason)
    measured = [None if hip.reason else film for hip, film in zip(screening.hips, chosen, strict=True)]
    return StudyOutcome((measured[0], measured[1]), screening, None)


def _joined(films: Sequence[Mapping[str, Any]], network: Any) -> Tensor:
    """The channels (K,) of both hips, each from the film that shows it best."""
    device = next(network.parameters()).device
    usable = torch.tensor([[hip.reason is None for hip in film["screening"].hips] for film in films], device=device)
    tensors = [{key: film[key].to(device) for key in ("channels", "crops", "poses")} for film in films]
    with torch.no_grad():
        channels: Tensor = network.join(tensors, usable, films[0]["covariates"].to(device))[0]
    return channels.cpu()


def _best_film(films: Sequence[Mapping[str, Any]], side: int) -> int | None:
    confidence = {
        index: film["screening"].hips[side].present
        for index, film in enumerate(films)
        if "screening" in film and film["screening"].hips[side].reason is None
    }
    return max(confidence, key=lambda index: confidence[index], default=None)


def _named(channels: Any) -> dict[str, float]:
    return dict(zip(CHANNELS, channels.tolist(), strict=True))


def _joint_facts(films: Sequence[Mapping[str, Any]]) -> RadiographFacts:
    facts = [radiograph_facts(film["image"].meta, film["covariates"]) for film in films]
    ages, sexes = [one.age_years for one in facts], [one.sex for one in facts]
    return replace(
        facts[0],
        age_years=next((age for age in ages if age is not None), None),
        sex=next((sex for sex in sexes if sex is not None), None),
        laterality=facts[0].laterality if len(films) == 1 else "",
        assumptions=(),
    )
