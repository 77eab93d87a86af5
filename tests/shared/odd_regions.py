"""Regions as no bone has them: ragged, with holes, in pieces."""

from pathlib import Path

import numpy as np
import scripts
from scipy.ndimage import gaussian_filter
from scripts.radiograph import LoadRadiographd


def odd_region(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise of some smoothness, and in it a region that is ragged, has holes and may be in pieces."""
    random = np.random.default_rng(seed)
    rows, cols = random.integers(12, 60, 2)
    image = gaussian_filter(random.normal(size=(rows, cols)), random.uniform(0, 2)) * random.uniform(0.1, 100) + random.normal(
        0, 50
    )
    ground = gaussian_filter(random.normal(size=(rows, cols)), random.uniform(0.5, 3))
    return image, ground > np.quantile(ground, random.uniform(0.3, 0.7))


def radiograph_region(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A piece of an example radiograph, and an odd region in it."""
    random = np.random.default_rng(seed)
    files = sorted((Path(scripts.__file__).parents[1] / "examples" / "images").glob("*.dcm"))
    film = LoadRadiographd("image")({"image": str(files[seed % len(files)])})["image"][0].numpy()
    rows, cols = random.integers(20, 70, 2)
    row, col = (int(random.integers(0.3 * size, 0.6 * size)) for size in film.shape)
    piece = film[row : row + rows, col : col + cols].astype(float)
    ground = gaussian_filter(random.normal(size=piece.shape), random.uniform(1, 4))
    return piece, ground > np.quantile(ground, random.uniform(0.2, 0.6))


REGIONS = {"noise": odd_region, "radiograph": radiograph_region}
