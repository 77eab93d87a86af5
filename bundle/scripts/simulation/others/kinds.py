"""All kinds of radiographs that must be refused, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from scripts.simulation.others import distortions, hips, limbs, targets, trunk
from scripts.simulation.others.scene import Scene, Taken, take_scene
from scripts.simulation.sites import Site

Kind = Callable[[np.random.Generator, Site, float | None], Taken]
"""Takes a radiograph: source of randomness, the site, the detector's pixel spacing in mm (None: the site's own)."""


def _kind(build: Callable[[np.random.Generator], Scene]) -> Kind:
    return lambda rng, site, spacing: take_scene(build(rng), rng, site, spacing)


def child_pelvis(rng: np.random.Generator, site: Site, spacing: float | None) -> Taken:
    """A child's pelvis; the pixel spacing in the header of one in two makes it as large as an adult's, as a placeholder may."""
    scene = hips.child_pelvis(rng)
    taken = take_scene(scene, rng, site, spacing)
    if rng.random() < 0.5:
        return taken
    return replace(taken, view=replace(taken.view, spacing=taken.view.spacing / scene.size))


_SCENES = (
    trunk.chest, trunk.chest_lateral, trunk.abdomen, trunk.thoracic_spine, trunk.lumbar_spine_ap, trunk.lumbar_spine_lateral,
    trunk.shoulder, trunk.skull_ap, trunk.skull_lateral, limbs.upper_arm, limbs.elbow, limbs.forearm, limbs.hand,
    limbs.femoral_shaft, limbs.knee_ap, limbs.knee_lateral, limbs.ankle, limbs.foot, hips.lateral_hip,
    hips.turned_pelvis, hips.animal_pelvis, targets.step_wedge, targets.test_pattern, targets.empty_exposure,
)  # fmt: skip
_TAKEN = (
    child_pelvis, distortions.upside_down, distortions.on_its_side, distortions.wrong_scale, distortions.overexposed,
    distortions.underexposed, distortions.clipped, distortions.blurred, distortions.inverted, distortions.noise,
)  # fmt: skip

KINDS: Final[Mapping[str, Kind]] = {build.__name__: _kind(build) for build in _SCENES} | {take.__name__: take for take in _TAKEN}
"""Name -> how to take one."""
