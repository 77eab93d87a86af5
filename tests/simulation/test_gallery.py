"""The gallery shows everything that the simulator can make."""

import pytest
from PIL import Image
from scripts.simulation import gallery
from scripts.simulation.anatomy.disease import DEFORMITIES, FRACTURES
from scripts.simulation.hardware.foreign_objects import BELONGINGS
from scripts.simulation.hardware.implants import Implant
from scripts.simulation.others.kinds import KINDS
from scripts.simulation.physics.processing import ALL_STYLES


def test_every_style_implant_fracture_and_belonging_has_a_radiograph():
    sheets = gallery.sheets()
    assert [tile.style for tile in sheets["styles"]] == list(ALL_STYLES)
    assert {tile.implants[0] for tile in sheets["implants"]} == set(Implant) - {Implant.NONE}
    assert [tile.diseases[0].fracture for tile in sheets["fractures"]] == list(FRACTURES)
    assert [tile.diseases[1].deformity for tile in sheets["deformities"]] == list(DEFORMITIES)
    assert [tile.title for tile in sheets["belongings"]] == list(BELONGINGS)
    assert [tile.other for tile in sheets["others"]] == list(KINDS)


def test_a_sheet_is_written_for_each_kind(tmp_path, monkeypatch, capsys):
    few = {name: tiles[:1] for name, tiles in gallery.sheets().items() if name in ("styles", "implants")}
    monkeypatch.setattr(gallery, "sheets", lambda: few)
    written = gallery.write_gallery(str(tmp_path / "out"))
    assert [path.name for path in written] == ["gallery_styles.jpg", "gallery_implants.jpg"]
    with Image.open(written[1]) as picture:
        assert picture.format == "JPEG"
        assert picture.convert("L").getextrema()[1] > 200
    assert "2 sheets in" in capsys.readouterr().out


def test_without_a_folder_nothing_is_written():
    with pytest.raises(ValueError, match="No output_dir given"):
        gallery.write_gallery("")
