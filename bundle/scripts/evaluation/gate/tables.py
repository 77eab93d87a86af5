"""How often the gate was right: shares with their intervals, by kind, site, hip and code, and the radiographs it got wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

from scripts.evaluation.gate.radiographs import FINE, SLIGHT, GateHip, GateRadiograph
from scripts.evaluation.statistics.discrimination import wilson_interval
from scripts.files import write_table

Judged = TypeVar("Judged", GateRadiograph, GateHip)


@dataclass(frozen=True)
class Share:
    """How many of a group the gate treated as it should: ``right`` of ``of``, with a 95% interval (Wilson).

    level: "radiograph" or "hip". group: all that must be accepted, or refused, or one part of them. wanted: "accepted" or
    "refused". codes: of those refused, such as "NOT_A_HIP 12, NOVEL 3".
    """

    level: str
    group: str
    wanted: str
    of: int
    right: int
    share: float
    ci95_low: float
    ci95_high: float
    codes: str


def measure_gate_shares(radiographs: Sequence[GateRadiograph]) -> list[Share]:
    """All groups: acceptance of valid radiographs by site, refusal of the others by kind, and of hips by what they are.

    A hip counts only on a radiograph that must be accepted: so a fine one beside an implant must be measured. One that
    is `SLIGHT` counts for nothing.
    """
    valid = [one for one in radiographs if one.kind == FINE]
    others = [one for one in radiographs if one.kind != FINE]
    shares = [_of_radiographs("valid", True, valid)]
    shares += [_of_radiographs(f"valid, {site}", True, part) for site, part in _by(valid, lambda one: one.site) if site]
    shares += [_of_radiographs("to be refused", False, others)]
    shares += [_of_radiographs(kind, False, part) for kind, part in _by(others, lambda one: one.kind)]
    hips = [hip for one in valid for hip in one.hips if hip.truth not in ("", SLIGHT)]
    shares += [_of_hips(truth, truth == FINE, part) for truth, part in _by(hips, lambda hip: hip.truth)]
    return [share for share in shares if share.of]


def write_shares(shares: Sequence[Share], path: Path) -> None:
    """Write one row a group."""
    write_table(path, [field.name for field in fields(Share)], map(asdict, shares))


def write_wrong(radiographs: Sequence[GateRadiograph], path: Path) -> None:
    """Write one row for every radiograph that was accepted or refused wrongly."""
    rows = (
        {
            **{name: getattr(one, name) for name in ("file", "kind", "site", "code")},
            "wanted": "accepted" if one.kind == FINE else "refused",
            "hip_codes": " ".join(hip.code or "measured" for hip in one.hips),
            **{name: f"{value:.4g}" for name, value in one.values.items()},
        }
        for one in radiographs
        if not one.right
    )
    values = radiographs[0].values if radiographs else ()
    write_table(path, ("file", "kind", "site", "wanted", "code", "hip_codes", *values), rows)


def format_gate(shares: Sequence[Share], radiographs: Sequence[GateRadiograph], notice: str) -> str:
    """The same as one page of Markdown."""
    wrong = [one for one in radiographs if not one.right]
    lines = [
        "# The gate",
        "",
        f"{notice}.",
        "",
        f"{len(radiographs)} radiographs, {len(wrong)} of them judged wrongly (wrong.csv). A radiograph is accepted where at "
        "least one hip was measured. Intervals are 95% (Wilson).",
        "",
        "| | Group | Should be | Was | 95% interval | Codes of those refused |",
        "|---|---|---|---|---|---|",
    ]
    for share in shares:
        interval = f"{100 * share.ci95_low:.1f} to {100 * share.ci95_high:.1f}%"
        found = f"{share.right} of {share.of} ({100 * share.share:.1f}%)"
        lines.append(f"| {share.level} | {share.group} | {share.wanted} | {found} | {interval} | {share.codes} |")
    return "\n".join([*lines, ""])


def _of_radiographs(group: str, accept: bool, radiographs: Sequence[GateRadiograph]) -> Share:
    return _share("radiograph", group, accept, [one.accepted for one in radiographs], [one.code for one in radiographs])


def _of_hips(group: str, accept: bool, hips: Sequence[GateHip]) -> Share:
    return _share("hip", group, accept, [hip.measured for hip in hips], [hip.code for hip in hips])


def _share(level: str, group: str, accept: bool, accepted: Sequence[bool], codes: Sequence[str]) -> Share:
    right, of = sum(value == accept for value in accepted), len(accepted)
    low, high = wilson_interval(right, of)
    counted = Counter(code for code in codes if code).most_common()
    told = ", ".join(f"{code} {count}" for code, count in sorted(counted, key=lambda item: (-item[1], item[0])))
    return Share(level, group, "accepted" if accept else "refused", of, right, right / of if of else 0.0, low, high, told)


def _by(items: Sequence[Judged], key: Callable[[Judged], str]) -> Iterator[tuple[str, list[Judged]]]:
    for value in sorted({key(item) for item in items}):
        yield value, [item for item in items if key(item) == value]
