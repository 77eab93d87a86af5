"""What lies on a detector when it is tested or forgotten: step wedges, bars, contrast discs, slabs, nothing at all."""

from __future__ import annotations

import numpy as np

from scripts.simulation.anatomy.solids import about_y
from scripts.simulation.others.scene import Scene
from scripts.simulation.others.shapes import Bone, Piece, block, chain, lump

_SOLID = Bone(0.0, 0.0)


def _slab(rng: np.random.Generator) -> tuple[Piece, ...]:
    """A slab of plastic under the object, in most radiographs."""
    if rng.random() < 0.3:
        return ()
    half, thick = rng.uniform(100, 260), float(rng.uniform(10, 200))
    return (block((-half, -thick / 2, -half), (half, thick / 2, half), _SOLID),)


def _scene(rng: np.random.Generator, metal: dict[str, list[Piece]], *, bare: bool = False) -> Scene:
    turn = about_y(float(rng.choice([0.0, 0.0, rng.normal(0, 0.05), rng.uniform(-3, 3)])))
    scene = Scene(
        flesh=() if bare else _slab(rng),
        metal=metal,
        height=float(rng.uniform(240, 420)),
        width=float(rng.uniform(240, 420)),
        detail=0.7,
        roughness=3.0,
        planes=0.0,
        marbling=0.02,
    )
    return scene.moved(turn, (float(rng.normal(0, 12)), 0, float(rng.normal(0, 12))))


def step_wedge(rng: np.random.Generator) -> Scene:
    """One to three wedges of steps."""
    steps: list[Piece] = []
    for n in range(int(rng.integers(1, 4))):
        count, wide, long, rise = int(rng.integers(5, 16)), rng.uniform(15, 60), rng.uniform(8, 22), rng.uniform(0.6, 3)
        left = -60.0 + 70 * n
        for k in range(count):
            top = -count * long / 2 + k * long
            steps.append(block((left, -rise * (k + 1), top), (left + wide, 0, top + long), _SOLID))
    return _scene(rng, {"ceramic": steps})


def test_pattern(rng: np.random.Generator) -> Scene:
    """Bars, a lattice or rows of discs, for resolution, distortion and contrast."""
    kind, parts = int(rng.integers(3)), []
    if kind == 0:
        pitch, reach = float(rng.uniform(10, 40)), float(rng.uniform(80, 170))
        for at in np.arange(-reach, reach + 1, pitch):
            parts.append(block((at - 0.6, 0, -reach), (at + 0.6, 1, reach), _SOLID))
            parts.append(block((-reach, 0, at - 0.6), (reach, 1, at + 0.6), _SOLID))
        return _scene(rng, {"steel": parts})
    if kind == 1:
        z, wide = -90.0, 6.0
        while wide > 0.5:
            parts += [block((-40 + 2 * wide * k, 0, z), (-40 + 2 * wide * k + wide, 0.5, z + 25), _SOLID) for k in range(5)]
            z, wide = z + 28, wide * 0.7
        return _scene(rng, {"lead": parts})
    for k in range(6):
        for n in range(6):
            parts.append(lump((-100 + 40 * k, 0, -100 + 40 * n), (14 - 2 * n, 0.4 + 0.7 * k, 14 - 2 * n), _SOLID))
    return _scene(rng, {"ceramic": parts})


def empty_exposure(rng: np.random.Generator) -> Scene:
    """Nothing, or a slab, or something lost on the detector."""
    things = {}
    if rng.random() < 0.4:
        line = np.cumsum(rng.normal(0, 25, (6, 3)) * (1, 0, 1), axis=0)
        things = {"steel": [chain(line, float(rng.uniform(0.5, 3)), _SOLID)]}
    return _scene(rng, things, bare=bool(rng.random() < 0.5))
