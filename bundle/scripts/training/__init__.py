"""What the trainings need and MONAI lacks: targets, augmentation, losses, resumable checkpoints, provenance."""

from scripts.training.appearance import RandAppearanced, RandClutterd, RandEqualised
from scripts.training.assembly import assemble, start_from
from scripts.training.averaging import average_weights
from scripts.training.batches import AutocastInferer, PrepareBatch, bfloat16_is_fast
from scripts.training.checkpoint import ResumableCheckpoint, Statistics, StopWithoutImprovement
from scripts.training.clipping import ClipGradients
from scripts.training.grid import ToCoarserGridd
from scripts.training.hip_crops import (
    HipMetald,
    LandmarkJitter,
    RandContourCropd,
    RandHipCropsd,
    RandOneHipd,
    RandRoughd,
    RandUnknownd,
)
from scripts.training.items import HipNumbersd, HipTargetsd, radiographs_without_hips, training_items
from scripts.training.losses import GaussianLoss, SegmentationLoss, SiameseLoss
from scripts.training.mineral_crops import MeasureGaind, RandMineralCropsd
from scripts.training.mineral_loss import MineralLoss
from scripts.training.oversampling import Oversampled
from scripts.training.pose import RandRadiographPosed
from scripts.training.processes import AverageStatistics, share_of_batch, with_common_statistics
from scripts.training.provenance import training_provenance
from scripts.training.scores import (
    GatheredMetric,
    KnownQuantity,
    LandmarkErrors,
    ViewColumns,
    area_under_roc,
    correlation,
    femur_masks,
    fracture_peaks,
    is_better,
    known_labels,
    mean_absolute_error,
)
from scripts.training.views import FitView, RandDrawingd, SeenRadiographsd, ViewLoss, ViewTargetsd, view_items

__all__ = [
    "AutocastInferer",
    "AverageStatistics",
    "ClipGradients",
    "FitView",
    "GatheredMetric",
    "GaussianLoss",
    "HipMetald",
    "HipNumbersd",
    "HipTargetsd",
    "KnownQuantity",
    "LandmarkErrors",
    "LandmarkJitter",
    "MeasureGaind",
    "MineralLoss",
    "Oversampled",
    "PrepareBatch",
    "RandAppearanced",
    "RandClutterd",
    "RandContourCropd",
    "RandDrawingd",
    "RandEqualised",
    "RandHipCropsd",
    "RandMineralCropsd",
    "RandOneHipd",
    "RandRadiographPosed",
    "RandRoughd",
    "RandUnknownd",
    "ResumableCheckpoint",
    "SeenRadiographsd",
    "SegmentationLoss",
    "SiameseLoss",
    "Statistics",
    "StopWithoutImprovement",
    "ToCoarserGridd",
    "ViewColumns",
    "ViewLoss",
    "ViewTargetsd",
    "area_under_roc",
    "assemble",
    "average_weights",
    "bfloat16_is_fast",
    "correlation",
    "femur_masks",
    "fracture_peaks",
    "is_better",
    "known_labels",
    "mean_absolute_error",
    "radiographs_without_hips",
    "share_of_batch",
    "start_from",
    "training_items",
    "training_provenance",
    "view_items",
    "with_common_statistics",
]
