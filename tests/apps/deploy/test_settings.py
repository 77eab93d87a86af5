"""What the application's configuration and its model folder can be, and which files are screened."""

from __future__ import annotations

from pathlib import Path

import packaged
import pytest
from scripts.apps.cli import find_radiographs
from scripts.apps.deploy.job import find_weights, read_settings
from scripts.apps.deploy.selection import read_headers, refuse_others
from scripts.apps.options import MistypedError

WRONG = [
    ("screening: { dicon: new }", "has no setting 'dicon'; did you mean dicom"),
    ("screening: { server: 'https://pacs.example' }", "has no setting 'server'"),
    ("screening: { checkpoint: other.pt }", "has no setting 'checkpoint'"),
    ("screening: { language: [de, en] }", r"language is \['de', 'en'\]; expected a single value"),
    ("screening: new", "screening is 'new'; expected names with values"),
    ("screening: {", "cannot be read as YAML"),
]


def test_the_applications_own_settings_are_read() -> None:
    assert read_settings(packaged.PROJECT / "bundle/scripts/apps/deploy/app.yaml") == {"dicom": "new", "fhir": "true"}


def test_a_configuration_without_settings_is_one(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("application: { title: OsteoXR }\n")
    assert read_settings(tmp_path / "app.yaml") == {}


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_setting_that_is_none_is_told(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(text)
    with pytest.raises(MistypedError, match=f"{said}.*Nothing was run"):
        read_settings(tmp_path / "app.yaml")


def test_a_configuration_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(MistypedError, match=r"app\.yaml: cannot be read"):
        read_settings(tmp_path / "app.yaml")


def test_the_weights_are_the_only_file_of_their_kind(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="found none; expected one file of weights"):
        find_weights(tmp_path)
    model = tmp_path / "osteoxr" / "model.pt"
    model.parent.mkdir()
    model.touch()
    assert find_weights(tmp_path) == find_weights(model.parent) == find_weights(model) == model
    (tmp_path / "other.pt").touch()
    with pytest.raises(SystemExit, match=r"found model\.pt, other\.pt; expected one"):
        find_weights(tmp_path)


def test_a_radiograph_is_screened_where_its_series_is_selected(tmp_path: Path) -> None:
    packaged.cut("normal", slice(None), tmp_path / "taken.dcm")
    packaged.cut("normal", slice(None), tmp_path / "left.dcm")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    items = find_radiographs(str(tmp_path))
    headers = read_headers(items)
    assert len(headers) == 2 and not any("PatientName" in header for header in headers.values())
    names = {Path(item["image"]).name: item["name"] for item in items}
    found = refuse_others(items, headers, {headers[names["taken.dcm"]].SeriesInstanceUID})
    codes = {Path(item["image"]).name: str(item["refusal"].code) for item in found if "refusal" in item}
    assert codes == {"left.dcm": "NOT_A_RADIOGRAPH", "picture.png": "UNREADABLE"}
