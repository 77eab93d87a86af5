"""The heads of the cascade: each judges or estimates quantities of what the search for the hips has found."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scripts.clinical.anatomy import COVARIATES
from scripts.clinical.findings import QUANTITIES, Of, Quantity, spreads_of
from scripts.networks.hips import CovariateInput, Encoder, mean_of_valid
from scripts.networks.members import Members, mixture

_TABLE = {quantity.name: quantity for quantity in QUANTITIES}


class Head(nn.Module, ABC):
    """A part of the cascade that gives quantities; its `forward`, of whatever signature, is what is trained.

    Args:
        quantities: what it gives: names of `scripts.clinical.findings.QUANTITIES`, or, where that table lacks one, its row.
        joint: whether it estimates anew from both hips of all radiographs of a study. Else a hip's values are those of the
            radiograph that shows it best, and other values those of the first radiograph.

    Raises:
        ValueError: when the table has no quantity of a name.

    Example:
        >>> class Size(Head):  # of each hip on the radiograph, by the pose of its crop
        ...     def __init__(self) -> None:
        ...         super().__init__([Quantity("crop_pixel_mm", "mm", "size of a crop's pixel")])
        ...
        ...     def estimate(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        ...         return {"crop_pixel_mm": torch.exp(seen["poses"][:, :, 0])}
        >>> Size().estimate({"poses": torch.zeros(1, 2, 2)})
        {'crop_pixel_mm': tensor([[1., 1.]])}
    """

    def __init__(self, quantities: Sequence[str | Quantity], joint: bool = False) -> None:
        super().__init__()
        self.quantities = tuple(_row(quantity) for quantity in quantities)
        self.names = [quantity.name for quantity in self.quantities]
        self.joint = joint

    @abstractmethod
    def estimate(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give its quantities.

        Args:
            seen: crops (B, 2, rows, cols) of the radiograph, right hip first, the left one mirrored, and 0 where not valid;
                around (B, 2, h, w), alike, see `Surroundings`; poses (B, 2, 2), see `HipLocaliser.poses`; valid (B, 2), 1 for a
                hip that is to be measured; covariates (B, 4), NaN = unknown. Unless ``joint``, also the image (B, 1, H, W) at
                0.3 mm, the landmarks (B, 2, 5, 2) in its pixels with their weight (B, 2, 5), 0 where not seen, and of
                `HipSearch.forward` found, hip_features, shapes, breaks, radiograph_features, small and heads.

        Returns:
            by name: of a bone (B, 2), right hip first; of a patient or radiograph (B,).
        """


class RegressionHead(Head):
    """Estimates quantities of each hip as normal distributions: of each a mean and a standard deviation.

    A hip is judged from its own crop and what surrounds it, their mean over the patient's valid hips (the two sides of one
    patient correlate, and share the beam) and the covariates, by several members, see `Members`. Of a quantity "x", the standard
    deviation is the quantity "x_sd", and the part of it in which the members differ "x_epistemic_sd"; ``targets`` are the names
    without these.

    Args:
        encoder: backbone that maps (N, 2, 112, 112) to (N, features), see `HipEncoder`.
        outside: backbone that maps (N, 1, 64, 64) of what surrounds a hip to (N, features).
        quantities: of bones; their names, or rows where the table lacks them.
        target_mean: of each quantity over patients, in its unit; the network's own outputs are standardised by it.
        target_sd: standard deviation of each over patients.
        hidden: width of the layers that join.
        dropout: probability in them.
        members: how many join.

    Raises:
        ValueError: when a quantity is none of bones, or means or standard deviations are not as many as the quantities.
    """

    target_mean: Tensor
    target_sd: Tensor

    def __init__(
        self,
        encoder: Encoder,
        quantities: Sequence[str | Quantity],
        target_mean: Sequence[float],
        target_sd: Sequence[float],
        hidden: int = 64,
        dropout: float = 0.1,
        members: int = 5,
    ) -> None:
        rows = [_row(quantity) for quantity in quantities]
        if not len(rows) == len(target_mean) == len(target_sd):
            raise ValueError(
                f"{len(rows)} quantities ({', '.join(row.name for row in rows)}), {len(target_mean)} values of target_mean, "
                f"{len(target_sd)} of target_sd; expected as many of each."
            )
        if others := [row.name for row in rows if row.of is not Of.BONE]:
            raise ValueError(f"{', '.join(others)}: not of a bone; a RegressionHead estimates quantities of each hip.")
        super().__init__([given for row in rows for given in (row, *spreads_of(row))], joint=True)
        self.targets = [row.name for row in rows]
        self.encoder, self.covariates = encoder, CovariateInput()
        self.form = encoder.features - encoder.poses
        whole = 2 * encoder.poses + 2 * len(COVARIATES)
        self.members = Members(2 * self.form, whole, hidden, dropout, 2 * len(rows), members)
        self.register_buffer("target_mean", torch.tensor(target_mean))
        self.register_buffer("target_sd", torch.tensor(target_sd))

    def forward(self, crops: Tensor, around: Tensor, poses: Tensor, valid: Tensor, covariates: Tensor) -> dict[str, Tensor]:
        """Estimate.

        Args:
            crops: (B, 2, rows, cols), right hip first, left hip mirrored.
            around: (B, 2, h, w), alike, see `Surroundings`.
            poses: (B, 2, 2), see `HipLocaliser.poses`.
            valid: (B, 2), 1 for a hip to use, 0 for one that is absent, implanted or cut off.
            covariates: (B, 4), NaN = unknown.

        Returns:
            "estimates" (B, 2, Q, 3): side (right, left), quantity, mean, standard deviation and the part of it in which the
            members differ; "members" (B, 2, K, Q, 2), mean and standard deviation of each member. The values of a hip that is
            not valid mean nothing.
        """
        hips = self.encoder(crops, around, poses)
        both = mean_of_valid(hips, valid).unsqueeze(1).expand_as(hips)
        known = self.covariates(covariates).unsqueeze(1).expand(-1, hips.shape[1], -1)
        seen = (hips[:, :, : self.form], both[:, :, : self.form], hips[:, :, self.form :], both[:, :, self.form :], known)
        mean, spread = self.members(torch.cat(seen, dim=2)).float().chunk(2, dim=3)
        mean = self.target_mean + self.target_sd * mean
        # The bounds (0.08 to 4.5 population SDs) keep the likelihood finite early in training.
        sd = self.target_sd * torch.exp(spread.clamp(-2.5, 1.5))
        return {"estimates": torch.stack(mixture(mean, sd, 2), dim=3), "members": torch.stack((mean, sd), dim=4)}

    def estimate(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give each mean and its standard deviations, 0 where the hip is not valid; see `Head.estimate`."""
        valid = seen["valid"]
        found = self(seen["crops"], seen["around"], seen["poses"], valid, seen["covariates"])["estimates"]
        found = found.flatten(2) * valid.unsqueeze(2)
        values: dict[str, Tensor] = {}
        for index, name in enumerate(self.names):
            values[name] = found[:, :, index]
        return values


def _row(quantity: str | Quantity) -> Quantity:
    """A quantity of the table, by its name, or the one given."""
    if isinstance(quantity, Quantity):
        return quantity
    if quantity not in _TABLE:
        raise ValueError(f"{quantity}: no quantity of the table (scripts.clinical.findings); expected one, or its row.")
    return _TABLE[quantity]
