"""A map of the mineral that a radiograph shows, and the density that it means: what is dense is told from what is thick."""

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.clinical.anatomy import COVARIATES, HIP, NETWORK_SPACING_MM
from scripts.networks.heads import Head
from scripts.networks.hips import CovariateInput, Surroundings, mean_of_valid
from scripts.networks.localisation import HipLocaliser
from scripts.networks.members import Members, mixture

COMPARTMENTS = ("cortex", "spongy", "pelvis")
"""Of a map's mineral: the femur's two, and what lies before and behind them."""
FEMORAL = 2
"""How many of these, the first, are the femur's."""
MAPS = len(COMPARTMENTS) + len(HIP.sites)
"""Channels of a map: mineral by compartment, then DXA's region of each site."""
MAP_FACTOR = 8
"""Pixels of a close crop to one of the map."""
TYPICAL_GAIN = 0.16
"""Grey (the radiograph's range is 1) for a g/cm² of mineral, on an ordinary radiograph."""


class MineralHead(Head):
    """Estimates areal bone mineral density of each hip as the mean of a map of its mineral over DXA's regions.

    What makes a bone bright is its mineral times the radiograph's gain: beam, scatter, detector and display. The network sees
    each hip closely (0.3 mm), for the map, and its surroundings widely (256 mm), which tell of the gain: soft tissue, pelvis,
    skin and air lie under the same beam and curve. The gain is an output of its own. It scales the map, whose mean over each of
    the regions that are drawn too is the density, but for a correction by what else is known (pose, covariates, the other hip).

    Gain and correction are told by several members, see `Members`.

    Args:
        sites: quantities that the two regions mean, in g/cm², of bones; the standard deviation of "x" is "x_sd", and the part of
            it in which the members differ "x_epistemic_sd".
        close: places the crops of the hips; their rows and columns are multiples of 32.
        around: what surrounds them.
        channels: of the four resolutions of a close crop, from 1/4 to 1/32; multiples of 8.
        surrounding_channels: alike, of the surroundings, from 1/2 to 1/16.
        hidden: width of the layers that join; a member's are half as wide.
        dropout: probability in them.
        members: how many tell gain and correction.

    Raises:
        ValueError: when a quantity is none of bones or not known, or a crop has another size.
    """

    pose_mean: Tensor
    pose_sd: Tensor

    def __init__(
        self,
        sites: Sequence[str],
        close: HipLocaliser,
        around: Surroundings,
        channels: Sequence[int] = (24, 32, 56, 80),
        surrounding_channels: Sequence[int] = (16, 24, 40, 64),
        hidden: int = 64,
        dropout: float = 0.1,
        members: int = 5,
    ) -> None:
        if len(sites) != len(HIP.sites):
            raise ValueError(f"{len(sites)} quantities ({', '.join(sites)}); expected one for each of {', '.join(HIP.sites)}.")
        if close.crop_rows % 32 or close.crop_cols % 32:
            raise ValueError(f"Crops of {close.crop_rows} x {close.crop_cols} pixels; expected multiples of 32.")
        super().__init__([given for site in sites for given in (site, f"{site}_sd", f"{site}_epistemic_sd")])
        self.close, self.around = close, around
        self.image_mm = NETWORK_SPACING_MM
        first, second, third, deepest = channels
        outer = surrounding_channels
        self.stem = _block(1, first, 8, 4)
        self.down = nn.ModuleList([_Residual(a, b, 2) for a, b in itertools.pairwise(channels)])
        self.outside = nn.Sequential(_block(1, outer[0], 5, 2), *(_Residual(a, b, 2) for a, b in itertools.pairwise(outer)))
        known = 2 * len(COVARIATES) + 2
        self.circumstances = nn.Sequential(nn.Linear(2 * outer[3] + known, hidden), nn.LeakyReLU(), nn.Dropout(dropout))
        self.modulate = nn.ModuleList([nn.Linear(hidden, 2 * size) for size in (second, third, deepest)])
        self.up = nn.ModuleList([_Residual(deepest + third, third, 1), _Residual(third + second, second, 1)])
        self.draw = nn.Conv2d(second, MAPS, 1)
        features = hidden + 2 * deepest
        self.gains = Members(features, 0, hidden // 2, dropout, 1, members)
        self.corrections = Members(features, len(HIP.sites) + 1, hidden // 2, dropout, 2 * len(HIP.sites), members)
        for correction in self.corrections.each:  # the map is the estimate that training begins with
            nn.init.zeros_(correction[-1].weight)  # type: ignore[index]
            nn.init.zeros_(correction[-1].bias)  # type: ignore[index]
        self.covariates = CovariateInput()
        self.compartments, self.femoral = len(COMPARTMENTS), FEMORAL
        self.register_buffer("pose_mean", torch.tensor([math.log(close.crop_spacing_mm), 0.0]), persistent=False)
        self.register_buffer("pose_sd", torch.tensor([0.1, 0.15]), persistent=False)

    def forward(self, crops: Tensor, around: Tensor, poses: Tensor, valid: Tensor, covariates: Tensor) -> dict[str, Tensor]:
        """Draw the maps, and read them.

        Args:
            crops: (B, 2, rows, cols) of `close`, right hip first, the left one mirrored.
            around: (B, 2, h, w) of `around`, alike.
            poses: (B, 2, 2), see `HipLocaliser.poses`, of `close`.
            valid: (B, 2), 1 for a hip to use, 0 for one that is absent, implanted or cut off.
            covariates: (B, 4), NaN = unknown.

        Returns:
            "estimates" (B, 2, 2, 3): side, site, mean, standard deviation and its epistemic part in g/cm²; "members" (B, 2, K,
            2, 2): side, member, site, mean and standard deviation; "mineral" (B, 2, 3, rows / 8, cols / 8) in g/cm² by
            compartment; "regions" (B, 2, 2, rows / 8, cols / 8), logits by site; "gain" (B, 2), natural logarithm of the gain
            over `TYPICAL_GAIN`, the mean of the "gains" (B, 2, K) of the members; "read" (B, 2, 2), the maps' means over the
            regions, g/cm². What is not valid means nothing.
        """
        batch = crops.shape[0]
        x = self.stem(crops.flatten(0, 1).unsqueeze(1))
        seen = self.outside(around.flatten(0, 1).unsqueeze(1)).mean(dim=(2, 3))  # (2 B, F)
        pose = ((poses - self.pose_mean) / self.pose_sd).clamp(-5.0, 5.0)
        by_hip = torch.cat((seen.view(batch, 2, -1), pose), dim=2)
        shared = torch.cat((mean_of_valid(seen.view(batch, 2, -1), valid), self.covariates(covariates)), dim=1)
        code = self.circumstances(torch.cat((by_hip, shared.unsqueeze(1).expand(-1, 2, -1)), dim=2)).flatten(0, 1)
        levels: list[Tensor] = []
        for step, modulate in zip(self.down, self.modulate):  # noqa: B905 - TorchScript knows no strict
            x = step(x)
            scale, shift = modulate(code).unsqueeze(2).unsqueeze(3).chunk(2, dim=1)
            x = x * (1.0 + scale) + shift
            levels.append(x)
        deepest = levels[2].mean(dim=(2, 3))
        both = torch.cat((deepest, self._of_both(deepest, valid)), dim=1)
        features = torch.cat((code, both), dim=1)
        gains = self.gains(features)[:, :, 0].float().clamp(-2.0, 2.0)
        gain = gains.mean(dim=1)
        x = self.up[0](torch.cat((_twice(levels[2]), levels[1]), dim=1))
        x = self.up[1](torch.cat((_twice(x), levels[0]), dim=1))
        drawn = self.draw(x).float()
        # What is drawn is grey; the gain makes mineral of it, and is learnt by itself.
        mineral = F.softplus(drawn[:, : self.compartments]) * torch.exp(-gain.detach()).view(-1, 1, 1, 1)
        regions = drawn[:, self.compartments :]
        weight = torch.sigmoid(regions)
        femur = mineral[:, : self.femoral].sum(dim=1, keepdim=True)
        read = (femur * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3)).clamp(min=1.0)  # (2 B, sites)
        also = torch.cat((read, gain.detach().unsqueeze(1)), dim=1).to(features.dtype)
        change, spread = self.corrections(torch.cat((features, also), dim=1)).float().chunk(2, dim=2)  # (2 B, K, sites)
        own = (gain.unsqueeze(1) - gains).detach().unsqueeze(2)
        mean = read.unsqueeze(1) * torch.exp((change + own).clamp(-1.0, 1.0))
        sd = 0.08 * torch.exp(spread.clamp(-1.0, 1.5))  # 0.03 g/cm² at least: less makes the likelihood leap
        return {
            "estimates": torch.stack(mixture(mean, sd, 1), dim=2).unflatten(0, (batch, 2)),
            "members": torch.stack((mean, sd), dim=3).unflatten(0, (batch, 2)),
            "mineral": mineral.unflatten(0, (batch, 2)),
            "regions": regions.unflatten(0, (batch, 2)),
            "gain": gain.view(batch, 2),
            "gains": gains.unflatten(0, (batch, 2)),
            "read": read.view(batch, 2, -1),
        }

    def estimate(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give each mean and its standard deviations, 0 where the hip is not valid; see `Head.estimate`."""
        found = self.see(seen)["estimates"].flatten(2) * seen["valid"].unsqueeze(2)
        values: dict[str, Tensor] = {}
        for index, name in enumerate(self.names):
            values[name] = found[:, :, index]
        return values

    def see(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        """Cut out the hips as the head sees them, and read them.

        Args:
            seen: image, landmarks, weight, valid and covariates, see `Head.estimate`.

        Returns:
            what `forward` does, and "crops" (B, 2, rows, cols), the left hip's mirrored, 0 where not valid, with their
            "transforms" (B, 2, 2, 3): image (row, col) = A @ (crop row, crop col, 1).
        """
        valid, image = seen["valid"], seen["image"]
        close = self.close.fit(seen["landmarks"], seen["weight"])
        crops = self.close.sample(image, close)[:, :, 0] * valid.unsqueeze(2).unsqueeze(3)
        around = self.around(image, seen["landmarks"], seen["weight"]) * valid.unsqueeze(2).unsqueeze(3)
        found = self(crops, around, self.close.poses(close, self.image_mm), valid, seen["covariates"])
        found["crops"], found["transforms"] = crops, close
        return found

    def _of_both(self, features: Tensor, valid: Tensor) -> Tensor:
        """The mean (2 B, F) over a radiograph's valid hips of (2 B, F), the same for both."""
        pairs = features.view(valid.shape[0], 2, -1)
        return mean_of_valid(pairs, valid).unsqueeze(1).expand(-1, 2, -1).flatten(0, 1)


class _Residual(nn.Module):
    """Two convolutions beside a straight way.

    Nothing is normalised: the map is read from a crop's own contrast, which its own statistics would take out, and which those of
    a batch would compare with that of others.
    """

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.one, self.two = _block(before, after, 3, stride), _convolution(after, after, 3)
        self.straight = _convolution(before, after, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, before, h, w) to (N, after, h / stride, w / stride)."""
        return F.leaky_relu((self.two(self.one(x)) + self.straight(x)) * 0.7071)  # so that the sum varies as each does


def _block(before: int, after: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_convolution(before, after, size, stride), nn.LeakyReLU())


def _convolution(before: int, after: int, size: int, stride: int = 1) -> nn.Conv2d:
    """One that keeps the variance of what it sees (He et al., ICCV 2015)."""
    padding = (size - stride) // 2 if size > 3 and size % 2 == 0 else size // 2
    made = nn.Conv2d(before, after, size, stride, padding)
    nn.init.kaiming_normal_(made.weight, nonlinearity="leaky_relu", a=0.01)
    nn.init.zeros_(made.bias)  # type: ignore[arg-type]
    return made


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
