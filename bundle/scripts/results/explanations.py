"""What spoke for or against osteoporosis, drawn on the radiograph and on both hips in canonical pose."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.results.pictures import displayed, field_of_view, save_picture
from scripts.screening.explanation import Explainer, Explanation, on_image
from scripts.screening.findings import Seen

_WIDTH_PX: Final = 1200
_STRONGEST: Final = 0.75  # of the colour, where a map is 1
_COLOURS: Final = np.array([[255, 214, 0], [255, 23, 68]], dtype=np.float32)
"""Of what spoke weakly and of what spoke most."""
_INK: Final = (255, 255, 255)


class ExplanationWriter:
    """Writes explanations/NAME.png: what spoke for or against osteoporosis; without any metadata.

    Args:
        explainer: of the cascade's classifier.
    """

    key = "explanation"

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer

    def __call__(self, name: str, seen: Seen, folder: Path) -> str | None:
        """Write the picture of one radiograph, and return its path, relative to ``folder``; None where no hip is measured."""
        explanation = self.explainer(seen)
        if explanation is None:
            return None
        path = f"explanations/{name}.png"
        save_picture(draw_explanation(seen.image.as_tensor(), seen.prediction, explanation), folder / path)
        return path


def draw_explanation(image: Tensor, prediction: Mapping[str, Any], explanation: Explanation) -> Image.Image:
    """Draw the radiograph's field around the hips, and below it both hips as the classifier sees them, each coarse and fine.

    Args:
        image: (1, H, W), normalised.
        prediction: one item's outputs of `ScreeningNetwork.predict`.
        explanation: of it.
    """
    top, left, bottom, right = field_of_view(prediction, range(len(HIP.sides)), image.shape[-2:])
    on_film = torch.zeros(image.shape[-2:])
    for coarse, transform in zip(explanation.coarse, prediction["crop_transforms"], strict=True):
        if coarse.max() > 0:
            on_film = torch.maximum(on_film, on_image(coarse, transform, (image.shape[-2], image.shape[-1])))
    film = _tinted(image[0, top:bottom, left:right], on_film[top:bottom, left:right])
    film = film.resize((_WIDTH_PX, max(1, round(film.height * _WIDTH_PX / film.width))), Image.Resampling.BICUBIC)
    part = _WIDTH_PX // 4
    picture = Image.new("RGB", (_WIDTH_PX, film.height + part))
    picture.paste(film, (0, 0))
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=24)
    word, said = "for" if explanation.logit > 0 else "against", 1 / (1 + math.exp(-explanation.logit))
    heading = f"what spoke {word} osteoporosis (Grad-CAM); the classifier by itself: {said:.0%}"
    pen.text((12, 8), heading, fill=_INK, font=font, stroke_width=2, stroke_fill=(0, 0, 0))
    for index, side in enumerate(HIP.sides):
        for column, (kind, maps) in enumerate((("coarse", explanation.coarse), ("fine", explanation.fine))):
            hip = _tinted(prediction["crops"][index], maps[index]).resize((part, part), Image.Resampling.BICUBIC)
            corner = ((2 * index + column) * part, film.height)
            picture.paste(hip, corner)
            told = "not measured" if not explanation.valid[index] else kind if maps[index].max() > 0 else f"{kind}, nothing"
            title = f"{side}{', mirrored' if index else ''}: {told}"
            pen.text((corner[0] + 8, corner[1] + 6), title, fill=_INK, font=ImageFont.load_default(size=18), stroke_width=2,
                     stroke_fill=(0, 0, 0))  # fmt: skip
    return picture


def _tinted(grey: Tensor, values: Tensor) -> Image.Image:
    base = displayed(grey)[..., None].repeat(3, axis=2)
    strength: NDArray[np.float32] = values.clamp(0, 1).numpy()[..., None]
    colour = _COLOURS[0] + (_COLOURS[1] - _COLOURS[0]) * strength
    alpha = _STRONGEST * strength
    return Image.fromarray(((1 - alpha) * base + alpha * colour).astype(np.uint8))
