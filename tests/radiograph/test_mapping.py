"""A radiograph that is displayed a few rows at a time has the values of one that is displayed as a whole."""

import mmap

import numpy as np
import pytest
from monai.transforms import Compose
from radiograph_files import ramp, write
from scripts.radiograph import IsolatedReader, LoadRadiographd, NormaliseRadiographd, ResampleRadiographd
from scripts.radiograph.mapping import MappedWords
from scripts.radiograph.parsing import parse_header, parse_pixels
from scripts.radiograph.sampling import resample

VALUES = np.arange(65536) & 4095
TABLES = {
    "line": VALUES / 4095,
    "falling line": 1 - VALUES / 4095,
    "line, clipped": np.clip((VALUES - 700) / 1900, 0, 1),
    "falling line, clipped": np.clip((2600 - VALUES) / 1900, 0, 1),
    "line, with padding": np.where(VALUES == 900, 0, VALUES / 4095),
    "line of 16 bits": np.arange(65536) / 65535,
    "sigmoid": 1 / (1 + np.exp(-4 * (VALUES - 2048) / 2500)),
    "step": (VALUES > 1500).astype(float),
    "level": np.full(65536, 0.5),
}
WORDS = np.random.default_rng(0).integers(0, 4096, (230, 170)).astype(np.uint16)
FILMS = {
    "as stored": WORDS,
    "turned": WORDS.T,
    "mirrored": WORDS[::-1, ::-1],
    "big-endian": WORDS.astype(">u2"),
    "rubbish above 12 bits in some rows": WORDS | (np.arange(230) > 100).astype(np.uint16)[:, None] << 13,
    "on the line only": np.clip(WORDS, 1000, 2000),
}


@pytest.mark.parametrize("film", FILMS)
@pytest.mark.parametrize("table", TABLES)
def test_each_way_of_displaying_gives_the_table(table, film):
    words = FILMS[film]
    mapped = MappedWords(TABLES[table].astype(np.float32), words)
    expected = TABLES[table][words]
    np.testing.assert_allclose(mapped.shown(), expected, atol=5e-7)
    for shape in ((93, 71), (7, 9), (300, 260), words.shape):
        np.testing.assert_allclose(resample(mapped, shape), resample(expected, shape), atol=1e-6)


@pytest.mark.parametrize("codes", [("L", "F"), ("F", "R")])
@pytest.mark.parametrize("attributes", [{}, {"WindowCenter": 2000, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"}])
def test_a_lazy_radiograph_resamples_to_the_same_image(tmp_path, codes, attributes):
    path = write(tmp_path, np.resize(ramp(), (420, 330)), PatientOrientation=list(codes), **attributes)
    eager, lazy = (
        Compose([LoadRadiographd("image", lazy=lazy), ResampleRadiographd("image"), NormaliseRadiographd("image")])(
            {"image": str(path)}
        )
        for lazy in (False, True)
    )
    np.testing.assert_allclose(lazy["image"].numpy(), eager["image"].numpy(), atol=3e-6)
    assert lazy["image"].affine.equal(eager["image"].affine)
    assert lazy["image"].meta.keys() == eager["image"].meta.keys()
    assert lazy["image"].meta["resample_scale"] == eager["image"].meta["resample_scale"]


def test_uncompressed_pixels_are_not_copied(tmp_path):
    with write(tmp_path).open("rb") as file:
        dataset, place, _ = parse_header(file)
        parse_pixels(dataset, place)
        assert isinstance(dataset.PixelData.obj, mmap.mmap)


class CutShort:
    """A transform that empties the file of the radiograph that has just been loaded."""

    def __call__(self, item):
        with open(item["image"].meta["filename_or_obj"], "r+b") as file:
            file.truncate(0)
        return item


def test_a_file_that_is_cut_while_it_is_read_is_refused(tmp_path):
    steps = [LoadRadiographd("image", lazy=True), CutShort(), ResampleRadiographd("image")]
    bad = write(tmp_path, np.resize(ramp(), (420, 330)), name="bad.dcm")
    read = IsolatedReader(Compose(steps), seconds=600).read({"image": str(bad), "name": "bad"})
    assert read["refusal"].code == "UNREADABLE"
