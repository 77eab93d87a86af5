"""The table of quantities: every name once, every limit asked once, every sentence whole, and the channels in order."""

import json
from dataclasses import replace

import pytest
from scripts.clinical import CHANNELS, HIP, QUANTITIES, Channels, Of, Quantity, Source
from scripts.clinical.limits import GATE_FILE, NETWORK_GATE_FILE

LIMITS = [(quantity, limit) for quantity in QUANTITIES for limit in quantity.limits]
BESIDE = {limit.beside[1] for _, limit in LIMITS if limit.beside}
OF_THE_GATE = {"youngest_age_years", "views", "head_diameter_at_least_mm", "head_diameter_at_most_mm", "doubt_widens_by"}
"""Limits of the header, or of the heads of a radiograph together."""


def test_names_and_places_are_unique():
    names = [quantity.name for quantity in QUANTITIES]
    assert len(set(names)) == len(names)
    places = [(quantity.of, quantity.group, quantity.key) for quantity in QUANTITIES]
    assert len(set(places)) == len(places)


def test_every_limit_is_asked_by_one_quantity_or_by_the_gate_itself():
    named = {name for file in (GATE_FILE, NETWORK_GATE_FILE) for name in json.loads(file.read_text())["limits"]}
    askers = {name: {quantity.name for quantity, limit in LIMITS if limit.name == name} for name in named | OF_THE_GATE}
    assert {limit.name for _, limit in LIMITS} | BESIDE | OF_THE_GATE == named
    several = {name for name, asking in askers.items() if len(asking) != 1}
    assert several == {*OF_THE_GATE, *BESIDE, "flat_at_most"}
    assert askers["flat_at_most"] == {"exposure_black", "exposure_white"}
    assert not any(askers[name] for name in OF_THE_GATE | BESIDE)


@pytest.mark.parametrize(("quantity", "limit"), LIMITS, ids=lambda row: row.name)
def test_every_limit_says_its_direction_and_every_sentence_formats(quantity, limit):
    assert ("_at_least" in limit.name) != ("_at_most" in limit.name)
    said = limit.sentence.format(side="left", value=0.4321, limit=17.6)
    assert not set("{}") & set(said) and said.endswith(".")
    assert ("left" in said) == (quantity.of is Of.BONE), "a bone's sentence names its side"
    beyond = 18.0 if "_at_most" in limit.name else 17.0
    assert limit.holds(limit.sign * 17.6, 17.6) and not limit.holds(limit.sign * beyond, 17.6)
    assert limit.holds(float("nan"), 17.6) == limit.unknown_passes


def test_channels_are_those_of_each_bone_then_the_patients_then_the_radiographs():
    assert all(quantity.source is Source.NETWORK for quantity in CHANNELS.quantities)
    bone, patient, radiograph = ([quantity.name for quantity in CHANNELS.of(kind)] for kind in Of)
    assert list(CHANNELS.names) == [f"{side}_{name}" for side in HIP.sides for name in bone] + patient + radiograph
    shuffled = Channels(tuple(reversed(CHANNELS.quantities)))
    assert shuffled.names[0] == f"right_{bone[-1]}" and shuffled.names[-1] == radiograph[0]
    assert CHANNELS.table == QUANTITIES
    assert [CHANNELS.index(name, "left") for name in bone] == list(range(len(bone), 2 * len(bone)))


def test_unpacked_numbers_have_their_names():
    numbers = list(range(len(CHANNELS.names)))
    values = CHANNELS.unpack(numbers)
    of_bones = 2 * len(CHANNELS.of(Of.BONE))
    assert [value for bone in values.bones for value in bone.values()] == numbers[:of_bones]
    assert values.patient == {"osteoporosis_probability": numbers[of_bones]}
    assert list(values.radiograph.values()) == numbers[of_bones + 1 :] and values.radiograph["novelty"] == of_bones + 2


@pytest.mark.parametrize("count", [0, len(CHANNELS.names) - 1, len(CHANNELS.names) + 1])
def test_another_count_of_channels_is_one_sentence_that_names_them(count):
    expected = rf"^{count} channels; expected {len(CHANNELS.names)}: right_landmark_confidence, .*, {CHANNELS.names[-1]}\.$"
    with pytest.raises(ValueError, match=expected):
        CHANNELS.unpack([0.0] * count)


def test_a_quantity_that_the_table_lacks_comes_after_it():
    more = replace(QUANTITIES[0], name="bone_age_years", limits=())
    assert Channels((*CHANNELS.quantities, more)).table == (*QUANTITIES, more)


def test_a_row_of_a_configuration_is_one_of_the_table():
    row = Quantity("hip_tilt", "degrees", "tilt", of="radiograph", source="network", bounds=[0.0, None], limits=[])
    assert row == Quantity("hip_tilt", "degrees", "tilt", of=Of.RADIOGRAPH, bounds=(0.0, None))
    assert row.of is Of.RADIOGRAPH and hash(row)
    with pytest.raises(ValueError, match="'bones' is not a valid Of"):
        Quantity("hip_tilt", "degrees", "tilt", of="bones")
