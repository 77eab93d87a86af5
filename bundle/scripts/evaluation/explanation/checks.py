"""Checks of explanations: they change when weights are drawn at random, what they mark matters to the classifier, and maps of the
mineral are like the true ones.

Sources: Adebayo et al., NeurIPS 2018 (weights drawn at random, layer after layer from the end); Petsiuk et al., BMVC 2018
(deletion).
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np
import torch
from matplotlib.figure import Figure
from monai.networks.utils import eval_mode
from monai.utils import set_determinism
from scipy.stats import spearmanr, wilcoxon
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from scripts.dataset.studies import spread_evenly
from scripts.evaluation.accuracy.tables import plain, text
from scripts.evaluation.explanation.minerals import compare_one, has_map, summarise_maps, tell_of_maps
from scripts.evaluation.looking import look_at
from scripts.files import replacing, write_table
from scripts.screening import Explainer, MineralMapper, RadiographFindings, Screen, Seen
from scripts.screening.explanation import told_of

FILES: Final = ("explanation.md", "explanation.csv", "explanation.json", "explanation.png")
SHARES: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Of a crop's patches, that are deleted."""
_COLUMNS: Final = ("check", "of", "at", "value")
_PATCH: Final = 16  # pixels of a crop, 9 mm
_BLUR: Final = 81  # pixels, over which a deleted patch becomes the mean
_ORDERED: Final = {"marked": "what is marked most, first", "chance": "by chance", "unmarked": "what is marked least, first"}
_ORDERS: Final = 5
"""Drawn by chance, that the explanation's is compared with."""


def check_explanations(
    radiographs: Sequence[Mapping[str, Any]],
    screen: Screen,
    explainer: Explainer,
    mapper: MineralMapper,
    sample: int,
    output_dir: str,
    provenance: Mapping[str, Any],
    notice: str,
    seed: int,
) -> dict[str, Any]:
    """Check the explanations of some radiographs, one a patient, and write `FILES`; the same call goes on where it was stopped.

    Args:
        radiographs: items of `scripts.dataset.studies.sort_studies`.
        screen: of `inference.yaml`.
        explainer: of its classifier.
        mapper: draws maps of the mineral, which are compared with the true ones where the manifest names these.
        sample: how many radiographs, at most; they are taken evenly over all.
        output_dir: where to; it must exist.
        provenance: plain data on what made it.
        notice: the sentence that every result carries.
        seed: of random weights and orders.

    Raises:
        ValueError: where no hip of them is measured, or output_dir holds a run of other settings.
    """
    folder = Path(output_dir)
    patients = {str(item["patient"]): item for item in reversed(radiographs)}
    items = {str(item["name"]): item for item in spread_evenly([dict(item) for item in reversed(patients.values())], sample)}
    randomised = list(randomise(explainer.classifier, seed))

    def observe(found: RadiographFindings, item: Mapping[str, Any]) -> Any:
        if found.seen is None:
            return None
        one = observe_one(explainer, found.seen, randomised, crc32(found.name.encode()))
        if one is not None and has_map(item):
            one["maps"] = compare_one(mapper, found.seen, item)
        return one

    observed = look_at(items, screen, folder / "explanation.jsonl", provenance, observe, free=("sample",))
    seen = [one for one in observed.values() if one is not None]
    if not seen:
        raise ValueError(f"No hip of the {len(items)} radiographs was measured, so no explanation was checked.")
    document = summarise(seen, [name for name, _ in randomised])
    document["maps"] = summarise_maps([hip for one in seen for hip in one.get("maps", [])])
    with replacing(folder / "explanation.md") as temporary:
        temporary.write_text("\n".join(_page(document, notice)) + "\n", encoding="utf-8")
    write_table(folder / "explanation.csv", _COLUMNS, list(_table(document)))
    with replacing(folder / "explanation.json") as temporary:
        content = plain({**document, "notice": notice, "provenance": provenance})
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    with replacing(folder / "explanation.png") as temporary:
        draw(document).savefig(temporary, dpi=120, format="png")
    print(f"Explanations of {len(seen)} of {len(items)} radiographs checked; written to {folder}: {', '.join(FILES)}.")
    return document


def randomise(classifier: nn.Module, seed: int) -> Iterator[tuple[str, nn.Module]]:
    """Copies with more and more weights drawn at random, from the end on: each named by the part that was drawn last."""
    drawn = copy.deepcopy(classifier)
    set_determinism(seed)
    backbone = dict(drawn.named_modules()).get("encoder.backbone")
    inner = [f"encoder.backbone.{name}" for name, part in backbone.named_children()] if backbone is not None else []
    learnt = [name for name in ("fusion", *reversed(inner)) if any(True for _ in drawn.get_submodule(name).parameters())]
    for name in learnt:
        for part in drawn.get_submodule(name).modules():
            if callable(reset := getattr(part, "reset_parameters", None)):
                reset()
        yield name.removeprefix("encoder.backbone."), copy.deepcopy(drawn)


def observe_one(
    explainer: Explainer, seen: Seen, randomised: Sequence[tuple[str, nn.Module]], seed: int
) -> dict[str, Any] | None:
    """Of one radiograph, plain numbers; None where no hip is measured.

    Returns:
        "likeness": by part, Spearman's correlation of Grad-CAM with that of random weights, over the crops of measured hips, None
        where one of the two is empty;
        "deleted": by kind of order ("marked" most first, "chance", "unmarked" least first), how far the logit has moved at each
        of `SHARES`.
    """
    explanation = explainer(seen)
    if explanation is None:
        return None
    told = told_of(seen, next(explainer.classifier.parameters()).device)
    hips = [side for side in range(2) if told["valid"][0, side] > 0]
    map_of = explanation.coarse[hips]
    likeness: dict[str, float | None] = {}
    for name, classifier in randomised:
        other = explainer.explain(classifier, seen)
        found = _correlation(map_of, other.coarse[hips]) if other else math.nan
        likeness[name] = found if math.isfinite(found) else None
    random = np.random.default_rng(seed)
    patches = avg_pool2d(explanation.coarse[None], _PATCH)[0][hips].flatten().numpy()
    marked = np.argsort(-patches, kind="stable")
    moved = {
        "marked": _moved(explainer.classifier, told, hips, marked),
        "unmarked": _moved(explainer.classifier, told, hips, marked[::-1]),
        "chance": np.mean(
            [_moved(explainer.classifier, told, hips, random.permutation(len(patches))) for _ in range(_ORDERS)], axis=0
        ).tolist(),
    }
    return {"logit": round(explanation.logit, 5), "likeness": likeness, "deleted": moved}


def summarise(seen: Sequence[Mapping[str, Any]], parts: Sequence[str]) -> dict[str, Any]:
    """Means over radiographs, and the p of Wilcoxon's test that what is marked moves the logit more than chance does."""
    likeness = {name: float(np.nanmean(np.array([one["likeness"][name] for one in seen], dtype=float))) for name in parts}
    deleted = {kind: np.mean([one["deleted"][kind] for one in seen], axis=0).tolist() for kind in _ORDERED}
    differences = [np.mean(one["deleted"]["marked"]) - np.mean(one["deleted"]["chance"]) for one in seen]
    p = float(wilcoxon(differences, alternative="greater").pvalue) if len(seen) > 4 else math.nan
    return {"radiographs": len(seen), "likeness": likeness, "shares": list(SHARES), "deleted": deleted, "p": p}


def draw(document: Mapping[str, Any]) -> Figure:
    """Likeness by how much is random, and how far the logit moves by how much is deleted."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    names = ["nothing", *document["likeness"]]
    left.plot(range(len(names)), [1.0, *document["likeness"].values()], "o-")
    left.set(xticks=range(len(names)), ylim=(-0.3, 1.05), title="weights drawn at random, down to")
    left.set_ylabel("rank correlation with the explanation")
    left.set_xticklabels(names, rotation=40, ha="right")
    left.axhline(0.0, color="grey", linewidth=0.5)
    for kind, title in _ORDERED.items():
        right.plot([0, *document["shares"]], [0, *document["deleted"][kind]], "o-", label=title)
    right.set(xlabel="share of the hips' crops that is blurred", ylabel="the logit has moved by", title="deletion")
    right.legend()
    return figure


def _moved(classifier: nn.Module, told: Mapping[str, Tensor], hips: Sequence[int], order: Any) -> list[float]:
    """How far the logit moves, |difference|, when the first patches of an order are blurred."""
    crops = told["crops"]
    side = crops.shape[-1] // _PATCH
    blurred = avg_pool2d(crops, _BLUR, 1, _BLUR // 2, count_include_pad=False)
    deleted = [crops]
    for share in SHARES:
        kept = torch.ones(len(hips) * side * side)
        kept[torch.as_tensor(np.ascontiguousarray(order[: round(share * len(kept))]))] = 0.0
        mask = torch.ones(1, 2, side, side)
        mask[0, list(hips)] = kept.view(len(hips), side, side)
        wide = interpolate(mask, scale_factor=float(_PATCH)).to(crops.device)
        deleted.append(crops * wide + blurred * (1 - wide))
    rest = {key: value.expand(len(deleted), *value.shape[1:]) for key, value in told.items() if key != "crops"}
    with eval_mode(classifier):
        logits = classifier(crops=torch.cat(deleted), **rest)["logit"][:, 0]
    return [round(abs(float(logit - logits[0])), 5) for logit in logits[1:]]


def _correlation(one: Tensor, other: Tensor) -> float:
    """Over the patches; NaN where either is the same everywhere."""
    both = [avg_pool2d(values[None], _PATCH)[0].flatten().numpy() for values in (one, other)]
    if min(float(np.ptp(values)) for values in both) <= 0:
        return math.nan
    return round(float(spearmanr(*both).statistic), 5)


def _page(document: Mapping[str, Any], notice: str) -> Iterator[str]:
    yield from ("# Explanations, checked", "", f"{notice}.", "", f"{document['radiographs']} radiographs.", "")
    yield from ("| Weights drawn at random, from the end down to | Rank correlation with the explanation |", "|---|---|")
    for name, value in document["likeness"].items():
        yield f"| {name} | {text(value, 2)} |"
    shares = " | ".join(f"{share:.0%}" for share in document["shares"])
    yield from ("", f"| Share of the hips' crops that is blurred | {shares} |")
    yield "|---|" + "---|" * len(document["shares"])
    for kind, title in _ORDERED.items():
        yield f"| {title} | {' | '.join(text(value, 2) for value in document['deleted'][kind])} |"
    p = document["p"]
    shown = "not tested, of fewer than five" if not math.isfinite(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    yield ""
    yield f"By how much the logit moves; that what is marked moves it more than chance does: {shown} (Wilcoxon, one-sided)."
    if document["maps"]:
        yield from tell_of_maps(document["maps"])


def _table(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    rows = [("likeness", name, "", value) for name, value in document["likeness"].items()]
    for kind, values in document["deleted"].items():
        rows += [("deletion", kind, share, value) for share, value in zip(document["shares"], values, strict=True)]
    rows += [("mineral map", name, "", value) for name, value in (document["maps"] or {}).items()]
    for *place, value in rows:
        yield dict(zip(_COLUMNS, (*place, f"{value:.4f}" if math.isfinite(value) else ""), strict=True))
