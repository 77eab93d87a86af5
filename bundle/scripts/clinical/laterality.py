"""Whether header, burned-in marker and anatomy agree on which side of the patient is which."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from scripts.clinical.outcomes import Code, Reason

_HIP: Final = {"R": "right", "L": "left"}
_HEADER: Final = {"R": "the right side", "L": "the left side", "B": "both sides"}


@dataclass(frozen=True)
class SideMarker:
    """A side marker seen on a radiograph.

    Args:
        letter: "R" or "L".
        viewer_side: the third of the displayed radiograph that it lies in; "middle" tells nothing of its sides.
        mirrored: whether the letter reads backwards.
    """

    letter: Literal["R", "L"]
    viewer_side: Literal["left", "middle", "right"]
    mirrored: bool = False

    def __str__(self) -> str:
        """Describe it, such as "R at the viewer's left"."""
        place = "in the middle" if self.viewer_side == "middle" else f"at the viewer's {self.viewer_side}"
        return f"{'mirrored ' if self.mirrored else ''}{self.letter} {place}"


def contradiction(header_laterality: str, markers: Sequence[SideMarker], shown: Collection[str]) -> Reason | None:
    """Why right and left cannot be told, or None where nothing disagrees.

    A marker names the patient's side that it lies on. As displayed, the patient's right is the viewer's left, so an R in the
    viewer's right third, an L in the left one, or a letter that reads backwards mean a radiograph shown mirrored. Where one hip
    is found the header names that hip, and where the header names one, so does the marker, wherever it lies; without a header a
    marker of the other side that lies there may belong to a hip that is on the radiograph but was not found.

    Args:
        header_laterality: "R", "L", "B" (both) or "" (unknown).
        markers: those found on the radiograph as displayed.
        shown: the hips that the network found, of "right" and "left".

    Returns:
        A SIDE_CONTRADICTION that names header, marker and picture.
    """
    if not shown:
        return None
    one = next(iter(shown)) if len(shown) == 1 else ""
    disagree = one != "" and header_laterality in _HIP and _HIP[header_laterality] != one
    for marker in markers:
        own_side = "left" if marker.letter == "R" else "right"
        displaced = marker.viewer_side not in (own_side, "middle")
        if one:
            # The other hip may be on the radiograph and not be found: a marker on its own side is no contradiction by itself.
            named = _HIP[marker.letter] == one
            disagree |= not named and (displaced or header_laterality in _HIP)
        else:
            disagree |= displaced
        disagree |= marker.mirrored
    if not disagree:
        return None
    header = f"the header says {_HEADER[header_laterality]}" if header_laterality in _HEADER else "the header names no side"
    marked = f"the radiograph is marked {' and '.join(map(str, markers))}" if markers else "no marker was found"
    pictured = f"the picture shows a {one} hip" if one else "the picture shows both hips"
    return Reason(
        Code.SIDE_CONTRADICTION,
        f"Header, marker and picture disagree on the side: {header}, {marked}, and {pictured}. The radiograph may be shown "
        "mirrored, so right and left cannot be told and nothing was measured. Correct its orientation or laterality and run "
        "again.",
    )


def side_note(header_laterality: str, markers: Sequence[SideMarker], shown: Collection[str]) -> str | None:
    """The note for a radiograph of one hip whose side neither header nor marker names, so that its shape alone tells it.

    Args:
        header_laterality: as for `contradiction`.
        markers: as for `contradiction`.
        shown: as for `contradiction`.
    """
    if len(shown) != 1 or markers or header_laterality in _HIP:
        return None
    side = next(iter(shown))
    return (
        "Neither header nor marker names the side of this one hip: by its shape, as the radiograph is displayed, it is a "
        f"{side} one."
    )
