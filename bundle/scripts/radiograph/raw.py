"""The signal of a detector before any display processing (FOR PROCESSING), turned to larger = denser."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForProcessing

from scripts.radiograph.elements import code, number, quoted, term, text, value


def is_raw(header: Dataset) -> tuple[bool, str]:
    """Whether an image is FOR PROCESSING, so that a window or VOI LUT in its header is not meant for display.

    Returns:
        True if so; and what had to be assumed ("" if nothing).
    """
    intent, note = term(header, "PresentationIntentType", ("FOR PRESENTATION", "FOR PROCESSING"))
    if intent:
        return intent == "FOR PROCESSING", note
    return text(header, "SOPClassUID") == DigitalXRayImageStorageForProcessing, note


def compute_density(header: Dataset, signal: NDArray[np.float64], floor: float, ceiling: float) -> tuple[NDArray[Any], list[str]]:
    """Compute attenuation, larger = denser, from a raw signal.

    Pixel Intensity Relationship (0028,1040) says whether the signal is linear or logarithmic in the exposure, its Sign
    (0028,1041) whether a larger value means less exposure (-1: larger is denser) or more (1). (DICOM PS3.3 C.8.11.3.1.2)
    Where the sign is missing, MONOCHROME1 stands for 1. Attenuation is the logarithm of the exposure: where that is linear, it
    is 1 - ln(1 + exposure) / ln(1 + range), exposures in steps of the signal.

    Args:
        header: a DICOM data set.
        signal: values after the modality LUT.
        floor: the signal of the smallest stored value.
        ceiling: the signal of the largest.

    Returns:
        Values of 0 (least dense) to 1, and what was assumed.
    """
    low, high = sorted((floor, ceiling))
    relationship, note = term(header, "PixelIntensityRelationship", ("LIN", "LOG", "DISP"))
    sign = number(value(header, "PixelIntensityRelationshipSign"))
    more_is_exposure = sign > 0 if sign else code(header, "PhotometricInterpretation") == "MONOCHROME1"
    exposure = signal - low if more_is_exposure else high - signal
    notes = [note] if note else []
    if not sign:
        impossible = f" ({quoted(header, 'PixelIntensityRelationshipSign')} is none)" if sign == 0 else ""
        notes.append(
            f"The header of the FOR PROCESSING image has no PixelIntensityRelationshipSign{impossible}: "
            f"a larger value was taken for {'more' if more_is_exposure else 'less'} exposure, by the photometric interpretation."
        )
    if relationship == "LIN":
        notes.append("The detector's signal is linear in the exposure: its logarithm was read, without the vendor's processing.")
        return 1.0 - np.log1p(np.maximum(exposure, 0.0)) / np.log1p(high - low), notes
    if relationship != "LOG":
        notes.append("The header does not say how the FOR PROCESSING signal depends on the exposure: logarithmic was assumed.")
    return 1.0 - exposure / (high - low), notes
