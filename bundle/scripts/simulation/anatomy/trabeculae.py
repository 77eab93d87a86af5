"""The trabecular pattern of a femur on the radiograph: fine strands that run along its five groups and break up as bone is lost.

Each group has its own curved coordinates (``femur_bone.strands``): across its strands and along them. Streak noise that is
stretched along the strands is looked up there, so lines follow the fan from the calcar to the dome and the arcs from the lateral
cortex, and cross where groups overlap. Trabeculae are 0.1-0.2 mm thick and some 0.7 mm apart; a radiograph sums many layers, so
no single distance stands out: power falls with frequency as in fractional Brownian motion (docs/simulation.md).
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, pad

from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_bone import GROUPS, group_share, strands
from scripts.simulation.physics.projection import ImagePlane

_TILE_MM, _TILE_SPACING = 96.0, 0.15
_LAYERS = 3
_COARSE_MM = 1.8
_SEED = 20
_COARSER = 0.8
_STREAKS = 0.55
_HURST = 0.65
"""Exponent of the fractional Brownian motion that radiographs of trabeculae resemble."""
_KNEE = 1.4
"""Distance between strands, in these, above which the pattern has no more power."""
_CONTRAST = (0.20, 0.17)
"""Coefficient of variation of the pattern in dense bone, and what is added when all is lost."""


@lru_cache(maxsize=16)
def _tile(spacing: float, device: torch.device) -> Tensor:
    """Three periodic noise images (3, n, n) of mean 0 and SD 1 for pixels of ``spacing`` mm, rows along the strands: close and
    wide-set strands, and long streaks."""
    n = round(_TILE_MM / _TILE_SPACING)
    generator = torch.Generator().manual_seed(_SEED)
    along = torch.fft.fftfreq(n, _TILE_SPACING)[:, None]
    across = torch.fft.fftfreq(n, _TILE_SPACING)[None, :]
    tiles = []
    for apart, long in ((0.8, 8.0), (1.6, 9.0), (3.2, 11.0)):
        frequency = torch.hypot(across, along * long)
        unblurred = (frequency.square() + (_KNEE * apart) ** -2).pow(-(_HURST + 1) / 2)
        # What a pixel cannot resolve is averaged away.
        shape = unblurred * torch.exp(-2 * (torch.pi * 0.35 * spacing) ** 2 * (across.square() + along.square()))
        noise = torch.fft.fft2(torch.randn(n, n, generator=generator))
        image = torch.fft.ifft2(noise * shape).real
        tiles.append(image / unblurred.square().mean().sqrt())
    return torch.stack(tiles).to(device)


def trabecular_texture(femur: Femur, plane: ImagePlane, generator: torch.Generator) -> Tensor:
    """Return a multiplier of mean 1 (plane.rows, plane.columns) for the trabecular mineral of ``femur`` as it lies.

    Args:
        femur: its shape, mineral and pose; each fragment of a broken one carries its own pattern along.
        plane: the pixels, of any spacing; outside the femur the multiplier is 1.
        generator: source of the pattern's offsets.
    """
    texture = torch.ones(plane.rows, plane.columns, device=femur.position.device)
    offsets = torch.rand(len(GROUPS), _LAYERS, 2, 2, generator=generator).to(texture)
    wobble = torch.randn(2, 1, 26, 15, generator=generator).to(texture)
    window = plane.window(*femur.box())
    rows, columns = (part.stop - part.start for part in window)
    if rows < 2 or columns < 2:
        return texture
    top, left = (part.start for part in window)
    coarse_rows, coarse_columns = (max(2, round(n * plane.spacing / _COARSE_MM)) for n in (rows, columns))
    z = plane.top + (top + torch.linspace(0, rows - 1, coarse_rows, device=texture.device)) * plane.spacing
    x = plane.left + (left + torch.linspace(0, columns - 1, coarse_columns, device=texture.device)) * plane.spacing
    local, within = on_mid_plane(femur, plane, x, z)
    bend = interpolate(wobble, size=(coarse_rows, coarse_columns), mode="bicubic", align_corners=True)[:, 0]
    found = strands(femur, local[..., 0], local[..., 2])
    fade = torch.sigmoid((femur.drop + 42.0 - local[..., 2]) / 7.0) * within
    spongy = femur.bone.trabeculae
    share = torch.tensor([k * group for k, group in zip(group_share(femur.bone.pattern), spongy.groups, strict=True)]).to(texture)
    # A thin background keeps the pattern of the strongest groups everywhere.
    weight = (found.envelope + 0.04) * (0.15 + share[:, None, None])
    weight = weight / weight.square().sum(0).sqrt().clamp_min(1e-3)
    maps = torch.cat([
        (found.across + 0.3 * bend[0]) * femur.size, (found.along + 1.5 * bend[1]) * femur.size, weight, fade[None],
    ])  # fmt: skip
    maps = interpolate(maps[None], size=(rows, columns), mode="bilinear", align_corners=True)[0]
    count = len(GROUPS)
    across, along, weight, fade = maps[:count], maps[count : 2 * count], maps[2 * count : 3 * count], maps[-1]

    lost = min(1.0, max(0.0, 1.0 - femur.bone.pattern))
    tile = _tile(round(plane.spacing, 3), texture.device)
    # As bone is lost, and in Paget's disease, strands stand farther apart.
    wide = max(lost, femur.coarseness)
    mixed = tile[0] * (1 - 0.75 * wide) ** 0.5 + tile[1] * (0.25 + 0.75 * wide) ** 0.5
    mixed = mixed + _STREAKS * femur.streaks * tile[2]
    mixed = pad(mixed[None, None], (0, 1, 0, 1), "circular")
    pattern = torch.zeros(rows, columns, device=texture.device)
    for group in range(count):
        for layer in range(_LAYERS):
            u = across[group] * (1 + 0.31 * layer) * spongy.number / _TILE_MM + offsets[group, layer, 0, 0]
            v = along[group] / spongy.anisotropy / _TILE_MM + offsets[group, layer, 0, 1] + 0.02 * layer * u
            where = torch.stack([u - u.floor(), v - v.floor()], dim=-1) * 2 - 1
            looked_up = grid_sample(mixed, where[None], align_corners=True)[0, 0]
            pattern.addcmul_(looked_up, weight[group], value=_LAYERS**-0.5)
    # Thin strands vanish and the ones that are left stand out: the dark side of the pattern is flattened, the bright one not.
    sharp = torch.where(pattern > 0, pattern * (1 + 0.6 * lost), pattern * (1 - 0.35 * lost))
    contrast = (_CONTRAST[0] + _CONTRAST[1] * lost) * (1 + _COARSER * femur.coarseness) * spongy.thickness * sharp * fade
    inside = fade > 0.05
    if inside.any():
        contrast = contrast - fade * (contrast[inside].sum() / fade[inside].sum())
    texture[window] += contrast.clamp_min(-0.85)
    return texture


def on_mid_plane(femur: Femur, plane: ImagePlane, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays meet the plane through shaft and neck, in the frame of the unbroken femur (rows, columns, 3), mm before
    ``size``, and whether that is in the bone (0..1).

    Seen along that plane, as in a lateral view, a ray has no such point nearby: it is taken no farther than 25 mm from the
    femur's depth.
    """
    depth = femur.position[1]
    flat = torch.stack(torch.broadcast_tensors(x[None, :], torch.zeros_like(x[None, :]), z[:, None]), dim=-1)
    focus = torch.tensor([plane.focus_x, -plane.focus_distance, plane.focus_z]).to(flat)
    ray = (flat - focus) / plane.focus_distance if plane.focus_distance < torch.inf else torch.zeros_like(flat)
    ray[..., 1] = 1.0
    near, far = femur.to_local(flat + ray * (depth - 1.0)), femur.to_local(flat + ray * (depth + 1.0))
    start, per_mm = (near + far) / 2, (far - near) / 2
    pieces = femur.fragments or (None,)
    local, within = torch.zeros_like(start), torch.zeros(start.shape[:-1], device=start.device)
    for piece in pieces:
        a, b = (start, start + per_mm) if piece is None else (piece.restored(start), piece.restored(start + per_mm))
        step = b - a
        slope = step[..., 1]
        reach = (-a[..., 1] * slope / (slope * slope + 0.02)).clamp(-25.0, 25.0)
        at = a + reach[..., None] * step
        distance = femur.outline(femur.bent(at))
        if piece is not None:
            distance = torch.maximum(distance, piece.distance(at))
        here = torch.sigmoid((3.0 - distance) / 1.5)
        local = torch.where((here > within)[..., None], at, local)
        within = torch.maximum(within, here)
    return local, within
