"""One patient from the films of a study: which hip from which film, and the outcome of both hips together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scripts.clinical import CHANNELS, HIP_CHANNELS, SIDES, RadiographFacts, Reason, Screening
from scripts.clinical.channels import OSTEOPOROSIS
from scripts.results.postprocessing import Interpretd, radiograph_facts


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
    films: Sequence[Mapping[str, Any]], reasons: Sequence[Reason | None], interpretation: Interpretd
) -> StudyOutcome:
    """Join the films of one study.

    A hip that several films measured counts as on the film with the higher landmark confidence. The network's joint
    estimate ("patient_channels", made from the crops of the films "patient_films") stands where it is of the very hips that
    the gate let pass; else the hips' own channels do, with the highest of their films' probabilities of osteoporosis.

    Args:
        films: the items with their outputs, interpreted; those that could not be read are without "screening".
        reasons: why each was refused, or None.
        interpretation: as the films were interpreted.
    """
    chosen = tuple(_best_film(films, index) for index in range(len(SIDES)))
    used = sorted({film for film in chosen if film is not None})
    if not used:
        return unmeasured(next(reason for reason in reasons if reason))
    facts = _joint_facts([films[film] for film in used])
    screening = interpretation.interpret(_joint_channels(films, chosen, used), facts)
    if screening.reason:
        return unmeasured(screening.reason)
    measured = [None if hip.reason else film for hip, film in zip(screening.hips, chosen, strict=True)]
    return StudyOutcome((measured[0], measured[1]), screening, None)


def _best_film(films: Sequence[Mapping[str, Any]], side: int) -> int | None:
    confidence = {
        index: film["screening"].hips[side].present
        for index, film in enumerate(films)
        if "screening" in film and film["screening"].hips[side].reason is None
    }
    return max(confidence, key=lambda index: confidence[index], default=None)


def _joint_channels(films: Sequence[Mapping[str, Any]], chosen: Sequence[int | None], used: Sequence[int]) -> dict[str, float]:
    first = films[used[0]]
    joined = [int(film) for film in first["patient_films"]] if "patient_films" in first else [0] * len(SIDES)
    # A joint estimate to which a film lent a hip that the gate refused whole, or another hip than the chosen one, says nothing.
    of_the_chosen = all(film == want for film, want in zip(joined, chosen, strict=True) if want is not None)
    if of_the_chosen and all(film in used for film in joined if film >= 0):
        channels = _named(first.get("patient_channels", first["channels"]))
    else:
        channels = _named(first["channels"])
        channels[OSTEOPOROSIS] = max(_named(films[film]["channels"])[OSTEOPOROSIS] for film in used)
        for side, film in zip(SIDES, chosen, strict=True):
            own = _named(films[film]["channels"]) if film is not None else {}
            channels |= {name: own[name] for channel in HIP_CHANNELS if (name := f"{side}_{channel}") in own}
    for side, film in zip(SIDES, chosen, strict=True):
        if film is None:  # no film measured it: absent, so that it is refused again
            channels |= {f"{side}_{channel}": 0.0 for channel in HIP_CHANNELS}
    return channels


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
