"""From detector signal to the grey values a vendor stores.

Six styles stand for what hospitals show: a plain logarithm, detector values under a power law with the tone curve left to the
viewer, multi-scale contrast equalisation, strong edge enhancement of equalised tissue, a dark film-like curve, and a soft flat
picture with the air beside the patient masked black. Two more are the detector's signal before any of that (FOR PROCESSING), as
archives keep it now and then: its logarithm, or the signal itself.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from scripts.simulation.physics.xray import low_pass

_FILM_BASE, _FILM_RANGE = 0.2, 2.8  # optical densities of a radiographic film: base with fog, and above it
_PERCEIVED = 0.35  # exponent from luminance to perceived brightness, in which display values are linear (DICOM PS3.14)
_SATURATED, _BULK = 0.97, 0.4  # of the strongest signal: a ray missed the patient; it crossed more than the skin's edge
_RAW_RANGE = 1000.0  # of a logarithmic detector's scale, strongest to weakest signal
_SPARSE = (slice(None, None, 7), slice(None, None, 7))  # enough pixels for percentiles


class Curve(StrEnum):
    """Shape of a tone curve."""

    STRAIGHT = "straight"
    SIGMOID = "sigmoid"
    FILM = "film"
    LOGARITHM = "logarithm"


@dataclass(frozen=True)
class Tone:
    """A tone curve about ``centre``, as steep as ``width`` is narrow; both in units of the window (0..1)."""

    curve: Curve
    centre: float = 0.5
    width: float = 1.0

    def __call__(self, grey: Tensor) -> Tensor:
        """Map grey values, any shape, to display values 0..1; both are bone bright.

        Straight: clipped. Sigmoid: the function SIGMOID of DICOM PS3.3 C.11.2.1.3.1. Film: the luminance behind a film whose
        density follows a logistic characteristic curve, scaled so that 0 and 1 stay. Logarithm: of a signal in ``width`` steps.
        """
        if self.curve is Curve.STRAIGHT:
            return grey.clamp(0, 1)
        if self.curve is Curve.LOGARITHM:
            return 1 - torch.log1p((1 - grey.clamp(0, 1)) * self.width) / math.log1p(self.width)
        bent = torch.sigmoid((grey - self.centre) * (4 / self.width))
        if self.curve is Curve.SIGMOID:
            return bent
        # Luminance is ten to the minus density, and density falls where the grey is bright.
        ends = self._luminance(torch.sigmoid((torch.tensor([0.0, 1.0]) - self.centre) * (4 / self.width))).tolist()
        return self._luminance(bent).sub_(ends[0]).div_(ends[1] - ends[0]).clamp_(0, 1)

    @staticmethod
    def _luminance(bent: Tensor) -> Tensor:
        exponent = -_PERCEIVED * float(np.log(10))
        return torch.exp((_FILM_BASE + _FILM_RANGE * (1 - bent)) * exponent)


@dataclass(frozen=True)
class Style:
    """How a vendor makes its radiographs.

    ``power`` p turns the signal s into (1 - s^p) / p: 0 is the logarithm, 1 the detector's own values. ``equalise`` 0..1 takes
    out what changes more slowly than ``slow`` (mm). Detail is enhanced by unsharp masking, ``sharpen`` at the scale ``edge``
    (mm), or, where ``gain`` is above 1, at all scales, weak structures by ``gain``; ``coring`` (in units of the noise) spares the
    noise. The patient's percentiles ``low`` and ``high`` become 0 and 1 of ``tone``, which the viewer applies if it is ``stored``
    in the file; what is shown runs from ``floor`` to ``ceiling``, and where ``masked`` the air beside the patient is black.
    ``bits`` are stored, inverted if ``monochrome1``. ``raw``: nothing is processed (FOR PROCESSING), and the signal is stored as
    "LIN" or "LOG" says (DICOM's Pixel Intensity Relationship).
    """

    name: str
    bits: int
    monochrome1: bool = False
    power: float = 0.0
    equalise: float = 0.0
    slow: float = 30.0
    sharpen: float = 0.0
    edge: float = 1.0
    gain: float = 1.0
    coring: float = 0.0
    low: float = 1.0
    high: float = 99.7
    tone: Tone = Tone(Curve.STRAIGHT)
    stored: bool = False
    floor: float = 0.0
    ceiling: float = 1.0
    masked: bool = False
    raw: str = ""


STYLES = {
    style.name: style
    for style in (
        Style("A", 12, equalise=0.25, sharpen=0.4, edge=1.0, low=2.0, high=99.8),
        Style("B", 14, power=0.35, sharpen=0.6, edge=3.0, low=3.0, high=99.9, tone=Tone(Curve.SIGMOID, 0.55, 0.7), stored=True),
        Style("C", 12, equalise=0.5, slow=40.0, gain=3.0, coring=1.0, low=1.0, high=99.8, tone=Tone(Curve.SIGMOID, 0.5, 0.85)),
        Style("D", 10, True, equalise=0.7, slow=25.0, sharpen=1.5, edge=2.0, low=1.0, high=99.8, floor=0.08),
        Style("E", 12, equalise=0.3, low=0.5, high=99.8, sharpen=0.15, edge=1.5, tone=Tone(Curve.FILM, 0.5, 0.8), stored=True),
        Style("F", 11, True, equalise=0.6, slow=50.0, low=0.5, high=99.95, floor=0.2, ceiling=0.9, masked=True),
    )
}
"""By name; all that differs between makers is here, nothing in the physics."""

FOR_PROCESSING = {style.name: style for style in (Style("L", 12, raw="LOG"), Style("R", 14, True, raw="LIN"))}
"""The same before any processing, by name."""

ALL_STYLES = STYLES | FOR_PROCESSING


@dataclass(frozen=True)
class Rendering:
    """A processed radiograph: ``values`` (rows, columns) to be stored, in 0..1, bone bright, and the ``tone`` curve that the file
    tells the viewer to apply to them (None: they are what is displayed)."""

    values: Tensor
    tone: Tone | None = None

    def displayed(self) -> Tensor:
        """What a viewer shows, (rows, columns) in 0..1, bone bright."""
        return self.values if self.tone is None else self.tone(self.values)


def vary(style: Style, rng: np.random.Generator) -> Style:
    """Return the style as a hospital's settings and a technologist's hand change it between radiographs."""

    def times(value: float, spread: float) -> float:
        return float(value * np.exp(rng.normal(0, spread)))

    def plus(value: float, spread: float, low: float, high: float) -> float:
        return float(np.clip(value + rng.normal(0, spread), low, high))

    tone = Tone(style.tone.curve, plus(style.tone.centre, 0.05, 0.35, 0.7), min(1.6, times(style.tone.width, 0.15)))
    return replace(
        style,
        power=times(style.power, 0.3),
        equalise=plus(style.equalise, 0.12, 0.0, 0.85),
        slow=times(style.slow, 0.25),
        sharpen=times(style.sharpen, 0.35),
        edge=times(style.edge, 0.25),
        gain=1 + times(style.gain - 1, 0.3),
        coring=times(style.coring, 0.3),
        low=min(8.0, times(style.low, 0.6)),
        high=float(100 - min(2.0, times(100 - style.high, 0.6))),
        tone=tone,
        floor=times(style.floor, 0.3),
        ceiling=plus(style.ceiling, 0.03, 0.75, 1.0) if style.ceiling < 1 else 1.0,
    )


def process(signal: Tensor, style: Style, spacing: float, exposed: Tensor | None = None, shuttered: bool = True) -> Rendering:
    """Turn a detector signal into what a vendor stores.

    Args:
        signal: (rows, columns), positive; constant at its maximum where the detector is saturated.
        style: the vendor's settings.
        spacing: pixel spacing in mm.
        exposed: (rows, columns) bool, where the collimator was open; None: everywhere.
        shuttered: whether what lies outside becomes black, and is left out of the processing; else it is shown as it is.
    """
    if style.raw:
        return _unprocessed(signal, style)
    strongest = signal.max()
    bulk = (signal < _BULK * strongest)[_SPARSE]
    if exposed is not None:
        bulk &= exposed[_SPARSE]
        if shuttered and bulk.any():
            signal = torch.where(exposed, signal, signal[_SPARSE][bulk].median())
    dense = signal.log().neg_() if style.power < 1e-3 else signal.pow(style.power).neg_().add_(1).div_(style.power)
    if style.gain > 1:
        dense = _multiscale(dense, style, spacing)
    else:
        if style.equalise > 0:
            slow = low_pass(dense, style.slow / spacing)
            dense = dense.sub_(slow.sub_(slow.mean()), alpha=style.equalise)
        if style.sharpen > 0:
            blurred = low_pass(dense, style.edge / spacing)
            dense = dense.mul_(1 + style.sharpen).sub_(blurred, alpha=style.sharpen)
    sample = dense[_SPARSE][bulk] if bulk.any() else dense[_SPARSE].flatten()
    low, high = torch.quantile(sample, torch.tensor([style.low / 100, style.high / 100], device=sample.device)).tolist()
    grey = dense.sub_(low).div_(max(high - low, 1e-3))
    lit = signal < _SATURATED * strongest if style.masked else None
    if exposed is not None and shuttered:
        lit = exposed if lit is None else lit & exposed
    shown = grey.clamp_(0, 1) if style.stored else style.tone(grey).mul_(style.ceiling - style.floor).add_(style.floor)
    return Rendering(shown if lit is None else shown.mul_(lit), style.tone if style.stored else None)


def _unprocessed(signal: Tensor, style: Style) -> Rendering:
    """The detector's signal as it is, over the strongest; the collimator's border too is what was measured."""
    relative = signal / signal.max()
    if style.raw == "LIN":
        return Rendering(1 - relative, Tone(Curve.LOGARITHM, width=float(2**style.bits - 1)))
    return Rendering((-relative.log() / math.log(_RAW_RANGE)).clamp(0, 1))


def _multiscale(dense: Tensor, style: Style, spacing: float) -> Tensor:
    """Enhance weak structures at all scales finer than ``style.slow``: a Laplacian pyramid whose coefficients are compressed."""
    levels = max(2, round(np.log2(style.slow / spacing)))
    band: Tensor = dense[None, None]
    bands: list[Tensor] = []
    for _ in range(levels):
        rows, columns = band.shape[-2:]
        smooth = low_pass(band[0, 0], 0.7)[None, None]
        coarse = avg_pool2d(pad(smooth, (0, columns % 2, 0, rows % 2), "replicate"), 2)
        bands.append(band - _enlarged(coarse, rows, columns))
        band = coarse
    result = band - style.equalise * (band - band.mean())
    for level, detail in reversed(list(enumerate(bands))):
        size = detail.abs()
        sample = size[..., ::5, ::5]
        factor = (style.gain - 1) / (1 + size / (6 * float(sample.mean()) + 1e-6)) + 1
        if level < 2 and style.coring > 0:
            size = size.square()
            # Most of the finest coefficients are noise, so their median is its size.
            factor *= size / (size + (style.coring * float(sample.median()) + 1e-6) ** 2)
        rows, columns = detail.shape[-2:]
        result = detail.mul_(factor).add_(_enlarged(result, rows, columns))
    return result[0, 0]


def _enlarged(image: Tensor, rows: int, columns: int) -> Tensor:
    return interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)[..., :rows, :columns]
