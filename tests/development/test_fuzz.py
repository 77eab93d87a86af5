"""The fuzzer makes every mutant again, goes on where it stopped, and finds what breaks a bound."""

import json

import pytest
from monai.transforms import Compose
from scripts.clinical import RefusedError
from scripts.development.fuzz import _report, fuzz
from scripts.development.hostile_seeds import load_seeds
from scripts.development.mutation import mutate
from scripts.radiograph import LoadRadiographd


@pytest.fixture(scope="module")
def seeds():
    return load_seeds()


def test_the_same_seed_and_index_give_the_same_bytes_and_others_others(seeds):
    again = load_seeds()
    assert all(mutate(seeds, 3, index) == mutate(again, 3, index) for index in range(200))
    contents = [mutate(seeds, seed, index).content for seed in (3, 4) for index in range(200)]
    assert len(set(contents)) > 390


def test_every_kind_of_mutation_and_seed_is_drawn(seeds):
    recipes = [mutate(seeds, 0, index).recipe for index in range(20_000)]
    assert {recipe.split(":")[0] for recipe in recipes} == {seed.name for seed in seeds}
    assert len({seed.name.removesuffix(" as hip") for seed in seeds}) >= 12
    names = {name for recipe in recipes for name in recipe.split(": ", 1)[1].split(", ")}
    assert len(names) == 24
    assert names >= {"typed value", "useless age", "removed element", "false image numbers", "false LUT"}
    assert names >= {"ACR-NEMA", "false transfer syntax"}


def test_what_people_type_is_quoted_where_it_is_read(seeds, tmp_path):
    transform, read = LoadRadiographd("image"), 0
    for index in range(4000):
        mutant = mutate(seeds, 0, index)
        if not mutant.told or len(mutant.content) > 100_000:
            continue
        path = tmp_path / "mutant.dcm"
        path.write_bytes(mutant.content)
        try:
            notes = transform({"image": str(path)})["image"].meta["assumptions"]
        except RefusedError:
            continue
        read += 1
        assert mutant.told in " ".join(notes), f"{index}: {mutant.recipe}"
    assert read > 60


def test_a_second_call_goes_on_and_accounts_for_every_file(tmp_path, capsys):
    transform = Compose([LoadRadiographd("image")])
    fuzz(transform, str(tmp_path), files=6, seed=1)
    first = (tmp_path / "outcomes.jsonl").read_text()
    with (tmp_path / "outcomes.jsonl").open("a") as stream:
        stream.write('{"index": 6, "co')  # as a killed run leaves it
    fuzz(transform, str(tmp_path), files=10, seed=1)
    lines = (tmp_path / "outcomes.jsonl").read_text()
    assert lines.startswith(first) and [json.loads(line)["index"] for line in lines.splitlines()[1:]] == list(range(10))
    assert json.loads((tmp_path / "fuzz.json").read_text())["files"] == 10
    assert capsys.readouterr().out.splitlines()[-1].startswith("All in")
    assert not (tmp_path / "mutants").exists()
    with pytest.raises(ValueError, match=r"other settings \(seed\)"):
        fuzz(transform, str(tmp_path), files=10, seed=2)


def test_a_dead_process_a_slow_file_much_memory_and_silence_are_found():
    outcomes = [{"index": index, "code": "image", "sentence": ""} for index in range(4)]
    outcomes[3]["sentence"] = "Nothing was said of PatientAge."
    outcomes[0] = {"index": 0, "code": "UNREADABLE", "sentence": "The process that read the file ended in the middle of it."}
    taken = {"seconds": 0.1, "peak_bytes": 1, "cause": ""}
    measured = {1: {**taken, "index": 1, "seconds": 5.1}, 2: {**taken, "index": 2, "peak_bytes": 2_100_000_000}}
    found = {(row["kind"], row["index"]) for row in _report(outcomes, measured)["found"]}
    assert found == {("reading process ended", 0), ("too slow", 1), ("above 2 GB", 2), ("read in silence", 3)}
