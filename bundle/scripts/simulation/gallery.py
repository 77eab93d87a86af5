"""One film of every implant, disease, kind of belonging and vendor style, on labelled sheets: what the simulator can do, to look at."""

from dataclasses import dataclass

from scripts.radiograph.landmarks import SIDES
from scripts.simulation.disease import Disease, Fracture
from scripts.simulation.implants import Implant
from scripts.simulation.processing import STYLES

_COLUMNS = 4
_HEALTHY = {side: Disease() for side in SIDES}
_UNTOUCHED = dict.fromkeys(SIDES, Implant.NONE)


@dataclass(frozen=True)
class _Tile:
    title: str
    style: str = "A"
    density: float | None = None
    diseases: tuple[Disease, Disease] = (Disease(), Disease())
    implants: tuple[Implant, Implant] = (Implant.NONE, Implant.NONE)


def _sheets() -> dict[str, list[_Tile]]:
    none = Implant.NONE
    return {
        "styles": [_Tile(f"vendor style {name}", style=name) for name in STYLES],
        "diseases": [
            _Tile("total hip 1.05 g/cm²", density=1.05),
            _Tile("total hip 0.60 g/cm²", density=0.60),
            _Tile("osteoarthritis, mild and severe", diseases=(Disease(0.45), Disease(0.95))),
            _Tile("enthesophytes", diseases=(Disease(0.1, 0.9), Disease(0.2, 0.9))),
            _Tile("displaced neck fracture", density=0.68, diseases=(Disease(fracture=Fracture.NECK), Disease())),
            _Tile("intertrochanteric fracture", density=0.68, diseases=(Disease(), Disease(fracture=Fracture.INTERTROCHANTERIC))),
        ],
        "implants": [
            _Tile(f"{kind.value.replace('_', ' ')}", implants=(kind, none) if k % 2 else (none, kind))
            for k, kind in enumerate(3 * [Implant.TOTAL_HIP] + 2 * [Implant.HEMIARTHROPLASTY])
        ]
        + [
            _Tile(kind.value.replace("_", " "), implants=(kind, none))
            for kind in (Implant.SLIDING_HIP_SCREW, Implant.NAIL, Implant.SCREWS)
        ],
    }
