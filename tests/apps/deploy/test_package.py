"""The rendered package: complete, of one mind with the application, and pinned to what is tested."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import packaged
import pytest
import yaml
from scripts.files import sha256

APP = packaged.PROJECT / "bundle" / "scripts" / "apps" / "deploy"
KINDS = ("cpu", "gpu")


def locked(file: Path) -> dict[str, tuple[str, str]]:
    """Version and hash of each package of a lock file."""
    lines = re.findall(r"^(\S+)==(\S+) --hash=sha256:([0-9a-f]{64})(?:  #.*)?$", file.read_text(), re.MULTILINE)
    assert len(lines) == len([line for line in file.read_text().splitlines() if not line.startswith("#")])
    return {name: (version, sha) for name, version, sha in lines}


def content(file: Path) -> dict:
    return json.loads(file.read_text(encoding="utf-8"))


def installed() -> dict[str, str]:
    program = (
        "import json; from importlib.metadata import distributions; from packaging.utils import canonicalize_name as plain; "
        "print(json.dumps({plain(each.name): each.version for each in distributions()}))"
    )
    return json.loads(subprocess.run([packaged.PYTHON, "-c", program], capture_output=True, text=True, check=True).stdout)


def test_the_locks_are_what_the_tests_ran_with(context: Path) -> None:
    found = installed()
    application = locked(context / "pip" / "requirements.txt")
    torch = {kind: locked(context / "pip" / f"torch-{kind}.txt")["torch"][0].partition("+")[0] for kind in KINDS}
    assert {name: found[name] for name in application} == {name: version for name, (version, _) in application.items()}
    assert set(torch.values()) == {found["torch"].partition("+")[0]}
    gpu = locked(context / "pip" / "torch-gpu.txt")
    known = {*application, *gpu, *locked(APP / "package" / "packager.txt"), "osteoxr", "pip", "setuptools"}
    assert set(found) <= known
    assert any(name.startswith("nvidia-cudnn") for name in gpu) and not set(gpu) & set(application)


def test_the_manifests_agree_with_the_application(context: Path) -> None:
    settings = yaml.safe_load((APP / "app.yaml").read_text(encoding="utf-8"))
    version = installed()["osteoxr"]
    application = content(context / "map" / "app.json")
    assert json.loads(application["command"]) == ["python3", application["environment"]["HOLOSCAN_APPLICATION"]]
    assert (context / "app" / "__main__.py").read_text() == (APP / "__main__.py").read_text()
    assert (application["version"], application["sdkVersion"]) == (version, installed()["monai-deploy-app-sdk"])
    assert (context / "app.config").read_text() == (APP / "app.yaml").read_text()
    for kind, gpus in (("cpu", 0), ("gpu", 1)):
        package = content(context / "map" / f"pkg-{kind}.json")
        assert package["resources"] == {**settings["resources"], "gpu": gpus}
        assert list(package["models"].values()) == ["/opt/holoscan/models/osteoxr"]
    assert [file.name for file in (context / "models" / "osteoxr").iterdir()] == ["model.pt"]


def test_the_hashes_are_those_of_the_files(context: Path) -> None:
    sums = dict(reversed(line.split("  ")) for line in (context / "SHA256SUMS").read_text().splitlines())
    files = {
        str(file.relative_to(context)) for name in ("app", "models") for file in (context / name).rglob("*") if file.is_file()
    }
    assert set(sums) == {name for name in files if "__pycache__" not in name}
    assert all(sha256(context / name) == said for name, said in sums.items())
    sealed = (context / "app/bundle/models/model.pt.sha256").read_text().split()[0]
    assert sums["models/osteoxr/model.pt"] == sealed and not list((context / "app").rglob("*.pt"))


def test_a_package_that_is_damaged_does_not_start(context: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", context, tmp_path / "map"], check=True)
    (tmp_path / "map/app/bundle/models/gate.json").write_text("{}")
    ended = packaged.run(tmp_path / "map", "-i", tmp_path, "-o", tmp_path / "out")
    assert ended.returncode == 1 and "app/bundle/models/gate.json: FAILED" in ended.stderr and "Nothing was run." in ended.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_the_dockerfile_copies_what_is_there_pins_what_it_installs_and_gives_up_root(context: Path, kind: str) -> None:
    text = (context / f"Dockerfile.{kind}").read_text()
    steps = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    copied = [word for step in steps if step.startswith("COPY") for word in step.split()[1:-1]]
    assert copied and all((context / word).exists() for word in copied)
    (install,) = [step for step in steps if "pip install" in step]
    options = ["--no-deps", "--require-hashes", "--only-binary :all:", f"/tmp/pip/torch-{kind}.txt", "/tmp/pip/requirements.txt"]
    assert all(option in install for option in options)
    assert [step for step in steps if step.startswith(("USER", "ENTRYPOINT"))] == [
        "USER 1000:1000", 'ENTRYPOINT ["/opt/holoscan/entrypoint.sh"]'
    ]  # fmt: skip
    environment = content(context / "map" / "app.json")["environment"]
    said = dict(re.findall(r"(HOLOSCAN_\w+)=(\S+)", text))
    assert all(said[name] == place for name, place in environment.items() if not place.endswith("/"))
    assert "curl" not in text and "{{" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_the_list_of_contents_names_every_package_with_its_hash(context: Path, kind: str) -> None:
    bom = content(context / f"sbom-{kind}.cdx.json")
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    packages = locked(context / "pip" / "requirements.txt") | locked(context / "pip" / f"torch-{kind}.txt")
    weights = {"model.pt": (installed()["osteoxr"], sha256(context / "models/osteoxr/model.pt"))}
    listed = {part["name"]: (part["version"], part["hashes"][0]["content"]) for part in bom["components"]}
    assert listed == packages | weights
    unlicensed = [part["name"] for part in bom["components"] if part["type"] == "library" and not part.get("licenses")]
    assert not [name for name in unlicensed if not name.startswith(("nvidia", "cuda"))]


def test_the_licences_of_what_is_installed_lie_beside_it(context: Path) -> None:
    with_texts = {folder.name for folder in (context / "licences").iterdir()}
    assert {"torch", "monai", "monai-deploy-app-sdk", "holoscan-cu13", "pydicom", "pylibjpeg-libjpeg"} <= with_texts
    assert all(any(folder.iterdir()) for folder in (context / "licences").iterdir())


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    ended = packaged.render(tmp_path)
    assert ended.returncode == 1 and "holds something else than a package" in ended.stderr
    assert (tmp_path / "letter.txt").read_text() == "dear"
