"""The networks: segmentation, localisation, Siamese classifier, BMD regressor, and the cascade made of them."""

from scripts.networks.bmd import BmdNetwork
from scripts.networks.localisation import HipLocaliser
from scripts.networks.screening import ScreeningNetwork
from scripts.networks.search import HipSearch
from scripts.networks.segmentation import SegmentationNetwork
from scripts.networks.siamese import SiameseNetwork
from scripts.networks.view import ViewNetwork

__all__ = ["BmdNetwork", "HipLocaliser", "HipSearch", "ScreeningNetwork", "SegmentationNetwork", "SiameseNetwork", "ViewNetwork"]
