"""What a folder serves for is told before any work is spent on it, and what is missing with the way to get it."""

import shutil
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scripts
from own_command import ended
from PIL import Image
from scripts.apps.folder_check import describe_folder
from scripts.clinical import Code, Reason

EXAMPLES = Path(scripts.__file__).parents[1] / "examples"


def item(index: int, split: str = "", **known: Any) -> dict[str, Any]:
    return {
        "image": f"/data/DOE{index}.dcm",
        "name": f"n{index}",
        "study": f"s{index}",
        "patient": f"p{index}",
        "split": split,
        **known,
    }


DRAWN = {"label": "/data/m.png", "landmarks": "/data/l.json"}
MAPPED = {"mineral_label": "/data/c.png", "region_label": "/data/r.png"}
THIN, DENSE = {"right_total_bmd": 0.5}, {"left_total_bmd": 1.0}
WHOLE = [item(index, split, **DRAWN, **MAPPED, **bmd) for index, (split, bmd) in enumerate(
    [("train", THIN), ("train", DENSE), ("validation", THIN), ("validation", DENSE), ("test", THIN)]
)]  # fmt: skip


def said_of(items: list[dict[str, Any]], about: str) -> str:
    (line,) = [line for line in describe_folder(items).splitlines() if line.startswith(about)]
    return line


def test_a_folder_that_has_everything_lacks_nothing() -> None:
    told = describe_folder(WHOLE)
    assert "lacks" not in told and "To get" not in told and "DOE" not in told
    assert said_of(WHOLE, "Evaluation").endswith("masks of 1, landmarks of 1, DXA results of 1")
    assert said_of(WHOLE, "Training of siamese") == "Training of siamese: 2 radiographs to learn from, 2 to validate on"


@pytest.mark.parametrize(
    ("items", "about", "said"),
    [
        (
            [item(0, **DENSE), item(1, **THIN)],
            "Training of bmd",
            "not possible (0 radiographs to learn from, 0 to validate on); lacks a split, masks, landmarks",
        ),
        ([item(0, **DENSE)], "To get masks", "osteoxr annotate FOLDER"),
        ([item(0, "train", **DENSE), item(1, "validation", **DENSE)], "Training of localisation", "lacks masks, landmarks"),
        (
            [item(0, "train", **DRAWN, **DENSE)],
            "Training of segmentation",
            "(1 radiographs to learn from, 0 to validate on); lacks a split",
        ),
        ([item(0, "train", **DRAWN), item(1, "validation", **DRAWN)], "Training of siamese", "lacks DXA results"),
        ([item(0, "train", **DRAWN), item(1, "validation", **DRAWN)], "To get DXA results", "right_neck_bmd"),
        (
            [item(0, "train", **DRAWN, **MAPPED), item(1, "validation", **DRAWN, **MAPPED)],
            "Training of mineral",
            "lacks DXA results",
        ),
        ([item(0, "train"), item(1, "validation")], "Training of view", "1 radiographs to learn from, 1 to validate on"),
        (
            [*WHOLE[:2], *[{**each, "right_total_bmd": 1.0} for each in WHOLE[2:]]],
            "Training of siamese",
            "all of split validation are alike",
        ),
        ([*WHOLE, {**WHOLE[0], "split": "test", "image": "/data/x.dcm"}], "Note", "1 patients stand in several splits"),
        ([{**WHOLE[4], "label_by": "networks"}], "Evaluation", "masks of 0, landmarks of 1"),
        ([{**WHOLE[3], "dxa_maker": "lunar"}, *WHOLE[:3]], "DXA results", "of 3 radiographs the manifest does not name"),
        ([{**WHOLE[4], "label_by": "networks"}], "Note", "on 1 radiographs masks or landmarks are the networks' own"),
        ([item(0, refusal=Reason(Code.NOT_A_HIP, "a chest")), item(1)], "Files", "their header (1 NOT_A_HIP); 0 are of no"),
        (
            [item(0, "train", label="/m.png"), item(1, "train", landmarks="/l"), *WHOLE[2:4]],
            "Training of segmentation",
            "lacks radiographs with masks and landmarks",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_with_the_way_to_get_it(items: list[dict[str, Any]], about: str, said: str) -> None:
    assert said in said_of(items, about)


def test_a_folder_of_films_with_dxa_alone_lacks_a_split_masks_and_landmarks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command itself, as it stands in the docs."""
    shutil.copytree(EXAMPLES / "images", tmp_path / "images")
    (tmp_path / "random.bin").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "images" / "shades.png").write_bytes(picture())
    (tmp_path / "manifest.csv").write_text("image,left_neck_bmd\nimages/normal.dcm,0.9\nimages/osteoporosis.dcm,0.5\n")
    started = time.process_time()
    assert ended("check", str(tmp_path)) == 0 and time.process_time() - started < 20
    said = capsys.readouterr().out
    assert "Files: 8; 7 may be radiographs of hips, of 7 patients; 0 are refused by their header; 1 are of no format" in said
    assert "Screening: 7 radiographs" in said and "DXA results of 2" in said
    assert "Training of bmd: not possible" in said and "lacks a split, masks, landmarks" in said
    assert "To get masks: osteoxr annotate FOLDER" in said


def picture() -> bytes:
    stream = BytesIO()
    Image.fromarray(np.arange(10_000, dtype=np.uint8).reshape(100, 100)).save(stream, "PNG")
    return stream.getvalue()
