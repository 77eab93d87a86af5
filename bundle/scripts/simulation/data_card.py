"""The data card of a simulated cohort: what is in it, told from its manifest and its files, so that it can be made again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pydicom
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from scripts.clinical import Category, load_criteria, load_reference
from scripts.clinical.anatomy import HIP
from scripts.dataset.listing import CARD_NAME
from scripts.dataset.manifest import SPLITS
from scripts.dataset.truth import VISIBLE_MM
from scripts.files import replacing
from scripts.radiograph import read_radiograph
from scripts.simulation.population import BONE_SITES, DECADE_BMD, decade_ends

_SHEET_PATIENTS, _SHEET_COLUMNS = 24, 6
_THUMBNAIL_PIXELS: Final = 420
_ARTHRITIC: Final = 0.5
_SEX_COLOURS: Final = {"F": "#c0392b", "M": "#1f4e79"}
_SEX_NAMES: Final = {"F": "women", "M": "men"}
_BMD_COLUMNS: Final = {
    "total_hip": [f"{side}_total_bmd_exact" for side in HIP.sides],
    "femoral_neck": [f"{side}_neck_bmd_exact" for side in HIP.sides],
    "lumbar": ["lumbar_bmd_exact"],
}


def write_data_card(folder: Path) -> Path:
    """Write ``data_card.md``, ``contact_sheet.png``, ``distributions.png`` and ``bmd_by_age.png`` into a cohort's folder.

    Args:
        folder: of `simulate_cohort`, with its manifest.csv, cohort.json and radiographs.

    Returns:
        The path of data_card.md.
    """
    radiographs = pd.read_csv(folder / "manifest.csv", dtype={"patient_id": str, "objects": str})
    headers = [_technique(folder / image) for image in radiographs["image"]]
    radiographs = radiographs.join(pd.DataFrame(headers, index=radiographs.index))
    radiographs["bmi"] = radiographs["weight_kg"] / (radiographs["height_cm"] / 100) ** 2
    patients = radiographs.drop_duplicates("patient_id")

    for name, figure in {
        "contact_sheet.png": _contact_sheet(patients, folder),
        "distributions.png": _distributions(radiographs, patients),
        "bmd_by_age.png": _bmd_by_age(patients),
    }.items():
        with replacing(folder / name) as temporary:
            figure.savefig(temporary, dpi=100)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True,
        autoescape=False,
    )  # fmt: skip
    overall = {"all": radiographs}
    sites = {name: radiographs[radiographs["site"] == name] for name in sorted(radiographs["site"].unique())}
    splits = {name: radiographs[radiographs["split"] == name] for name in SPLITS if (radiographs["split"] == name).any()}
    page = environment.get_template("data_card.md.jinja").render(
        settings=json.loads((folder / "cohort.json").read_text(encoding="utf-8")),
        patients=len(patients),
        radiographs=len(radiographs),
        by_site=overall | sites,
        by_split=splits,
        table=_table,
        youngest=f"{load_criteria().youngest_age_years:g}",
        reference=load_reference(),
    )
    card = folder / CARD_NAME
    with replacing(card) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return card


def _technique(file: Path) -> dict[str, float]:
    """What only the header of a radiograph tells."""
    header = pydicom.dcmread(file, stop_before_pixels=True)
    return {
        "kvp": float(header.KVP),
        "spacing_mm": float(header.ImagerPixelSpacing[0]),
        "rows": header.Rows,
        "columns": header.Columns,
    }


def _table(groups: Mapping[str, pd.DataFrame]) -> str:
    """A Markdown table with a column for each group of radiographs."""
    described = {name: _description(radiographs) for name, radiographs in groups.items()}
    rows = dict.fromkeys(row for description in described.values() for row in description)
    lines = [f"| | {' | '.join(described)} |", f"|---|{'---|' * len(described)}"]
    lines += [f"| {row} | {' | '.join(description.get(row, '-') for description in described.values())} |" for row in rows]
    return "\n".join(lines)


def _description(radiographs: pd.DataFrame) -> dict[str, str]:
    patients = radiographs.drop_duplicates("patient_id")
    hips = 2 * len(patients)
    rows = {
        "Patients / radiographs": f"{len(patients)} / {len(radiographs)}",
        "Age, years": f"{_spread(patients['age_years'], 0)} ({patients['age_years'].min()} to {patients['age_years'].max()})",
        "Women": f"{(patients['sex'] == 'F').mean():.0%}",
        "BMI, kg/m²": _spread(patients["bmi"], 1),
    }
    for site, name in (("total", "Total hip"), ("neck", "Femoral neck")):
        for sex, people in _SEX_NAMES.items():
            of_sex = patients[patients["sex"] == sex]
            rows[f"{name} aBMD, {people}, g/cm²"] = _spread(_both_hips(of_sex, f"{site}_bmd_exact"), 3)
    rows |= _classes(patients)
    for what in ("implant", "fracture", "deformity"):
        found = pd.concat([patients[f"{side}_{what}"] for side in HIP.sides])
        found = found[found != "none"]
        kinds = ", ".join(f"{kind} {count}" for kind, count in found.value_counts().sort_index().items())
        rows[f"Hips with {what}"] = f"{len(found)} ({len(found) / hips:.1%}){': ' + kinds if kinds else ''}"
    rows["Displacement of fractures in the image, mm"] = _displacement(radiographs)
    arthritic = _both_hips(patients, "osteoarthritis") >= _ARTHRITIC
    rows[f"Hips with osteoarthritis of {_ARTHRITIC:g} or more"] = f"{arthritic.sum()} ({arthritic.mean():.1%})"
    rows["Objects on the radiograph"] = f"{radiographs['objects'].notna().mean():.0%}"
    rows["Views"] = _shares(radiographs["view"])
    rows["Pelvic tilt, degrees, positive to anterior"] = _range(radiographs["pelvic_tilt_deg"], 0)
    rows["Processing styles"] = _shares(radiographs["style"])
    rows["Pixel at the detector, mm"] = _range(radiographs["spacing_mm"], 3)
    rows["Rows x columns, median"] = f"{radiographs['rows'].median():.0f} x {radiographs['columns'].median():.0f}"
    rows["Tube voltage, kV"] = _range(radiographs["kvp"], 0)
    return rows


def _classes(patients: pd.DataFrame) -> dict[str, str]:
    criteria = load_criteria()
    old = patients[patients["age_years"] >= criteria.youngest_age_years]
    found = [criteria.classify(score) for score in old["lowest_t"]]
    shares = {category: f"{found.count(category) / len(found):.1%}" if found else "-" for category in Category}
    return {f"{category.capitalize()} by lowest T-score": share for category, share in shares.items()}


def _displacement(radiographs: pd.DataFrame) -> str:
    found = [radiographs.loc[radiographs[f"{side}_fracture"] != "none", f"{side}_fracture_displacement_mm"] for side in HIP.sides]
    values = pd.concat(found)
    return f"{_range(values, 1)}; under {VISIBLE_MM:g} mm {(values < VISIBLE_MM).mean():.0%}" if len(values) else "-"


def _both_hips(patients: pd.DataFrame, column: str) -> pd.Series:
    return pd.concat([patients[f"{side}_{column}"] for side in HIP.sides]).dropna()


def _spread(values: pd.Series, decimals: int) -> str:
    return f"{values.mean():.{decimals}f} ± {values.std():.{decimals}f}" if len(values) > 1 else "-"


def _range(values: pd.Series, decimals: int) -> str:
    return f"{values.median():.{decimals}f} ({values.min():.{decimals}f} to {values.max():.{decimals}f})"


def _shares(values: pd.Series) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in values.value_counts(normalize=True).sort_index().items())


def _contact_sheet(patients: pd.DataFrame, folder: Path) -> Figure:
    ordered = patients.sort_values("lowest_t", ascending=False)
    count = min(_SHEET_PATIENTS, len(ordered))
    rows = math.ceil(count / _SHEET_COLUMNS)
    figure = Figure(figsize=(3.2 * _SHEET_COLUMNS, 2.9 * rows + 0.4), layout="constrained")
    figure.suptitle("Simulated patients, from the highest to the lowest T-score")
    for axes in figure.subplots(rows, _SHEET_COLUMNS).flat:
        axes.set_axis_off()
    chosen = ordered.iloc[np.linspace(0, len(ordered) - 1, count).round().astype(int)]
    for axes, (_, row) in zip(figure.axes, chosen.iterrows(), strict=False):
        image = read_radiograph(folder / row["image"])[0].numpy()
        thin = max(1, max(image.shape) // _THUMBNAIL_PIXELS)
        axes.imshow(image[::thin, ::thin], cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
        axes.set_title(f"{row['patient_id']}: {row['sex']} {row['age_years']}, T {row['lowest_t']:.1f}", fontsize=9)
    return figure


def _distributions(radiographs: pd.DataFrame, patients: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    figure.suptitle(f"{len(patients)} simulated patients")
    panels = {"age_years": "Age, years", "bmi": "BMI, kg/m²", "lowest_t": "Lowest T-score", "kvp": "Tube voltage, kV"}
    for axes, (column, label) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        table = radiographs if column == "kvp" else patients
        values = [table.loc[table["sex"] == sex, column] for sex in _SEX_COLOURS]
        axes.hist(values, bins=24, stacked=True, color=list(_SEX_COLOURS.values()), label=list(_SEX_NAMES.values()))
        axes.set(xlabel=label, ylabel="Radiographs" if table is radiographs else "Patients")
        axes.legend()
    return figure


def _bmd_by_age(patients: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(14, 4.6), layout="constrained")
    for axes, site in zip(figure.subplots(1, len(BONE_SITES)), BONE_SITES, strict=True):
        for sex, colour in _SEX_COLOURS.items():
            people = patients[patients["sex"] == sex]
            bmd = people[_BMD_COLUMNS[site]].mean(axis=1)
            axes.scatter(people["age_years"], bmd, s=9, alpha=0.5, color=colour, linewidths=0, label=_SEX_NAMES[sex])
            for (begin, end), mean, sd in zip(decade_ends(sex), *DECADE_BMD[sex][site], strict=True):
                axes.plot((begin, end), (mean, mean), color=colour, linewidth=2)
                axes.fill_between((begin, end), mean - sd, mean + sd, color=colour, alpha=0.07, linewidth=0)
        axes.set(xlabel="Age, years", ylabel="aBMD, g/cm²", title=site.replace("_", " ").capitalize())
        axes.legend()
    return figure
