"""Where MONAI Label looks for the app, by the name of this file and of the class in it, when its folder is served."""

from scripts.apps.monailabel.app import OsteoXR

__all__ = ["OsteoXR"]
