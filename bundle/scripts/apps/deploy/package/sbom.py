"""The list of what an image holds (SBOM), in CycloneDX's JSON, and the licences' texts beside it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from typing import Final

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from scripts.apps.deploy.package.locks import Locked

_TEXTS: Final = ("licen", "notice", "copying", "eula", "authors")
"""How the names of files begin, or what they hold, that tell of a licence; in small letters."""


def make_sbom(title: str, version: str, licence: str, weights_sha256: str, packages: Sequence[Locked]) -> str:
    """Describe an image: the application, its weights, and each Python package with its hash and licence.

    Args:
        title, version, licence: of the application.
        weights_sha256: of its model.
        packages: that it is installed with.

    Returns:
        JSON, the same for the same image.

    Raises:
        ValueError: where it is not as the schema of CycloneDX 1.6 has it.
    """
    application = Component(
        name=title, version=version, type=ComponentType.APPLICATION, bom_ref=title, licenses=[DisjunctiveLicense(id=licence)]
    )
    weights = Component(
        name="model.pt", version=version, type=ComponentType.MACHINE_LEARNING_MODEL, bom_ref="model.pt",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=weights_sha256)],
    )  # fmt: skip
    parts = [weights, *map(_component, packages)]
    contents = " ".join([title, version, weights_sha256, *(package.sha256 for package in packages)])
    bom = Bom(components=parts, serial_number=uuid.uuid5(uuid.NAMESPACE_OID, contents))
    bom.metadata.component = application
    bom.register_dependency(application, parts)
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"the SBOM is not as CycloneDX 1.6 has it: {error.data}. Nothing more was written.")
    return text


def copy_licences(packages: Sequence[Locked], folder: Path) -> list[str]:
    """Copy the texts of the licences that the installed packages bring along, into a folder for each.

    Returns:
        packages that bring none, or are not installed here.
    """
    without = []
    for package in packages:
        try:
            files = distribution(package.name).files or []
        except PackageNotFoundError:
            files = []
        texts = [file for file in files if _tells_of_a_licence(file)]
        for file in texts:
            target = folder / package.name / "-".join(_below_metadata(file))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)
        if not texts:
            without.append(package.name)
    return without


def _component(package: Locked) -> Component:
    return Component(
        name=package.name, version=package.version, type=ComponentType.LIBRARY, bom_ref=f"{package.name}@{package.version}",
        purl=PackageURL("pypi", name=package.name, version=package.version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=package.sha256)],
        licenses=[DisjunctiveLicense(name=package.licence)] if package.licence else None,
    )  # fmt: skip


def _tells_of_a_licence(file: PurePosixPath) -> bool:
    return any(".dist-info" in part for part in file.parts) and any(word in file.name.lower() for word in _TEXTS)


def _below_metadata(file: PurePosixPath) -> tuple[str, ...]:
    """The parts of a path below the folder of its package's metadata."""
    at = next(index for index, part in enumerate(file.parts) if ".dist-info" in part)
    return file.parts[at + 1 :]
