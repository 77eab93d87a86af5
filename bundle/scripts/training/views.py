"""What the view network is taught: what the search for the hips sees on radiographs, the right way up or not."""

import hashlib
import math
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ignite.engine import Engine, Events
from monai.transforms import RandomizableTransform, Transform
from torch import Tensor, nn
from tqdm import tqdm

from scripts.clinical.anatomy import HIP
from scripts.dataset.truth import GROWING, read_truth
from scripts.networks.view import OUTPUTS
from scripts.training.appearance import RandAppearanced, RandClutterd, smooth
from scripts.training.checkpoint import save_whole
from scripts.training.items import Read, radiographs_of_other_kinds, training_items
from scripts.training.pose import RandRadiographPosed
from scripts.training.processes import mean_over_processes

_ANGLES = ("turn", "tilt", "rotation")

_FLOOR = 1e-3  # of the largest variance: what hardly varies must not decide

_MOST_ROTATED = 75.0
"""Degrees; a frog-leg femur beyond this has no rotation that a radiograph tells."""

_NEAR_MM = 20.0  # a head found further than this from the true one is not that hip's

_PERHAPS_FEMURS = {"turned_pelvis", "wrong_scale"}
"""Kinds of radiographs that must be refused, but on which each femur by itself may look as it should."""

_FLAT_DEGREES, _TURNED_DEGREES = 15.0, 25.0
"""Turn of the pelvis up to which a radiograph is an AP view, and from which on it is none; between, that is nobody's to say."""

Search = Callable[[Tensor], Mapping[str, Tensor]]
"""What a `scripts.networks.HipSearch` does."""


def view_items(folders: Sequence[str], split: str, read: Read, networks: Sequence[str]) -> list[dict[str, Any]]:
    """List the radiographs of a split of several folders, see `training_items`, of which the picture tells what it shows.

    Args:
        folders: data sets.
        split: "train" or "validation".
        read: the preprocessing of the main job, for an item; it raises where a radiograph is refused.
        networks: files of the networks that look at the radiographs; an item names their hash, so that other
            networks look anew.
    """
    items = [item for folder in folders for item in training_items(folder, [split], [])]
    other = radiographs_of_other_kinds([item for item in items if item.get("kind")], (), read)
    seen_by = hashlib.sha256(b"".join(Path(file).read_bytes() for file in networks)).hexdigest()
    hips = [item for item in items if not item.get("kind")]
    return [{**item, "name": Path(item["image"]).name, "seen_by": seen_by} for item in [*hips, *other]]


class ViewTargetsd(Transform):
    """Adds "view" (11,) float32 to an item, NaN where unknown: see `scripts.networks.view.OUTPUTS`; 0 or 1, angles in degrees.

    From the manifest's columns `kind` (what a radiograph shows that is no hip), `view`, `pelvic_turn_deg`, `pelvic_tilt_deg`, and
    for each side `implant`, `rotation_deg`, and of the femur's state `fracture`, `fracture_displacement_mm`, `deformity` and
    `deformity_grade`: see `TrueHip.looks_broken`; unknown of a hip that is deformed alone. Adds "implanted" (2,) bool too.
    """

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Add the targets."""
        truth = read_truth(data)
        hips, turn = truth.hips.values(), truth.pelvic_turn_deg
        shown, frontal = not truth.kind, truth.view in ("", "AP")
        femurs = [math.nan if hip.is_implanted or not (shown and frontal) else 1.0 for hip in hips]
        if not shown and truth.kind not in _PERHAPS_FEMURS:
            femurs = [0.0, 0.0]
        # Nothing broke apart in bone that is only deformed; what is not seen there must not be taught as a break.
        fractures = [math.nan if hip.is_deformed and not hip.is_broken else hip.looks_broken for hip in hips]
        growing = [float(truth.kind in GROWING) if shown or truth.kind in GROWING else math.nan] * 2
        rotations = [hip.rotation_deg for hip in hips]
        view = float(shown and frontal and not abs(turn) >= _TURNED_DEGREES)
        if view and abs(turn) > _FLAT_DEGREES:
            view = math.nan
        values = [view, turn, truth.pelvic_tilt_deg, *femurs, *fractures, *growing, *rotations]
        implanted = torch.tensor([hip.is_implanted for hip in hips])
        return {**data, "view": torch.tensor(values, dtype=torch.float32), "implanted": implanted}


class SeenRadiographsd(Transform):
    """Replaces a radiograph at 0.6 mm by what is seen on it in several poses and appearances, drawn by the radiograph's name.

    What is left of the item is, of each drawing, "radiograph_features" (draws, F), "hip_features" (draws, 2, G), "pelvis" (draws,
    1, rows, cols), "shapes" (draws, 2, 12), "breaks" (draws, 2, 3), and "view" (draws, 11). Some drawings
    are turned upside down or on their side, shown far too large or too small, blurred or as a negative: those are no views of a
    hip any more. Nothing is known of a hip that was not found; what was found where no hip is, is no femur.

    Args:
        search: the cascade's own.
        pelvis: crops the pelvis from a radiograph (B, 1, h, w) by its femoral heads (B, 2, 2); the cascade's own.
        pose, clutter, appearance: of a drawing, in this order.
        draws: how many.
        spoilt: probability of a radiograph that is no view of a hip any more.
        spacing_mm: pixel spacing of the radiograph.
    """

    def __init__(
        self,
        search: Search,
        pelvis: Callable[[Tensor, Tensor], Tensor],
        pose: RandRadiographPosed,
        clutter: RandClutterd,
        appearance: RandAppearanced,
        draws: int,
        spoilt: float = 0.25,
        spacing_mm: float = 0.6,
    ) -> None:
        self.search, self.pelvis = search, pelvis
        self.pose, self.clutter, self.appearance = pose, clutter, appearance
        self.draws, self.spoilt, self.spacing_mm = draws, spoilt, spacing_mm

    @torch.no_grad()
    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Look at the radiograph."""
        seeds = [zlib.crc32(f"{data['name']} {draw}".encode()) for draw in range(self.draws)]
        drawn = [self._seen(data, np.random.RandomState(seed)) for seed in seeds]
        return {key: torch.stack([each[key] for each in drawn]) for key in drawn[0]}

    def _seen(self, data: Mapping[Hashable, Any], random: np.random.RandomState) -> dict[str, Tensor]:
        image = torch.as_tensor(data["image"]).float()
        self.pose.set_random_state(state=random)
        self.clutter.set_random_state(state=random)
        self.appearance.set_random_state(state=random)
        label = data["label"] if "label" in data else torch.zeros_like(image)
        posed = self.pose({"image": image, "label": label, "landmarks": data["landmarks"]})
        radiograph, truth = self.appearance(self.clutter(posed))["image"], posed["landmarks"]
        spoilt = bool(random.random_sample() < self.spoilt)
        bare = (~torch.as_tensor(data["implanted"])).float()  # as the cascade does not look at implanted hips
        seen = self.search((_spoil(radiograph, random, self.spacing_mm) if spoilt else radiograph)[None])
        return {
            "radiograph_features": seen["radiograph_features"][0],
            "hip_features": seen["hip_features"][0],
            "pelvis": self.pelvis(seen["small"], seen["heads"])[0].half(),
            "shapes": seen["shapes"][0] * bare.unsqueeze(1),
            "breaks": seen["breaks"][0] * bare.unsqueeze(1),
            "view": self._known(torch.as_tensor(data["view"]), truth, seen, spoilt),
        }

    def _known(self, target: Tensor, truth: Tensor, seen: Mapping[str, Tensor], spoilt: bool) -> Tensor:
        """The targets (11,) of a drawing, by those of the radiograph, the landmarks (2, 5, 2) left on it, and what was found."""
        visible = torch.isfinite(truth).all(dim=2)
        whole, none = visible[:, : HIP.locating].all(dim=1), ~visible.any(dim=1)
        apart = torch.linalg.vector_norm(seen["landmarks"][0, :, 0] - truth[:, 0], dim=1) * self.spacing_mm
        found = seen["found"][0] > 0
        here = found & whole & (apart <= _NEAR_MM) & (not spoilt)
        nowhere = found & (none | (whole & (apart > _NEAR_MM)))
        unknown = torch.tensor(math.nan)
        view, angles, (femur, fracture, growth, rotation) = target[:1].clone(), target[1:3], target[3:].view(4, 2)
        if spoilt or not bool(whole.any()):
            view[:] = 0.0
        angles = torch.where(here.all(), angles, unknown)
        if spoilt or bool((femur == 0).all()):
            femur = torch.where(found, torch.zeros(2), unknown)
        else:
            femur = torch.where(here, femur, torch.where(nowhere, torch.zeros(2), unknown))
        fracture = torch.where(here, fracture, unknown)
        growth = torch.where(here | (found & (growth == 1) & (not spoilt)), growth, unknown)
        rotation = torch.where(here & (rotation.abs() <= _MOST_ROTATED), rotation, unknown)
        return torch.cat((view, angles, femur, fracture, growth, rotation))


class RandDrawingd(RandomizableTransform):
    """Takes one of the drawings of `SeenRadiographsd`.

    Args:
        keys: what has a row for each drawing.
    """

    def __init__(
        self, keys: Sequence[str] = ("radiograph_features", "hip_features", "pelvis", "shapes", "breaks", "view")
    ) -> None:
        super().__init__(prob=1.0)
        self.keys = keys

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return one drawing's values, float32."""
        draw = int(self.R.randint(len(data[self.keys[0]])))
        return {key: torch.as_tensor(data[key])[draw].float() for key in self.keys}


class ViewLoss(nn.Module):
    """Cross-entropy of what is so or not, and absolute error of the angles; NaN targets count for nothing.

    Args:
        view: weight of the judgement of the view.
        femur: weight of that of each side's femur.
        fracture: weight of that of each side's fracture.
        growth: weight of that of each side's growth plates.
        angle: weight of the error of each angle.
        angle_scale_degrees: error of an angle that counts as one unit.
    """

    def __init__(
        self,
        view: float = 2.0,
        femur: float = 1.0,
        fracture: float = 1.0,
        growth: float = 1.0,
        angle: float = 1.0,
        angle_scale_degrees: float = 10.0,
    ) -> None:
        super().__init__()
        weights = {"view": view, "femur": femur, "fracture": fracture, "growth": growth}
        self.logits = [column for column, name in enumerate(OUTPUTS) if name in weights]
        self.angles = [column for column, name in enumerate(OUTPUTS) if name in _ANGLES]
        self.importance = [weights[OUTPUTS[column]] for column in self.logits]
        self.angle, self.angle_scale = angle, angle_scale_degrees

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of `ViewNetwork.forward`'s (B, 11) against (B, 11) targets of `SeenRadiographsd`."""
        known = torch.isfinite(target)
        target, predicted = torch.nan_to_num(target), predicted.float()
        logits, angles = self.logits, self.angles
        yes_or_no = F.binary_cross_entropy_with_logits(predicted[:, logits], target[:, logits], reduction="none")
        scale = self.angle_scale
        errors = F.smooth_l1_loss(predicted[:, angles] / scale, target[:, angles] / scale, reduction="none")
        importance = torch.tensor(self.importance, device=predicted.device)
        judged, measured = _known_mean(yes_or_no, known[:, logits]), _known_mean(errors, known[:, angles])
        return (judged * importance).sum() + self.angle * measured.sum()


@torch.no_grad()
def fit_view(
    network: Any, radiographs: Iterable[Mapping[str, Tensor]], held_out: Iterable[Mapping[str, Tensor]], checkpoint: str
) -> None:
    """Measure what a trained view network cannot learn, and write it into its checkpoint.

    That is mean and spread of the features of hip views, and by how much turn and tilt of the pelvis are told too small.

    Args:
        network: `ViewNetwork`.
        radiographs: those it learnt from, each as `SeenRadiographsd` gives it; its "view" begins with 1 for a hip view.
        held_out: the same of radiographs that it did not learn from.
        checkpoint: file {"state_dict", "provenance"} to complete; it is replaced in one step.
    """
    saved = torch.load(checkpoint, weights_only=True, map_location="cpu")
    network.load_state_dict(saved["state_dict"])
    features = [seen["radiograph_features"][seen["view"][:, 0] == 1] for seen in tqdm(radiographs, desc="features of hip views")]
    found = torch.cat(features).double()
    variance, axes = torch.linalg.eigh(torch.cov(found.T))
    scale = variance.clamp(min=float(variance.max()) * _FLOOR).rsqrt()
    saved["state_dict"]["feature_mean"] = found.mean(dim=0).float()
    saved["state_dict"]["feature_whitening"] = (axes * scale).float()
    saved["state_dict"]["angle_scale"], fitted = _angle_scale(network, held_out)
    saved["provenance"] = {**saved["provenance"], "novelty_drawings": len(found), "angle_drawings": fitted}
    save_whole(saved, Path(checkpoint))
    turn, tilt = saved["state_dict"]["angle_scale"].tolist()
    print(
        f"Novelty fitted to {len(found)} hip views, and angles to {fitted} that were held out (turn x {turn:.2f}, tilt x "
        f"{tilt:.2f}), in {checkpoint}",
        flush=True,
    )


class FitView:
    """Handler that completes the best checkpoint by `fit_view`, whose arguments it takes, when the training has ended."""

    def __init__(
        self,
        network: Any,
        radiographs: Iterable[Mapping[str, Tensor]],
        held_out: Iterable[Mapping[str, Tensor]],
        checkpoint: str,
    ) -> None:
        self.network, self.radiographs, self.held_out, self.checkpoint = network, radiographs, held_out, checkpoint

    def attach(self, engine: Engine) -> None:
        """Register with the trainer, after the checkpoints."""
        engine.add_event_handler(Events.COMPLETED, self.fit)

    def fit(self) -> None:
        """Complete the checkpoint."""
        fit_view(self.network, self.radiographs, self.held_out, self.checkpoint)


def _angle_scale(network: Any, radiographs: Iterable[Mapping[str, Tensor]]) -> tuple[Tensor, int]:
    """Find the factors (2,) that bring turn and tilt to a slope of 1 over the true ones, and of how many drawings.

    A slope that is not positive tells nothing; its factor is 1, as is that of angles that none of the drawings has.
    """
    training = network.training
    network.eval()
    network.angle_scale.fill_(1.0)
    columns = [OUTPUTS.index(name) for name in ("turn", "tilt")]
    inputs = ("radiograph_features", "hip_features", "pelvis", "shapes", "breaks")
    device = network.angle_scale.device
    told, true = [], []
    for seen in tqdm(radiographs, desc="angles of held-out views"):
        told.append(network(*(seen[name].float().to(device) for name in inputs))[:, columns].double().cpu())
        true.append(seen["view"][:, columns].double())
    network.train(training)
    found, truth = torch.cat(told), torch.cat(true)
    known = torch.isfinite(truth)
    truth = torch.where(known, truth, torch.zeros(()))
    slope = (found * truth).sum(dim=0) / (truth * truth).sum(dim=0)
    scale = torch.where(slope > 0, 1 / slope, torch.ones_like(slope))
    return scale.float(), int(known.any(dim=1).sum())


def _known_mean(values: Tensor, known: Tensor) -> Tensor:
    """The mean of each column over its known rows."""
    return mean_over_processes((values * known).sum(dim=0), known.sum(dim=0))


def _spoil(radiograph: Tensor, random: np.random.RandomState, spacing_mm: float) -> Tensor:
    """Turn a radiograph by quarters or upside down, zoom it, blur it, or make it a negative: (1, rows, cols)."""
    way = random.choice(["turn", "turn", "turn", "flip", "zoom", "zoom", "blur", "blur", "invert"])
    if way == "turn":
        return torch.rot90(radiograph, int(random.randint(1, 4)), (1, 2))
    if way == "flip":
        return radiograph.flip(1)
    if way == "zoom":
        return _zoomed(radiograph, float(random.choice([random.uniform(0.35, 0.6), random.uniform(1.7, 2.5)])))
    if way == "blur":
        return smooth(radiograph, round(random.uniform(8.0, 30.0) / spacing_mm))
    return 1.0 - radiograph


def _zoomed(radiograph: Tensor, scale: float) -> Tensor:
    """Show the middle of a radiograph larger (scale > 1), or all of it smaller on black."""
    matrix = torch.tensor([[[1 / scale, 0.0, 0.0], [0.0, 1 / scale, 0.0]]])
    grid = F.affine_grid(matrix, [1, 1, *radiograph.shape[1:]], align_corners=False)
    return F.grid_sample(radiograph[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
