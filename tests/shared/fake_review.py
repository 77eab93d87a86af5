"""Results of a run with stand-ins for files and network, and the server of a review over them; as a program, to be killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from fake_preprocessing import LoadFake
from fake_screening import FakeCascade, FakeReader, MainJob, channels_of, fake_screen, item_of
from pages import FILMS, SOUND
from scripts.apps.review.film import FilmShelf
from scripts.apps.review.numbers import NumbersOfReview
from scripts.apps.review.page import ReviewPage
from scripts.apps.review.results import open_results, read_document
from scripts.apps.review.server import ReviewServer
from scripts.apps.review.session import Session
from scripts.clinical import CHANNELS, Of

STUDY = ("grey.dcm", "fractured.dcm", "chest.dcm")
"""The films of these results: both hips measured, one broken and one implanted, and one that cannot be read."""

SQUARE = 140 * 140
"""Pixels of each femur as `FakeCascade` draws it, on the image at 0.3 mm."""


class CorrectableCascade(FakeCascade):
    """A network whose neck is as dense as the contour is large, so that numbers must follow a correction."""

    def correct(self, reading, image, covariates, masks, landmarks, corrected, absent) -> dict[str, torch.Tensor]:
        channels, half = reading["channels"].clone(), masks.shape[3] // 2
        bones = len(CHANNELS.of(Of.BONE))
        for index, side in enumerate(("right", "left")):
            if corrected[0, index]:
                area = (masks[0, 0, :, index * half : (index + 1) * half] > 0).sum()
                channels[0, CHANNELS.index("neck_bmd", side)] *= area / SQUARE
            if absent[0, index]:
                channels[0, index * bones : (index + 1) * bones] = 0
        moved = torch.isfinite(landmarks)
        return {
            **reading,
            "channels": channels,
            "mask_logits": masks,
            "landmarks": torch.where(moved, landmarks.nan_to_num(), reading["landmarks"]),
        }


class FakeFilmReader:
    """Reads the film at its full size."""

    def read(self, item: dict[str, Any]) -> dict[str, Any]:
        small = LoadFake()(item)["image"]
        grey = torch.nn.functional.interpolate(small.as_tensor()[None], scale_factor=2.0)[0]
        small.meta["displayed_shape"] = tuple(grey.shape[1:])
        return {**item, "image": type(small)((grey - grey.min()) / (grey.max() - grey.min()), meta=small.meta)}


def items_of(folder: Path) -> list[dict[str, Any]]:
    return [item_of(folder / "in", file) for file in STUDY]


def screen_films(folder: Path, provenance: dict[str, Any]) -> Path:
    """Screen the films, into `folder`/out."""
    (folder / "in").mkdir(parents=True)
    for file in STUDY:
        (folder / "in" / file).write_bytes(file.encode())
    network = CorrectableCascade(*(FILMS.get(file, channels_of(SOUND, SOUND)) for file in STUDY))
    return MainJob(folder, provenance).run(items_of(folder), fake_screen(network, FakeReader()))


def open_server(folder: Path, reader: str, port: int = 0, confirm_first: bool = True) -> ReviewServer:
    """The server of a reader's review; `serve_forever` serves."""
    document = read_document(folder / "out")
    results = open_results(str(folder / "out"), str(folder / "in"), items_of(folder), document["provenance"])
    shelf = FilmShelf(results, FakeFilmReader())
    session = Session(results, shelf, reader)
    screen = fake_screen(CorrectableCascade(FILMS["grey.dcm"]), FakeReader())
    numbers = NumbersOfReview(session, screen, screen.interpretation.channels.table)
    return ReviewServer(ReviewPage(session, shelf, numbers, confirm_first), port)


if __name__ == "__main__":
    with open_server(Path(sys.argv[1]), sys.argv[2]) as served:
        print(json.dumps({"address": served.address}), flush=True)
        served.serve_forever()
