"""X-ray physics: spectrum, attenuation, scatter, exposure control, detector and noise.

Beer-Lambert over a tungsten spectrum (spekpy) with the total mass attenuation (coherent scattering included) of the tables of
Elam, Ravel and Sieber (Radiat Phys Chem 2002; xraydb), an energy-integrating caesium iodide detector, and scatter that the
patient makes out of the primary beam. Lengths are those of the patient plane unless they are said to be at the detector.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import spekpy
import torch
import xraydb
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import ive
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from scripts.simulation.physics.projection import ImagePlane

MINERAL_DENSITY = 3.16
"""Density of hydroxyapatite, g/cm³."""
CORTICAL_MINERAL = 1.15
"""Mineral in a cubic centimetre of cortical bone, g."""
LEAN_DENSITY, FAT_DENSITY = 1.06, 0.95
MATERIAL_DENSITY = {
    "titanium": 4.43,
    "cobalt": 8.30,
    "steel": 7.9,
    "ceramic": 3.98,
    "lead": 11.34,
    "polyethylene": 0.94,
    "cement": 1.25,
    "catheter": 1.3,
}
"""Of what is no tissue, g/cm³."""

_PMMA = {"H": 0.0805, "C": 0.5998, "O": 0.3196}
_POLYURETHANE = {"H": 0.080, "C": 0.630, "N": 0.060, "O": 0.230}
_BARIUM_SULPHATE = {"Ba": 0.5884, "S": 0.1374, "O": 0.2742}


def _mixture(share: float, first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    return {e: share * first.get(e, 0) + (1 - share) * second.get(e, 0) for e in {**first, **second}}


MASS_FRACTIONS: dict[str, dict[str, float]] = {
    "lean": {
        "H": 0.102, "C": 0.143, "N": 0.034, "O": 0.710, "Na": 0.001, "P": 0.002, "S": 0.003, "Cl": 0.001, "K": 0.004,
    },
    "fat": {"H": 0.114, "C": 0.598, "N": 0.007, "O": 0.278, "Na": 0.001, "S": 0.001, "Cl": 0.001},
    "mineral": {"Ca": 0.39895, "P": 0.18499, "O": 0.41405, "H": 0.00201},
    "titanium": {"Ti": 0.90, "Al": 0.06, "V": 0.04},
    "cobalt": {"Co": 0.66, "Cr": 0.28, "Mo": 0.06},
    "steel": {"Fe": 0.625, "Cr": 0.18, "Ni": 0.14, "Mo": 0.03, "Mn": 0.02, "Si": 0.005},
    "ceramic": {"Al": 0.52925, "O": 0.47075},
    "lead": {"Pb": 1.0},
    "polyethylene": {"H": 0.14372, "C": 0.85628},
    "cement": _mixture(0.9, _PMMA, _BARIUM_SULPHATE),
    "catheter": _mixture(0.8, _POLYURETHANE, _BARIUM_SULPHATE),
}  # fmt: skip
"""Elements by mass. Lean: skeletal muscle, fat: adipose tissue (ICRU Report 44); mineral: hydroxyapatite, Ca10(PO4)6(OH)2;
titanium: Ti6Al4V (ASTM F136); cobalt: CoCrMo (ASTM F75); steel: 316L (ASTM F138); ceramic: alumina; cement: polymethyl
methacrylate with a tenth of barium sulphate; catheter: polyurethane with a fifth of it."""

_PHOTONS = 29_600.0
"""Per mm² and µGy of air kerma at radiation quality RQA5 (IEC 62220-1-1; spekpy gives the same)."""
_SWANK = 0.85
"""Share of the absorbed quanta's information that the spread of light pulses leaves in caesium iodide."""
_SCATTER = ((0.5, 35.0), (0.5, 120.0))
"""Share and spread (SD, mm at the detector) of scatter. Its source is the primary times the mean free paths that it went through;
without a grid that makes scatter-to-primary ratios of about 2 and 4 behind 10 and 20 cm in a field of 30 x 30 cm."""
_CHAMBERS = ((-75.0, -25.0), (75.0, -25.0), (0.0, 55.0))
_CHAMBER_SIDE = 60.0
"""Centres (x, z) about the image's centre and side length of the exposure control's chambers, mm at the detector."""
_AIR = 0.35
"""Part of the unattenuated beam above which a ray missed the patient's bulk."""


@dataclass(frozen=True)
class Exposure:
    """How a radiograph is exposed and detected.

    Tube: voltage ``kvp`` (kV, 50 to 90), filters of ``filtration`` mm aluminium and ``copper`` mm copper, ``anode_angle``
    (degrees), ``focal_spot`` (mm), ``heel``: the relative fall of intensity from the top to the bottom edge (negative: the other
    way). Grid: share of the primary ``grid_primary`` and of the scattered quanta ``grid_scatter`` that pass (1 and 1
    without a grid). Detector: caesium iodide of ``scintillator`` g/cm², ``detector_blur`` (mm at the detector, SD of its spread,
    pixel included), ``dose``: the air kerma (µGy) at which the exposure control ends the exposure, ``electronic``: the kerma
    (µGy) whose quantum noise equals the electronic noise, ``saturation``: the kerma (µGy) at which it clips.
    """

    kvp: float = 80.0
    filtration: float = 2.5
    copper: float = 0.0
    anode_angle: float = 12.0
    focal_spot: float = 1.2
    heel: float = 0.1
    grid_primary: float = 0.7
    grid_scatter: float = 0.12
    scintillator: float = 0.18
    detector_blur: float = 0.15
    dose: float = 2.5
    electronic: float = 0.1
    saturation: float = 40.0


@dataclass(frozen=True)
class Spectrum:
    """The detector's signal by photon energy: ``energies`` in eV, ``shares`` of the signal in air (sum 1), and the tube's
    ``output`` behind 20 cm of water 1 m away, µGy for 1 mAs."""

    energies: NDArray[np.float64]
    shares: NDArray[np.float64]
    output: float


def mass_attenuation(material: str, energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mass attenuation coefficient in cm²/g of a material of ``MASS_FRACTIONS`` at ``energies`` in eV."""
    return sum(share * xraydb.mu_elam(element, energies) for element, share in MASS_FRACTIONS[material].items())


@lru_cache(maxsize=64)
def spectrum(
    kvp: float, filtration: float = 2.5, copper: float = 0.0, anode_angle: float = 12.0, scintillator: float = 0.18
) -> Spectrum:
    """Return the whole spectrum in steps of 0.5 keV; the arguments are those of ``Exposure``."""
    tube = spekpy.Spek(kvp=kvp, th=anode_angle, dk=0.5).filter("Al", filtration).filter("Cu", copper).filter("Air", 1000)
    energy, fluence = tube.get_spectrum(edges=False)
    signal = fluence * energy * _absorbed(scintillator, energy * 1000)
    return Spectrum(energy * 1000, signal / signal.sum(), float(tube.filter("Water, Liquid", 200).get_kerma()))


@lru_cache(maxsize=64)
def few_energies(
    kvp: float, filtration: float = 2.5, copper: float = 0.0, anode_angle: float = 12.0, scintillator: float = 0.18
) -> Spectrum:
    """Return a spectrum of at most 14 energies that attenuates like the whole one.

    Its shares are fitted to the whole spectrum's transmission through 0 to 36 cm of lean and fat tissue with 0 to 3 g/cm² of
    mineral and with metal, in relative terms down to a thousandth of the tissue's transmission; the energies leave out the K edge
    of barium.
    """
    whole = spectrum(kvp, filtration, copper, anode_angle, scintillator)
    nodes = np.r_[np.linspace(20e3, 37e3, 5), np.linspace(38e3, (kvp - 1) * 1e3, 9)]
    chosen = np.unique(np.searchsorted(whole.energies, nodes))
    mu = {name: mass_attenuation(name, whole.energies) for name in MASS_FRACTIONS}
    tissue = np.array([
        cm * ((1 - fat) * LEAN_DENSITY * mu["lean"] + fat * FAT_DENSITY * mu["fat"]) + mineral * mu["mineral"]
        for cm in (0, 1, 3, 6, 10, 16, 23, 30, 36) for fat in (0, 0.5) for mineral in (0, 1.5, 3)
    ])  # fmt: skip
    thickness = {"titanium": (0.5, 1.5, 3), "cobalt": (0.1, 0.4, 1, 3), "cement": (1, 3), "lead": (0.05, 0.2)}
    added = np.array([0 * mu["lean"], *(cm * MATERIAL_DENSITY[n] * mu[n] for n, depths in thickness.items() for cm in depths)])
    rays = np.exp(-(tissue[:, None] + added)).reshape(-1, len(whole.energies))
    transmission = rays @ whole.shares
    scale = transmission + 1e-3 * np.repeat(np.exp(-tissue) @ whole.shares, len(added))
    shares, _ = nnls(rays[:, chosen] / scale[:, None], transmission / scale)
    used = shares > 0
    return Spectrum(whole.energies[chosen][used], shares[used], whole.output)


def _absorbed(scintillator: float, energies: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 - np.exp(-xraydb.material_mu("CsI", energies, density=1.0) * scintillator)


def _spectrum_of(exposure: Exposure) -> Spectrum:
    return few_energies(exposure.kvp, exposure.filtration, exposure.copper, exposure.anode_angle, exposure.scintillator)


def attenuate(lean: Tensor, fat: Tensor, mineral: Tensor, materials: Mapping[str, Tensor], exposure: Exposure) -> Tensor:
    """Attenuate the beam: the signal of what is not scattered, relative to air, an image in 0..1.

    Args:
        lean, fat: paths in mm.
        mineral: hydroxyapatite along each ray, g/cm².
        materials: path in mm for each material of ``MATERIAL_DENSITY`` that is there.
        exposure: gives the spectrum.
    """
    beam = _spectrum_of(exposure)
    paths = [(lean, "lean", LEAN_DENSITY / 10), (fat, "fat", FAT_DENSITY / 10), (mineral, "mineral", 1.0)]
    paths += [(path, name, MATERIAL_DENSITY[name] / 10) for name, path in materials.items()]
    factors = [(path, -scale * mass_attenuation(name, beam.energies)) for path, name, scale in paths]
    total, depth = torch.zeros_like(lean), torch.empty_like(lean)
    for k, share in enumerate(beam.shares.tolist()):
        depth.zero_()
        for path, factor in factors:
            depth.add_(path, alpha=float(factor[k]))
        total.add_(depth.exp_(), alpha=share)
    return total


def low_pass(image: Tensor, sigma: float, outside: str = "replicate") -> Tensor:
    """Blur (rows, columns) with a Gaussian of ``sigma`` pixels; wide ones work on a reduced grid.

    Args:
        image: of any device.
        sigma: standard deviation in pixels; any value from 0.
        outside: what lies beyond the edges: "replicate" (more of the same) or "constant" (zero).
    """
    step = max(1, int(sigma / 2))
    rows, columns = image.shape
    small = image[None, None]
    if step > 1:
        small = avg_pool2d(pad(small, (0, -columns % step, 0, -rows % step), outside), step)
    # Averaging and bilinear interpolation blur too: by 1/12 and 1/6 of the squared step.
    variance = (sigma / step) ** 2 - (0.25 if step > 1 else 0.0)
    radius = int(4 * variance**0.5) + 1
    # The discrete Gaussian (Lindeberg, IEEE PAMI 1990) has exactly this variance, however narrow it is.
    weights = ive(np.arange(radius + 1), variance)
    weights = (weights / (2 * weights.sum() - weights[0])).tolist()
    for dim in (-2, -1):
        length = small.shape[dim]
        wide = pad(small, (0, 0, radius, radius) if dim == -2 else (radius, radius, 0, 0), outside)
        small = wide.narrow(dim, radius, length) * weights[0]
        for k in range(1, radius + 1):
            small.add_(wide.narrow(dim, radius - k, length), alpha=weights[k])
            small.add_(wide.narrow(dim, radius + k, length), alpha=weights[k])
    if step > 1:
        small = interpolate(small, scale_factor=step, mode="bilinear", align_corners=False)[..., :rows, :columns]
    return small[0, 0]


def scatter(beam: Tensor, exposure: Exposure, spacing: float) -> Tensor:
    """Return the scattered signal behind the grid, relative to air; it grows with the patient's thickness and with the field.

    Args:
        beam: primary signal (rows, columns) relative to air; zero outside the field.
        exposure: gives the grid.
        spacing: pixel spacing in mm at the detector.
    """
    source = beam * torch.log(beam.clamp_min(1e-9)).neg_()
    spread = torch.zeros_like(beam)
    for share, sigma in _SCATTER:
        spread.add_(low_pass(source, sigma / spacing, "constant"), alpha=share * exposure.grid_scatter / exposure.grid_primary)
    return spread


def expose(beam: Tensor, exposure: Exposure, plane: ImagePlane, source_detector: float, generator: torch.Generator) -> Tensor:
    """The detector's signal (rows, columns), 1 where it got the exposure control's dose: heel, scatter, blur, noise, saturation.

    The exposure ends when the mean over three chambers, two lateral and one central, reaches the target; rays that missed the
    patient do not count. Focal spot and detector blur by Gaussians with their variances; the scintillator's blur also smooths the
    quantum noise, not the electronic one.

    Args:
        beam: primary signal (rows, columns) relative to air; zero outside the field.
        exposure: tube, grid and detector.
        plane: the pixels of ``beam``.
        source_detector: distance in mm from the focal spot to the detector.
        generator: source of the noise.
    """
    magnification = source_detector / plane.focus_distance if plane.focus_distance < torch.inf else 1.0
    pitch = plane.spacing * magnification
    fall = 1 - exposure.heel * torch.linspace(-0.5, 0.5, plane.rows, device=beam.device)[:, None]
    signal = beam * fall
    signal += scatter(signal, exposure, pitch)
    signal /= _chamber_mean(beam, signal, pitch)
    signal = low_pass(signal, exposure.focal_spot / 12**0.5 * (magnification - 1) / pitch)

    absorbed = float(_absorbed(exposure.scintillator, np.array([56e3]))[0])
    quanta = exposure.dose * pitch**2 * _PHOTONS * absorbed * _SWANK

    def white() -> Tensor:
        noise = torch.randn(signal.shape, generator=generator, device=generator.device)
        return noise.to(beam.device).mul_(quanta**-0.5)

    signal += white().mul_(signal.clamp_min(0).sqrt_())
    signal = low_pass(signal, exposure.detector_blur / pitch)
    signal += white().mul_((exposure.electronic / exposure.dose) ** 0.5)
    return signal.clamp_(1e-4, exposure.saturation / exposure.dose)


def _chamber_mean(beam: Tensor, signal: Tensor, pitch: float) -> Tensor:
    rows, columns = beam.shape
    inside = []
    for x, z in _CHAMBERS:
        edges = [
            [min(max(round(size / 2 + (centre + side * _CHAMBER_SIDE / 2) / pitch), 0), size) for side in (-1, 1)]
            for centre, size in ((z, rows), (x, columns))
        ]
        window = (slice(*edges[0]), slice(*edges[1]))
        inside.append(signal[window][(beam[window] < _AIR) & (beam[window] > 0)])
    values = torch.cat(inside)
    return values.mean() if values.numel() else signal.mean()


def tube_charge(exposure: Exposure, thickness: float, source_detector: float) -> float:
    """Return the tube charge in mAs that the exposure control needs behind soft tissue alone.

    Args:
        exposure: tube, grid and dose.
        thickness: of the patient in mm.
        source_detector: distance in mm from the focal spot to the detector.
    """
    lean = torch.tensor([200.0, thickness])
    primaries = attenuate(lean, torch.zeros(2), torch.zeros(2), {}, exposure)
    ratio = -torch.log(primaries[1]) * 0.9 * exposure.grid_scatter / exposure.grid_primary  # 0.9: a field as large as the pelvis
    kerma = _spectrum_of(exposure).output * float(primaries[1] / primaries[0] * (1 + ratio)) * exposure.grid_primary
    return exposure.dose / (kerma * (1000 / source_detector) ** 2)
