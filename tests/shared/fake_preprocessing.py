"""Stands for the preprocessing; a module of its own, from which the process that reads films can import it."""

import torch
from monai.data import MetaTensor
from scripts.clinical import Code, Reason, RefusedError
from scripts.radiograph.geometry import Orientation

FILM_SHAPE = (620, 840)  # not square: a transposed mask must not fit
SCALE = (2.0, 2.0)


class LoadFake:
    """The file's name says what becomes of it."""

    def __call__(self, item: dict) -> dict:
        path = str(item["image"])
        if "chest" in path:
            raise RefusedError(Reason(Code.NOT_A_HIP, "The header says body part CHEST; expected a hip or pelvis."))
        if "broken" in path:
            raise OSError(f"{path}: DOE^JANE MRN-4711 is damaged")
        meta = {
            "filename_or_obj": path,
            "displayed_shape": FILM_SHAPE,
            "resample_scale": SCALE,
            "orientation": Orientation(transpose="transposed" in path),
            "spacing_mm": (0.3, 0.3),
            "spacing_source": "PixelSpacing",
            "view": "AP",
            "laterality": "B",
            "study_uid": "1.2.3",
            "series_uid": "1.2.3.4",
            "sop_uid": "1.2.3.4.5",
            "patient_name": "DOE^JANE",
            "patient_id": "MRN-4711",
            "assumptions": ["Magnification 1.15 assumed."],
        }
        rows, cols = FILM_SHAPE[0] // 2, FILM_SHAPE[1] // 2
        ramp = torch.linspace(0, 1, rows * cols).reshape(1, rows, cols)
        middle = (cols - 1) / 2
        medial = 1 - (torch.arange(cols) - middle).abs() / middle  # an adult's femoral heads are denser than the trochanters
        pixels = ramp + 0.7 * medial
        for first, last in ((60, 200), (220, 360)):  # where the femurs are drawn, bone is denser than what lies beside it
            pixels[:, 60:200, first:last] += 0.3
        image = MetaTensor(pixels, meta=meta)
        covariates = torch.tensor([72.0, 0.0, float("nan"), 160.0])
        return {**item, "image": image, "covariates": covariates}
