"""X-ray physics: spectrum, attenuation, scatter, detector and noise.

Beer-Lambert over a tungsten spectrum (spekpy) with mass attenuation coefficients from xraydb (Elam, Ravel and Sieber tables); an
energy-integrating caesium iodide detector; scatter as a low-pass of the primary (its fraction after a grid is a parameter);
quantum noise that goes with the square root of the dose.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import spekpy
import torch
import xraydb
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

MINERAL_DENSITY = 3.16
"""Density of hydroxyapatite, g/cm³."""
CORTICAL_MINERAL = 1.15
"""Mineral in a cubic centimetre of cortical bone, g."""
LEAN_DENSITY, FAT_DENSITY = 1.06, 0.95

_MASS_FRACTIONS = {
    # ICRU Report 44: skeletal muscle and adipose tissue
    "lean": {
        "H": 0.102,
        "C": 0.143,
        "N": 0.034,
        "O": 0.710,
        "Na": 0.001,
        "P": 0.002,
        "S": 0.003,
        "Cl": 0.001,
        "K": 0.004,
    },
    "fat": {"H": 0.114, "C": 0.598, "N": 0.007, "O": 0.278, "Na": 0.001, "S": 0.001, "Cl": 0.001},
    "mineral": {"Ca": 0.39895, "P": 0.18499, "O": 0.41405, "H": 0.00201},  # Ca10(PO4)6(OH)2
    "titanium": {"Ti": 0.90, "Al": 0.06, "V": 0.04},
    "cobalt": {"Co": 0.65, "Cr": 0.28, "Mo": 0.06, "Si": 0.01},
}
METAL_DENSITY = {"titanium": 4.43, "cobalt": 8.30}
_CSI_DENSITY = 4.51
_BINS = 10


@dataclass(frozen=True)
class Exposure:
    """How a film is exposed: tube voltage (kVp), added filtration (mm Al), photons per 0.1 mm² pixel area reaching the
    detector without a patient are ``dose``; ``scatter`` is the scatter-to-primary ratio behind the grid; ``blur`` (mm, SD) the
    spread of focal spot and detector; ``heel`` the relative fall of intensity from the cathode to the anode side."""

    kvp: float = 75.0
    filtration: float = 2.5
    dose: float = 4e4
    scatter: float = 0.4
    blur: float = 0.18
    heel: float = 0.15


def mass_attenuation(material: str, energies: np.ndarray) -> np.ndarray:
    """Mass attenuation coefficient in cm²/g of a material of this module at ``energies`` in eV."""
    return sum(f * xraydb.mu_elam(element, energies) for element, f in _MASS_FRACTIONS[material].items())


@lru_cache(maxsize=64)
def spectrum(kvp: float, filtration: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Energies in eV and the share of the detector's signal that each has in air, in ten bins of equal share.

    Args:
        kvp: tube voltage.
        filtration: aluminium in mm besides the tube's own.
    """
    spek = spekpy.Spek(kvp=kvp, th=12, dk=1.0)
    spek.filter("Al", filtration).filter("Air", 1000)
    energy, fluence = spek.get_spectrum(edges=False)
    csi = xraydb.material_mu("CsI", energy * 1000, density=_CSI_DENSITY)
    signal = fluence * energy * (1 - np.exp(-csi * 0.055))
    # Bins of equal share after 12 cm of lean tissue: the part of the spectrum that reaches the detector is resolved best.
    behind = signal * np.exp(-mass_attenuation("lean", energy * 1000) * LEAN_DENSITY * 12)
    share = np.cumsum(behind) / behind.sum()
    edges = np.searchsorted(share, np.arange(1, _BINS) / _BINS) + 1
    groups = [g for g in np.split(np.arange(len(energy)), edges) if len(g)]
    energies = [float((energy[g] * behind[g]).sum() / behind[g].sum() * 1000) for g in groups]
    weights = [float(signal[g].sum() / signal.sum()) for g in groups]
    return tuple(energies), tuple(weights)


def primary(lean: Tensor, fat: Tensor, mineral: Tensor, metal: dict[str, Tensor], exposure: Exposure) -> Tensor:
    """Signal of the unscattered beam relative to air, an image in 0..1.

    Args:
        lean, fat: paths in mm.
        mineral: hydroxyapatite along each ray, g/cm².
        metal: path in mm for each material of ``METAL_DENSITY``.
    """
    energies, weights = spectrum(exposure.kvp, exposure.filtration)
    at = np.asarray(energies)
    mu = {name: mass_attenuation(name, at) for name in ("lean", "fat", "mineral", *metal)}
    total = torch.zeros_like(lean)
    for k, weight in enumerate(weights):
        depth = lean * float(mu["lean"][k] * LEAN_DENSITY / 10)
        depth.add_(fat, alpha=float(mu["fat"][k] * FAT_DENSITY / 10)).add_(mineral, alpha=float(mu["mineral"][k]))
        for name, path in metal.items():
            depth.add_(path, alpha=float(mu[name][k] * METAL_DENSITY[name] / 10))
        total.add_(depth.neg_().exp_(), alpha=weight)
    return total


def low_pass(image: Tensor, sigma: float) -> Tensor:
    """Blur (rows, columns) with a Gaussian of ``sigma`` pixels; wide ones work on a reduced grid."""
    step = max(1, int(sigma / 3))
    small = image[None, None]
    if step > 1:
        small = avg_pool2d(small, step, ceil_mode=True, count_include_pad=False)
    s = sigma / step
    radius = max(1, int(3 * s + 0.5))
    kernel = torch.exp(-(torch.arange(-radius, radius + 1, device=image.device) ** 2) / (2 * s * s))
    kernel = kernel / kernel.sum()
    small = torch.conv2d(pad(small, (radius, radius, 0, 0), "replicate"), kernel[None, None, None, :])
    small = torch.conv2d(pad(small, (0, 0, radius, radius), "replicate"), kernel[None, None, :, None])
    if step > 1:
        small = interpolate(small, size=image.shape, mode="bilinear", align_corners=False)
    return small[0, 0]


def expose(beam: Tensor, exposure: Exposure, spacing: float, generator: torch.Generator) -> Tensor:
    """Turn the primary beam into the detector's signal (relative to air): heel, scatter, blur, noise.

    Args:
        beam: primary signal (rows, columns) relative to air.
        spacing: pixel spacing in mm.
    """
    rows = torch.linspace(0.5, -0.5, beam.shape[0])[:, None]
    beam = beam * (1 + exposure.heel * rows)
    signal = beam + exposure.scatter * low_pass(beam, 40 / spacing)
    signal = low_pass(signal, exposure.blur / spacing)
    photons = signal * exposure.dose * (spacing / 0.316) ** 2
    noisy = photons + photons.sqrt() * torch.randn(photons.shape, generator=generator)
    return (noisy / exposure.dose / (spacing / 0.316) ** 2).clamp_min(1e-6)
