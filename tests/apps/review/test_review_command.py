"""`osteoxr review` itself, over a radiograph that was really screened: corrected numbers come from the networks' own way."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import scripts
from own_command import ended
from scripts.apps.review.server import TOKEN_HEADER

BUNDLE = Path(scripts.__file__).parents[1]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("review")
    (folder / "in").mkdir()
    (folder / "in" / "normal.dcm").write_bytes((BUNDLE / "examples/images/normal.dcm").read_bytes())
    assert ended("screen", str(folder / "in"), str(folder / "out"), "--device", "cpu") == 0
    return folder / "out"


def ask(address: str, path: str, body: object = None) -> Any:
    port, token = re.findall(r"\d+(?=/#)|(?<=#).+", address)
    connection = HTTPConnection("127.0.0.1", int(port), timeout=300)
    content = None if body is None else json.dumps(body).encode()
    connection.request("GET" if body is None else "POST", f"/api/{path}", content, {TOKEN_HEADER: token})
    answer = connection.getresponse()
    found = json.loads(answer.read())
    assert answer.status == 200, found
    return found


def test_a_corrected_hip_is_measured_anew_by_the_networks_that_screened_it(out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trail = out / "review" / "r7" / "trail.jsonl"
    trail.parent.mkdir(parents=True)
    trail.write_text('{"seq": 1, "reader": "r7", "act')
    # Where the tests run in the background, a shell has told their processes to ignore Ctrl-C.
    start = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    start += "from scripts.apps.command import main; main(sys.argv[1:])"
    command = [sys.executable, "-P", "-c", start, "review", str(out), "--reader", "r7", "--port", "0", "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stdout
        address = server.stdout.readline().split()[-1]
        (study,) = ask(address, "overview")["studies"]
        name = study["films"][0]["name"]
        film = ask(address, f"films/{name}")
        points = film["landmarks"]
        points["right"]["head_centre"][0] += 20
        edit = {"action": "edit", "tool": "landmark", "mask": None, "landmarks": points, "version": 0}
        assert ask(address, f"films/{name}", edit)["edited"] == {"right": True, "left": False}
        for version, side in enumerate(("right", "left"), start=1):
            ask(address, f"films/{name}", {"action": "confirm", "hip": side, "version": version})
        numbers = ask(address, f"studies/{study['study']}/numbers")
    finally:
        server.send_signal(signal.SIGINT)
        said, complained = server.communicate(timeout=120)
    assert server.returncode == 0 and "3 lines, the last is" in said and "0 of 1 films are open" in said
    assert "the last line was not written whole" in complained
    before, after = (numbers[key]["films"][name]["hips"] for key in ("screened", "corrected"))
    assert after[0]["landmarks"]["head_centre"]["px"][0] - before[0]["landmarks"]["head_centre"]["px"][0] == pytest.approx(
        20, abs=0.1
    )
    assert after[0]["estimates"]["neck"]["bmd_g_cm2"] != pytest.approx(before[0]["estimates"]["neck"]["bmd_g_cm2"], abs=1e-5)
    assert after[0]["morphometry"] != pytest.approx(before[0]["morphometry"], rel=1e-4)
    assert after[1]["morphometry"] == pytest.approx(before[1]["morphometry"], rel=1e-3), "nobody touched the left hip"
    assert numbers["corrected"]["study"]["outcome"]["triage"]

    assert ended("review", str(out), "--check", "true") == 0
    assert "r7/trail.jsonl: 3 lines, whole and in order" in capfd.readouterr().out


def test_the_viewer_is_the_file_of_the_registry_and_travels_with_the_package() -> None:
    folder = BUNDLE / "scripts/apps/review/static/openseadragon"
    package = json.loads((folder / "package.json").read_text())
    for name, integrity in package["files"].items():
        kind, digest = integrity.split("-", 1)
        assert base64.b64encode(hashlib.new(kind, (folder / name).read_bytes()).digest()).decode() == digest, name
    assert package["resolved"].endswith(f"openseadragon-{package['version']}.tgz") and package["integrity"].startswith("sha512-")
    assert f"openseadragon {package['version']}" in (folder / "openseadragon.min.js").read_text()[:100]
    settings = tomllib.loads((BUNDLE.parent / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["scripts"]
    package_folder = BUNDLE / "scripts"
    travels = {path for pattern in patterns for path in package_folder.glob(pattern)}
    assert {path for path in folder.parent.rglob("*") if path.is_file()} <= travels
