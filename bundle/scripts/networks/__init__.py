"""The networks: the search for the hips (localisation, segmentation), the heads, and the cascade made of them."""

from scripts.networks.heads import Head, RegressionHead
from scripts.networks.hips import CropEncoder, DeepRadiomicsBackbone, GreyBackbone, HipEncoder, Surroundings
from scripts.networks.localisation import HipLocaliser
from scripts.networks.mineral import MineralHead
from scripts.networks.screening import ScreeningNetwork
from scripts.networks.search import HipSearch
from scripts.networks.segmentation import SegmentationNetwork
from scripts.networks.siamese import SiameseNetwork
from scripts.networks.view import ViewNetwork

__all__ = [
    "CropEncoder",
    "DeepRadiomicsBackbone",
    "GreyBackbone",
    "Head",
    "HipEncoder",
    "HipLocaliser",
    "HipSearch",
    "MineralHead",
    "RegressionHead",
    "ScreeningNetwork",
    "SegmentationNetwork",
    "SiameseNetwork",
    "Surroundings",
    "ViewNetwork",
]
