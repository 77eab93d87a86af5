"""Implants of the hip: which pieces a fitting has, in the frame of the femur that carries it."""

from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.hardware.arthroplasty import joint
from scripts.simulation.hardware.fitting import Fitting, Implant, Part, draw_fitting, placed
from scripts.simulation.hardware.fixation import cannulated_screws, nail, sliding_hip_screw

__all__ = ["Fitting", "Implant", "Part", "draw_fitting", "parts", "placed"]


def parts(fitting: Fitting, femur: Femur) -> list[Part]:
    """Return the pieces of ``fitting`` on ``femur``; an empty list for none.

    Implants come in sizes that go with the bone: pieces grow with the femur, but for the heads of total hips.
    """
    if fitting.implant.is_joint:
        return joint(fitting, femur)
    if fitting.implant is Implant.SLIDING_HIP_SCREW:
        return sliding_hip_screw(fitting, femur)
    if fitting.implant is Implant.NAIL:
        return nail(fitting, femur)
    if fitting.implant is Implant.SCREWS:
        return cannulated_screws(fitting, femur)
    return []
