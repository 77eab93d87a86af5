"""Pictures sent on from a viewer: windowed, resampled, written on, and still in register with the radiograph."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scripts.simulation.physics.viewer import Export, draw_export, exported

PLAIN = Export(0.4, 0.0, 1.0, 0.0, 95, 0.0, "", False, (0.0, 0.0, 0.0, 0.0))
SPACING = 0.2
EVERYWHERE = torch.ones(400, 500, dtype=torch.bool)


def ball() -> torch.Tensor:
    """A bright disc about row 150, column 320."""
    rows, columns = torch.meshgrid(torch.arange(400.0), torch.arange(500.0), indexing="ij")
    return 0.2 + 0.6 * torch.sigmoid((60 - torch.hypot(rows - 150, columns - 320)) / 1.5)


def test_nothing_moves_and_grey_values_stay() -> None:
    shown = ball()
    picture = exported(shown, PLAIN, SPACING, EVERYWHERE)
    assert picture.shape == shown.shape
    assert float((picture - shown).abs().mean()) < 0.01
    bright = (picture > 0.5).nonzero().float().mean(0)
    assert bright.tolist() == pytest.approx([150, 320], abs=0.3)


def test_detail_finer_than_the_exports_pixels_is_lost() -> None:
    stripes = 0.5 + 0.4 * torch.cos(torch.arange(500.0) * np.pi)[None].expand(400, 500)  # 0.4 mm a pair of lines
    assert float(exported(stripes, PLAIN, SPACING, EVERYWHERE).std()) < 0.1 * float(stripes.std())


def test_a_hard_window_clips_and_sharpening_overshoots() -> None:
    hard = exported(ball(), replace(PLAIN, low=0.3, high=0.7), SPACING, EVERYWHERE)
    assert float(hard.median()) < 0.02 and float(hard[150, 320]) > 0.98
    sharp = exported(ball(), replace(PLAIN, sharpen=2.0), SPACING, EVERYWHERE)
    assert float(sharp.max()) > float(ball().max()) + 0.04


def test_ruler_and_page_numbers_are_written_at_the_border() -> None:
    dark = torch.zeros(1500, 1600)
    whole = torch.ones(1500, 1600, dtype=torch.bool)
    marked = exported(dark, replace(PLAIN, ruler="bottom", page=True), SPACING, whole)
    assert float(marked[:1300].max()) < 0.05
    columns = (marked[1430:] > 0.4).any(0).nonzero()
    assert int(columns.min()) < 60 and int(columns.max()) > 1500
    ruler = (marked[1485:1490] > 0.3).any(0).nonzero().flatten()
    ruler = ruler[(ruler > 250) & (ruler < 1308)]
    assert float(ruler.max() - ruler.min()) * SPACING == pytest.approx(200, abs=2)


def test_the_surround_takes_its_grey() -> None:
    inside = EVERYWHERE.clone()
    inside[:, :100] = False
    picture = exported(ball() * inside, replace(PLAIN, surround=1.0), SPACING, inside)
    assert float(picture[:, :90].min()) > 0.95


def test_exports_differ_as_users_do() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_export(rng) for _ in range(400)]
    assert all(0.3 <= each.spacing <= 0.5 and each.low < each.high for each in drawn)
    assert {each.ruler for each in drawn} == {"bottom", "left", ""}
    assert 0.1 < np.mean([each.high - each.low < 0.8 for each in drawn]) < 0.5
    assert min(each.quality for each in drawn) < 55 and max(each.sharpen for each in drawn) > 1.5
