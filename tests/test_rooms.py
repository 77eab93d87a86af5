"""The rooms of `scripts` import downwards only, no modules of a room import each other in a circle, and some rooms do without
some libraries. Imports inside functions and under TYPE_CHECKING count as all others do."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import scripts

LINES = (
    ("apps",),
    ("results", "evaluation", "development"),
    ("screening",),
    ("training", "simulation"),
    ("measurement", "networks", "dataset"),
    ("radiograph",),
    ("clinical", "files"),
)
"""The rooms, from the top: each imports only those of lines below its own."""
LINE_OF = {room: line for line, rooms in enumerate(LINES) for room in rooms}
PACKAGE = Path(scripts.__file__).parent
DOES_WITHOUT = {"clinical": ("torch", "monai"), "results": ("torch.nn", "monai.networks", "scripts.networks")}
"""What a room does not use, for all that it could: clinical rules are pure functions and data, and writers run no network."""


def modules_of(package):
    """The files of a package by the dotted name of their module."""
    files = {}
    for file in package.rglob("*.py"):
        parts = (package.name, *file.relative_to(package).with_suffix("").parts)
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return files


def names_used(module, file) -> Iterator[str]:
    """The dotted names that a file imports, and those such as ``torch.nn`` that it reaches through what it imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
            origin = around[: len(around) - node.level + 1] if node.level else []
            yield from (".".join(filter(None, (*origin, node.module, alias.name))) for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def imports_of(package):
    """Of every module of a package, the other modules of the package that it imports."""
    files = modules_of(package)

    def module_in(name):
        while name and name not in files:
            name = name.rpartition(".")[0]
        return name

    return {module: {module_in(name) for name in names_used(module, file)} - {"", module} for module, file in files.items()}


def room_of(module):
    """The room of a module, an empty text for the package itself."""
    return ".".join(module.split(".")[1:2])


def imports_up_or_aside(imports):
    """The imports, as "importer -> imported", of another room that is not on a line below the importer's."""
    lowest = {"": len(LINES)}
    return [
        f"{module} -> {other}"
        for module, others in sorted(imports.items())
        for other in sorted(others)
        if room_of(other) != room_of(module) and (lowest | LINE_OF)[room_of(other)] <= (lowest | LINE_OF)[room_of(module)]
    ]


def circle_in(imports, room):
    """A circle of modules of a room that import each other, in order; empty where there is none."""
    inside = {module: [other for other in others if room_of(other) == room] for module, others in imports.items()}
    try:
        TopologicalSorter({module: others for module, others in inside.items() if room_of(module) == room}).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def forbidden_in(package, room):
    """The uses, as "module: name", of what a room does without."""
    return [
        f"{module}: {name}"
        for module, file in sorted(modules_of(package).items())
        if room_of(module) == room
        for name in names_used(module, file)
        if any(f"{name}.".startswith(f"{forbidden}.") for forbidden in DOES_WITHOUT[room])
    ]


@pytest.fixture(scope="module")
def imports():
    return imports_of(PACKAGE)


def test_every_module_belongs_to_a_room(imports):
    assert {room_of(module) for module in imports} == {"", *LINE_OF}


def test_rooms_import_only_rooms_below_them(imports):
    assert imports_up_or_aside(imports) == []


@pytest.mark.parametrize("room", LINE_OF)
def test_no_modules_of_a_room_import_each_other_in_a_circle(imports, room):
    assert circle_in(imports, room) == []


@pytest.mark.parametrize("room", DOES_WITHOUT)
def test_a_room_does_without_what_it_has_no_use_for(room):
    assert forbidden_in(PACKAGE, room) == []


def house(tmp_path, **rooms):
    """A made-up package `scripts` with one module ``work`` in each room."""
    for room, text in rooms.items():
        folder = tmp_path / "scripts" / room
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "work.py").write_text(text)
    (tmp_path / "scripts" / "__init__.py").touch()
    return tmp_path / "scripts"


@pytest.mark.parametrize(
    "text",
    [
        "import scripts.results.work",
        "from scripts.results import work",
        "from scripts.results.work import write",
        "from ..results import work",
        "def late():\n    from scripts.results.work import write\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from scripts.results.work import Writer\n",
    ],
)
def test_an_import_of_a_room_above_is_noticed(tmp_path, text):
    made_up = house(tmp_path, results="import scripts.clinical.work", clinical=text)
    assert imports_up_or_aside(imports_of(made_up)) == ["scripts.clinical.work -> scripts.results.work"]


def test_an_import_of_a_room_on_the_same_line_is_noticed(tmp_path):
    made_up = house(tmp_path, training="", simulation="from scripts.training import work")
    assert imports_up_or_aside(imports_of(made_up)) == ["scripts.simulation.work -> scripts.training.work"]


def test_an_import_of_a_room_by_the_package_itself_is_noticed(tmp_path):
    made_up = house(tmp_path, clinical="")
    (made_up / "__init__.py").write_text("import scripts.clinical")
    assert imports_up_or_aside(imports_of(made_up)) == ["scripts -> scripts.clinical"]


def test_a_circle_is_noticed_even_one_for_type_checkers_alone(tmp_path):
    made_up = house(tmp_path, clinical="from scripts.clinical.rest import pause")
    assert circle_in(imports_of(made_up), "clinical") == []
    (made_up / "clinical" / "rest.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from scripts.clinical.work import toil"
    )
    assert set(circle_in(imports_of(made_up), "clinical")) == {"scripts.clinical.work", "scripts.clinical.rest"}


@pytest.mark.parametrize(
    ("room", "text", "name"),
    [
        ("clinical", "import torch", "torch"),
        ("clinical", "def late():\n    from monai.data import MetaTensor", "monai.data.MetaTensor"),
        ("results", "import torch\nlayer = torch.nn.Identity()", "torch.nn"),
        ("results", "from scripts.networks import work", "scripts.networks.work"),
    ],
)
def test_a_library_that_a_room_does_without_is_noticed(tmp_path, room, text, name):
    assert forbidden_in(house(tmp_path, **{room: text}), room) == [f"scripts.{room}.work: {name}"]


def test_a_library_that_a_room_may_use_is_not_noticed(tmp_path):
    assert forbidden_in(house(tmp_path, results="import torch\nimport torchmetrics.nn\nfrom numpy import nn"), "results") == []
