"""The command that writes the radiomics of every hip of a folder that can be measured, and how stable each feature is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from scripts.clinical import HIP
from scripts.dataset.truth import read_truth
from scripts.evaluation.looking import look_at
from scripts.evaluation.radiomics.outliers import FAR, Outlier, find_outliers
from scripts.evaluation.radiomics.outliers import FEWEST as FEWEST_TO_COMPARE
from scripts.evaluation.radiomics.stability import FEWEST, Stability, format_stability, measure_stability
from scripts.files import place_in, replacing, write_table
from scripts.measurement.outline import Outline
from scripts.measurement.radiomics.hip import HIP_NAMES, hip_radiomics
from scripts.screening import RadiographFindings, Screen

_DIGITS: Final = 9
_IDENTITY: Final = ("name", "file", "site", "side", "code")


def write_radiomics(
    radiographs: Sequence[Mapping[str, Any]],
    screen: Screen,
    dataset_dir: str,
    output_dir: str,
    provenance: Mapping[str, Any],
    notice: str,
) -> list[Stability]:
    """Write radiomics.csv, a row a hip; of twenty hips, outliers.csv; of ten that are repeated, stability.csv and stability.md.

    What was measured on each radiograph is kept in radiomics.jsonl as soon as it is finished: the same call goes on where it was
    stopped.

    Args:
        radiographs: items of `scripts.dataset.studies.sort_studies`.
        screen: of `inference.yaml`.
        dataset_dir: their folder.
        output_dir: where to; it must exist.
        provenance: plain data on what made the results.
        notice: the sentence that every result carries.

    Returns:
        of every feature; none where fewer than `FEWEST` hips are repeated.

    Raises:
        ValueError: when no hip could be measured, or output_dir holds a run of other settings.
        BusyError: when another run writes to output_dir.
    """
    folder = Path(output_dir)
    items = {str(item["name"]): item for item in radiographs}
    seen = look_at(items, screen, folder / "radiomics.jsonl", provenance, _observe)
    rows = [row for name, hips in seen.items() for row in _rows(items[name], Path(dataset_dir), hips)]
    measured = [row for row in rows if any(row[name] is not None for name in HIP_NAMES)]
    if not measured:
        raise ValueError(f"No hip of the {len(items)} radiographs was measured, so there are no radiomics. No table was written.")
    write_table(folder / "radiomics.csv", [*_IDENTITY, *HIP_NAMES], rows)
    written = ["radiomics.csv"]
    outliers = find_outliers(measured)
    if len(measured) >= FEWEST_TO_COMPARE:
        write_table(folder / "outliers.csv", list(Outlier.COLUMNS), [one.row() for one in outliers])
        written.append("outliers.csv")
        hips = len({(one.name, one.side) for one in outliers})
        print(
            f"{len(outliers)} values of {hips} hips lie over {FAR:g} interquartile ranges from the median of all hips: "
            "outliers.csv. Look at these radiographs before the values are used."
            if outliers
            else f"No value lies over {FAR:g} interquartile ranges from the median of all hips."
        )
    else:
        (folder / "outliers.csv").unlink(missing_ok=True)
    repeats = [(row, read_truth(items[row["name"]]).repeat_of) for row in measured]
    stability = measure_stability([((*of, row["side"]), row) for row, of in repeats if of])
    if stability:
        write_table(folder / "stability.csv", list(Stability.COLUMNS), [one.row() for one in stability])
        with replacing(folder / "stability.md") as temporary:
            temporary.write_text(format_stability(stability, notice), encoding="utf-8")
        written += ["stability.csv", "stability.md"]
    else:
        for stale in ("stability.csv", "stability.md"):
            (folder / stale).unlink(missing_ok=True)
        print(
            f"Fewer than {FEWEST} hips have repeated radiographs (column `repeat` of the manifest): stability was not measured."
        )
    print(
        f"{len(measured)} hips of {len(items)} radiographs, {len(HIP_NAMES)} features each; written to {folder}: "
        f"{', '.join(written)}"
    )
    return stability


def _observe(found: RadiographFindings, item: Mapping[str, Any]) -> dict[str, Any]:
    """Of each side its code and its features; None where one is not known."""
    seen = found.seen
    if seen is None:
        return {side: {"code": str(found.reason.code) if found.reason else "", "features": None} for side in HIP.sides}
    outline = Outline(torch.sigmoid(seen.prediction["mask_logits"][0]).numpy(), tuple(seen.image.meta["spacing_mm"]))
    observed = {}
    for hip, geometry in zip(seen.screening.hips, seen.geometry, strict=True):
        values = None
        if hip.reason is None:
            features = hip_radiomics(seen.image[0].numpy(), outline, geometry)
            values = [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in features]
        observed[hip.side] = {"code": str(hip.reason.code) if hip.reason else "", "features": values}
    return observed


def _rows(item: Mapping[str, Any], folder: Path, hips: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    file = place_in(folder, Path(item["image"]))
    for side, hip in hips.items():
        features = hip["features"] or [None] * len(HIP_NAMES)
        identity = {"name": item["name"], "file": file, "site": item.get("site", ""), "side": side}
        yield {**identity, "code": hip["code"], **dict(zip(HIP_NAMES, features, strict=True))}
