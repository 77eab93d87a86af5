"""Values of a radiograph of two fine hips, by the name of their quantity, with whatever a test wants changed."""

from scripts.clinical import CHANNELS, Values

HIP = {
    "landmark_confidence": 0.9,
    "femur_probability": 0.97,
    "metal_fraction": 0.0,
    "fracture_probability": 0.02,
    "growth_probability": 0.01,
    "shaft_abduction_deg": 5.0,
    "outward_rotation_deg": 3.0,
    "contour_agreement": 0.98,
    "neck_bmd": 0.75,
    "neck_bmd_sd": 0.05,
    "neck_bmd_epistemic_sd": 0.01,
    "total_bmd": 0.85,
    "total_bmd_sd": 0.06,
    "total_bmd_epistemic_sd": 0.01,
}
CLEAR = {
    "exposure_black": 0.0,
    "exposure_white": 0.0,
    "exposure_contrast": 0.5,
    "exposure_noise": 0.02,
    "exposure_edge": 0.6,
}


def named(right: dict | None = None, left: dict | None = None, probability: float = 0.2, **picture: float) -> dict[str, float]:
    """By the names of the channels."""
    values = {"osteoporosis_probability": probability, "hip_view": 0.99, "novelty": 0.5, "pelvic_turn_deg": 2.0}
    values |= {"pelvic_tilt_deg": 4.0, **picture}
    for side, changes in (("right", right or {}), ("left", left or {})):
        values |= {f"{side}_{name}": value for name, value in {**HIP, **changes}.items()}
    return values


def found(right: dict | None = None, left: dict | None = None, **picture: float) -> Values:
    """As the cascade would have given them, see `named`."""
    values = named(right, left, **picture)
    return CHANNELS.unpack([values[name] for name in CHANNELS.names])
