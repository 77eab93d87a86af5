"""How certain the networks are of their contours, and the strategy that offers the least certain radiograph first."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.strategy import Strategy

from scripts.apps.monailabel.screener import Screener
from scripts.clinical import RefusedError
from scripts.screening import Seen


def contour_agreement(radiograph: Seen) -> float:
    """How far two drawings of a femur agree (Dice, 0..1), of the found hip that is worse; 0 where none was.

    Args:
        radiograph: as `Screener.screen` returns it.
    """
    return min((hip.values["contour_agreement"] for hip in radiograph.screening.hips if hip.shown), default=0.0)


class LeastCertainFirst(Strategy):
    """Offers the unlabelled radiograph of whose contours the networks are least certain, among those looked at so far.

    A request looks at no more new ones than fit in its time, so that the radiologist need not wait for a whole archive.
    What cannot be read as a radiograph is not offered.

    Args:
        screener: looks at the radiographs.
        seconds: a request may take; it looks at one radiograph at least.
    """

    def __init__(self, screener: Screener, seconds: float = 20.0) -> None:
        super().__init__("The radiograph of whose contours the networks are least certain")
        self._screener, self._seconds = screener, seconds
        self._known: dict[str, float | None] = {}
        self._weights = ""

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        """Return "id" and "confidence" of the radiograph, None where there is none to label."""
        unlabelled = datastore.get_unlabeled_images()
        unknown = [image for image in unlabelled if image not in self._known]
        random.shuffle(unknown)
        begin = time.monotonic()
        while unknown and (time.monotonic() - begin < self._seconds or not self._offered(unlabelled)):
            image = unknown.pop()
            confidence = self._look(Path(datastore.get_image_uri(image)))
            if self._screener.weights["sha256"] != self._weights:  # what other weights were certain of says nothing
                self._weights = self._screener.weights["sha256"]
                self._known.clear()
                unknown = [other for other in unlabelled if other != image]
            self._known[image] = confidence
        offered = self._offered(unlabelled)
        if not offered:
            return None
        least = min(offered, key=lambda image: offered[image])
        return {"id": least, "confidence": offered[least]}

    def _look(self, image: Path) -> float | None:
        try:
            return contour_agreement(self._screener.screen(image))
        except RefusedError:
            return None

    def _offered(self, unlabelled: list[str]) -> dict[str, float]:
        known = {image: self._known.get(image) for image in unlabelled}
        return {image: confidence for image, confidence in known.items() if confidence is not None}
