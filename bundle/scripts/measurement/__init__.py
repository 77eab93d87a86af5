"""What is measured on a femur that was found: contours, axes, regions, morphometry, Singh-like grade, quality, metal.

Example:
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import scripts
    >>> from monai.transforms import Compose
    >>> from scripts.dataset import LoadLabeld, LoadLandmarksd
    >>> from scripts.measurement.hip_axes import find_axes
    >>> from scripts.measurement.outline import Outline
    >>> from scripts.measurement.regions import place_regions
    >>> from scripts.radiograph import LoadRadiographd, ResampleRadiographd
    >>> examples = Path(scripts.__file__).parents[1] / "examples"
    >>> read = Compose([LoadRadiographd("image"), ResampleRadiographd("image"), LoadLabeld("label"), LoadLandmarksd("landmarks")])
    >>> files = {"image": "images/normal.dcm", "label": "masks/normal.png", "landmarks": "landmarks/normal.json"}
    >>> item = read({key: str(examples / file) for key, file in files.items()})
    >>> outline = Outline(item["label"][0].numpy() == 1, item["image"].meta["spacing_mm"])
    >>> upright = np.eye(2, 3)  # distal is down the rows, medial along the columns
    >>> axes = find_axes(outline, item["landmarks"][0].numpy(), upright)
    >>> round(axes.head_radius, 1), round(axes.neck_length, 1)
    (26.0, 57.3)
    >>> regions = place_regions(outline, axes, upright, (400, 400))
    >>> {name: int(region.mask.sum()) for name, region in regions.items()}
    {'neck_box': 6575, 'medial_cortex': 4665, 'total_hip': 34208, 'crop': 160000}
"""
