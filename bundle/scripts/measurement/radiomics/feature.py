"""What a radiomic feature is called, where it is defined, and what it says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """One feature of a family.

    name: within its family. code: its four characters in the reference manual of the Image Biomarker Standardisation Initiative
    (IBSI; Zwanenburg et al., Radiology 2020;295:328, arXiv 1612.07003), which has the formula; "" where it has none.
    meaning: in words.
    """

    name: str
    code: str
    meaning: str
