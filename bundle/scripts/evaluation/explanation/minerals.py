"""How well the maps of the mineral that are drawn agree with the true ones, which a simulated cohort has."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scripts.clinical.anatomy import HIP
from scripts.dataset.minerals import MAP_LABELS, MINERAL_STEP, REGION_BITS, LoadMineralMapsd
from scripts.networks.mineral import COMPARTMENTS, FEMORAL
from scripts.screening import MineralMapper, Seen

_TOTAL: Final = len(COMPARTMENTS) + REGION_BITS.index(2)
_LEAST: Final = 20
"""Pixels of a region that are compared."""


def has_map(item: Mapping[str, Any]) -> bool:
    """Whether the manifest names a true map of a radiograph."""
    return all(item.get(label) for label in MAP_LABELS)


def compare_one(mapper: MineralMapper, seen: Seen, item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compare the maps of one radiograph with the true ones, over DXA's region of the total hip.

    Args:
        mapper: draws them.
        seen: the radiograph.
        item: that names the true maps.

    Returns:
        of each hip that is drawn plain data: "site", its hospital; of the region's pixels, in the same order for all patients'
        hips, "pixels" (their places in the map), "drawn" and "true" (g/cm²).

    Raises:
        ValueError: when a true map cannot be read or has another shape than its radiograph.
    """
    found = mapper(seen)
    if found is None:
        return []
    labels: dict[Hashable, Any] = {label: item[label] for label in MAP_LABELS}
    maps = LoadMineralMapsd(factor=1)({"image": seen.image, **labels})["maps"].float()
    true = mapper.on_map(maps, found.transforms[None])  # (2, compartments and regions, h, w)
    hips = []
    for side in range(len(HIP.sides)):
        inside = (true[side, _TOTAL] > 0.5 * 255).flatten().numpy()
        if not found.drawn[side] or inside.sum() < _LEAST:
            continue
        femur = true[side, :FEMORAL].sum(dim=0).flatten().numpy() * MINERAL_STEP
        drawn = found.mineral[side].flatten().numpy()
        pixels = np.flatnonzero(inside)
        hips.append(
            {
                "site": str(item.get("site") or ""),
                "pixels": pixels.tolist(),
                "drawn": drawn[pixels].round(3).tolist(),
                "true": femur[pixels].round(3).tolist(),
            }
        )
    return hips


def summarise_maps(hips: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """How well drawn maps agree with the true ones; None where there are fewer than two hips.

    Returns:
        "hips"; "r", the median over hips of Pearson's r of a region's pixels, and "r_low", its lowest tenth; "r_other", the
        median where the mean of all other hips' true maps stands in the place of what was drawn: what is known without the
        radiograph; "rmse", g/cm², the median of the root mean square difference of both, each without its mean over the region.
    """
    if len(hips) < 2:
        return None
    size = 1 + max(max(hip["pixels"]) for hip in hips)
    true = np.full((len(hips), size), np.nan)
    for row, hip in zip(true, hips, strict=True):
        row[hip["pixels"]] = hip["true"]
    total, count = np.nansum(true, axis=0), np.isfinite(true).sum(axis=0)
    r, r_other, error = [], [], []
    for row, hip in zip(true, hips, strict=True):
        drawn, own = np.array(hip["drawn"]), np.array(hip["true"])
        r.append(_correlation(drawn, own))
        others = (total - np.nan_to_num(row))[hip["pixels"]] / np.maximum(count - np.isfinite(row), 1)[hip["pixels"]]
        r_other.append(_correlation(others, own))
        error.append(np.sqrt(np.mean((drawn - drawn.mean() - own + own.mean()) ** 2)))
    return {
        "hips": len(hips),
        "r": float(np.nanmedian(r)),
        "r_low": float(np.nanquantile(r, 0.1)),
        "r_other": float(np.nanmedian(r_other)),
        "rmse": float(np.median(error)),
    }


def tell_of_maps(found: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a page that tell of `summarise_maps`."""
    yield from ("", "## Maps of the mineral", "")
    yield (
        f"{found['hips']} hips of a cohort whose true maps are known, pixel by pixel of 2.4 mm over the total hip: median r "
        f"{found['r']:.2f}, one in ten below {found['r_low']:.2f}; by the mean of the other hips' true maps, which knows nothing "
        f"of the radiograph, {found['r_other']:.2f}. Root mean square difference, each map without its mean: "
        f"{found['rmse']:.2f} g/cm²."
    )


def _correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(np.corrcoef(one, other)[0, 1]) if min(np.ptp(one), np.ptp(other)) > 0 else float("nan")
