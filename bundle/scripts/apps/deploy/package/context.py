"""The folder that an image is built from: code, model, manifests, locked requirements, licences, lists of contents."""

from __future__ import annotations

import json
import shutil
import tempfile
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any, Final

from holoscan_cli.common.enum_types import SdkType
from holoscan_cli.packager.config_reader import ApplicationConfiguration
from holoscan_cli.packager.container_builder import PythonAppBuilder
from holoscan_cli.packager.manifest_files import PackageManifest
from holoscan_cli.packager.models import Models
from holoscan_cli.packager.parameters import PackageBuildParameters
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import scripts
from scripts.apps.deploy import __main__ as starter
from scripts.apps.deploy.package.locks import APPLICATION, TORCH, read_lock
from scripts.apps.deploy.package.sbom import copy_licences, make_sbom
from scripts.files import sha256

NAME: Final = "osteoxr"
"""Of the image, and of the model in it."""

_HERE: Final = Path(__file__).parent
_BUNDLE: Final = Path(scripts.__file__).parents[1]
_USER: Final = 1000
_PLATFORM: Final = {"cpu": "cpu", "gpu": "dgpu"}
_NOT_CODE: Final = shutil.ignore_patterns("__pycache__", "*.pyc", "*.pt")


def render(folder: Path) -> list[str]:
    """Write the whole context of a package's build; what the folder held before is removed.

    The manifests, and the layout that they tell of, come from Holoscan's own packager. Its Dockerfile is not used: it builds on
    another Python than the bundle's, takes packages without hashes, and its image cannot run on a read-only file system.

    Args:
        folder: made where it is missing.

    Returns:
        packages whose licence is not among the texts, since they bring none or are not installed here.

    Raises:
        ValueError: where the folder holds something else than an earlier package, or a lock or a list of contents is not as it
            must be; nothing that was there is removed in the first case.
        OSError: where the disk fails.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "SHA256SUMS").is_file():
        raise ValueError(f"{folder}: holds something else than a package; name another folder. Nothing was written.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = ApplicationConfiguration()
    config.read(_HERE.parent / "app.yaml")
    with tempfile.TemporaryDirectory() as staged:
        parameters = _parameters(config, _stage(Path(staged)))
        PythonAppBuilder(parameters, str(folder))  # copies code, model, docs, and its own script
    _write_manifests(config, parameters, folder)
    (folder / "pip").mkdir()
    for lock in (APPLICATION, *TORCH.values()):
        shutil.copyfile(lock, folder / "pip" / lock.name)
    shutil.copyfile(_HERE / "entrypoint.sh", folder / "entrypoint.sh")
    _write_sums(folder)
    weights = sha256(_BUNDLE / "models" / "model.pt")
    licence = distribution(NAME).metadata["License-Expression"]
    for kind, torch in TORCH.items():
        packages = [*read_lock(torch), *read_lock(APPLICATION)]
        sbom = make_sbom(parameters.title, parameters.version, licence, weights, packages)
        (folder / f"sbom-{kind}.cdx.json").write_text(sbom, encoding="utf-8")
        (folder / f"Dockerfile.{kind}").write_text(_dockerfile(kind, licence, parameters, config), encoding="utf-8")
    everything = {package.name: package for lock in (APPLICATION, *TORCH.values()) for package in read_lock(lock)}
    return copy_licences(list(everything.values()), folder / "licences")


def _stage(folder: Path) -> Path:
    """The application as it stands in the image: the bundle without its weights, and what starts it."""
    application = folder / "app"
    shutil.copytree(_BUNDLE / "scripts", application / "bundle" / "scripts", ignore=_NOT_CODE)
    for name in ("configs", "models"):
        shutil.copytree(_BUNDLE / name, application / "bundle" / name, ignore=_NOT_CODE)
    shutil.copyfile(_BUNDLE / "LICENSE", application / "LICENSE")
    shutil.copyfile(str(starter.__file__), application / "__main__.py")
    metadata = application / "bundle" / f"{NAME}-{version(NAME)}.dist-info"  # by which the code knows its version
    metadata.mkdir()
    (metadata / "METADATA").write_text(str(distribution(NAME).metadata), encoding="utf-8")
    documents = folder / "docs"
    documents.mkdir()
    for name in ("deploy.md", "README.md", "results.md", "data.md"):
        shutil.copyfile(_BUNDLE / "docs" / name, documents / name)
    return folder


def _parameters(config: ApplicationConfiguration, staged: Path) -> PackageBuildParameters:
    parameters = PackageBuildParameters()
    parameters.application = staged / "app"
    parameters.app_config_file_path = _HERE.parent / "app.yaml"
    parameters.docs = staged / "docs"
    parameters.models = {NAME: Models().build(_BUNDLE / "models" / "model.pt")["model"]}
    parameters.title, parameters.version = config.title(), version(NAME)
    parameters.sdk = SdkType.MonaiDeploy
    parameters.holoscan_sdk_version = version("holoscan-cu13")
    parameters.monai_deploy_app_sdk_version = version("monai-deploy-app-sdk")
    parameters.username, parameters.uid, parameters.gid = NAME, _USER, _USER
    return parameters


def _write_manifests(config: ApplicationConfiguration, parameters: PackageBuildParameters, folder: Path) -> None:
    manifests = folder / "map"
    manifests.mkdir()
    application = config.populate_app_manifest(parameters)
    application.sdk, application.sdk_version = parameters.sdk.value, parameters.monai_deploy_app_sdk_version
    _write_json(application.data, manifests / "app.json")
    for kind, platform in _PLATFORM.items():
        package: PackageManifest = config.populate_package_manifest(parameters)
        package.platform_config = platform
        package.resources = {**package.resources, "gpu": int(kind == "gpu")}
        _write_json(package.data, manifests / f"pkg-{kind}.json")


def _write_json(content: Any, file: Path) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_sums(folder: Path) -> None:
    """The hashes of what the image runs, as `sha256sum` checks them."""
    files = sorted(file for name in ("app", "models") for file in (folder / name).rglob("*") if file.is_file())
    lines = [f"{sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _dockerfile(kind: str, licence: str, parameters: PackageBuildParameters, config: ApplicationConfiguration) -> str:
    environment = Environment(loader=FileSystemLoader(_HERE), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    resources = config.populate_package_manifest(parameters).resources
    template = environment.get_template("Dockerfile.jinja")
    rendered: str = template.render(
        {**parameters.to_jinja, "kind": kind, "tag": NAME, "licence": licence},
        cpus=resources["cpu"], memory=resources["memory"].removesuffix("i").lower(),
    )  # fmt: skip
    return f"{rendered}\n"
