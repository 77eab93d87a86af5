"""Right and left: agreement passes, every contradiction is a refusal that names header, marker and picture."""

import pytest
from scripts.clinical.laterality import SideMarker, contradiction, side_note
from scripts.clinical.outcomes import Code

BOTH = ("right", "left")
R_LEFT, R_RIGHT, R_MIDDLE = (SideMarker("R", side) for side in ("left", "right", "middle"))
L_LEFT, L_RIGHT = (SideMarker("L", side) for side in ("left", "right"))


@pytest.mark.parametrize(
    ("header", "markers", "shown"),
    [
        ("", [], BOTH),
        ("B", [R_LEFT], BOTH),
        ("", [L_RIGHT], BOTH),
        ("", [R_LEFT, L_RIGHT], BOTH),
        ("R", [L_RIGHT], BOTH),  # the hip of interest is not the one marked
        ("", [R_MIDDLE], BOTH),
        ("R", [R_LEFT], ("right",)),
        ("R", [R_RIGHT], ("right",)),  # on a film of one hip the letter counts, not its place
        ("", [L_LEFT], ("left",)),
        ("L", [], ("left",)),
        ("B", [R_LEFT], ("left",)),  # the right hip is on the film, but was not found
        ("", [R_LEFT], ("left",)),
        ("R", [L_LEFT], ()),  # nothing is measured anyway
    ],
)
def test_agreement_is_no_contradiction(header, markers, shown):
    assert contradiction(header, markers, shown) is None


@pytest.mark.parametrize(
    ("header", "markers", "shown", "named"),
    [
        ("", [R_RIGHT], BOTH, ["names no side", "R at the viewer's right", "both hips"]),
        ("B", [L_LEFT], BOTH, ["both sides", "L at the viewer's left", "both hips"]),
        ("", [SideMarker("R", "right", mirrored=True)], BOTH, ["mirrored R at the viewer's right"]),
        ("", [SideMarker("R", "left", mirrored=True)], BOTH, ["mirrored R at the viewer's left"]),
        ("", [R_LEFT, L_LEFT], BOTH, ["R at the viewer's left and L at the viewer's left"]),
        ("R", [L_RIGHT], ("right",), ["the right side", "L at the viewer's right", "a right hip"]),
        ("R", [R_LEFT], ("left",), ["the right side", "R at the viewer's left", "a left hip"]),
        ("R", [R_MIDDLE], ("left",), ["the right side", "R in the middle", "a left hip"]),
        ("L", [R_LEFT], ("left",), ["the left side", "R at the viewer's left", "a left hip"]),
        ("B", [R_RIGHT], ("left",), ["both sides", "R at the viewer's right", "a left hip"]),
        ("L", [], ("right",), ["the left side", "no marker", "a right hip"]),
        ("L", [SideMarker("L", "right", mirrored=True)], ("left",), ["mirrored L"]),
    ],
)
def test_contradiction_is_refused_and_named(header, markers, shown, named):
    reason = contradiction(header, markers, shown)
    assert reason is not None and reason.code == Code.SIDE_CONTRADICTION
    for words in named:
        assert words in reason.sentence


@pytest.mark.parametrize(
    ("header", "markers", "shown", "noted"),
    [
        ("", [], ("left",), True),
        ("B", [], ("left",), True),
        ("L", [], ("left",), False),
        ("", [L_RIGHT], ("left",), False),
        ("", [], BOTH, False),
        ("", [], (), False),
    ],
)
def test_a_side_told_by_anatomy_alone_is_noted(header, markers, shown, noted):
    note = side_note(header, markers, shown)
    assert (note is not None) == noted
    assert note is None or "left" in note
