"""What the trainings need and MONAI lacks: targets, augmentation, losses, resumable checkpoints, provenance."""

from scripts.training.appearance import RandAppearanced
from scripts.training.assembly import assemble
from scripts.training.average import average
from scripts.training.batches import AutocastInferer, PrepareBatch
from scripts.training.checkpoint import ResumableCheckpoint, StopWithoutImprovement
from scripts.training.clipping import ClipGradients
from scripts.training.grid import ToSegmentationGridd
from scripts.training.hip_crops import RandHipCropsd, RandUnknownd
from scripts.training.initial import start_from
from scripts.training.items import HipTargetsd, training_items
from scripts.training.losses import BmdLoss, KnownBCELoss, SegmentationLoss
from scripts.training.pose import RandFilmPosed
from scripts.training.provenance import training_provenance
from scripts.training.scores import KnownBmd, LandmarkErrors, femur_masks, is_better, known_labels

__all__ = [
    "AutocastInferer",
    "BmdLoss",
    "ClipGradients",
    "HipTargetsd",
    "KnownBCELoss",
    "KnownBmd",
    "LandmarkErrors",
    "PrepareBatch",
    "RandAppearanced",
    "RandFilmPosed",
    "RandHipCropsd",
    "RandUnknownd",
    "ResumableCheckpoint",
    "SegmentationLoss",
    "StopWithoutImprovement",
    "ToSegmentationGridd",
    "assemble",
    "average",
    "femur_masks",
    "is_better",
    "known_labels",
    "start_from",
    "training_items",
    "training_provenance",
]
