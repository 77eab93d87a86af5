"""Makes every picture of README and docs anew, but those of `make figures`: `make pictures`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from scripts.development.made import BUNDLE, DOCS, RECORD, entry, run_bundle, write_record

_EXAMPLES: Final = BUNDLE / "examples"
_KEY: Final = "the names of the examples are no secret"
"""Of the pseudonyms: so that a new picture of the same results is the same."""
_WIDTH: Final = 1024
_CARDS: Final = 2  # of the page's, that README shows
_CLASSES: Final = {"femur": (1, "#ffd54f"), "prosthesis": (2, "#ff9100"), "fixation": (3, "#ef5350")}
_LABELLED: Final = "hip_screw"
_MEASURED: Final = "normal"
_EXPLAINED: Final = "osteoporosis"
_BROKEN: Final = "trochanteric_fracture"


def make_pictures(work_dir: Path) -> None:
    """Make them in a folder, and copy them to the docs.

    Raises:
        SystemExit: with one sentence, where something that it needs is missing.
    """
    if not (browser := shutil.which("chromium")):
        sys.exit("chromium is missing: the picture of the page is taken with it. As root: tests/install_debian_packages.sh")
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    draw_results(work_dir, browser)
    draw_explained(work_dir)
    draw_simulations(work_dir)
    print(f"Made in {DOCS}; {RECORD} there says which, and with which weights.")


def draw_results(work_dir: Path, browser: str) -> None:
    """Make those that show what the shipped weights find on the examples.

    Args:
        work_dir: for the results.
        browser: the program.
    """
    demo = work_dir / "demo"
    (work_dir / "key").write_text(_KEY, encoding="utf-8")
    run_bundle("inference", dataset_dir=_EXAMPLES, output_dir=demo, key_file=work_dir / "key")
    records = json.loads((demo / "results.json").read_text(encoding="utf-8"))
    names = {Path(record["file"]).stem: record["name"] for record in records["radiographs"]}
    scores = {study["films"][0]: study["outcome"]["lowest_t_score"] for study in records["studies"]}
    shown = _photograph(demo / "index.html", browser, DOCS / "demo.png")
    made = {
        "demo.png": entry(
            "make pictures",
            weights=True,
            lowest_t_scores={stem: f"{scores[name]:.2f}" for stem, name in names.items() if name in shown},
        )
    }
    Image.open(demo / "overlays" / f"{names[_MEASURED]}.png").save(DOCS / "morphometry.jpg", quality=90)
    _draw_labels(demo / "masks" / f"{names[_LABELLED]}.png", DOCS / "labelling.jpg")
    (study,) = (one["study"] for one in records["studies"] if names[_BROKEN] in one["films"])
    _photograph_sheet(demo / "patients" / f"{study}.html", browser, DOCS / "patient.jpg")
    _photograph_review(demo, work_dir / "key", names[_LABELLED], browser, DOCS / "review.jpg")
    drawn = ("morphometry.jpg", "labelling.jpg", "patient.jpg", "review.jpg")
    made |= {name: entry("make pictures", weights=True) for name in drawn}
    write_record(made)


def draw_explained(work_dir: Path) -> None:
    """Make those that show of an example what spoke for or against osteoporosis, and where its mineral lies.

    Args:
        work_dir: for the results.
    """
    explained = work_dir / "explained"
    run_bundle("inference", "explain", dataset_dir=_EXAMPLES, output_dir=explained, sample=1)
    records = json.loads((explained / "results.json").read_text(encoding="utf-8"))["radiographs"]
    (pictures,) = (record["outputs"] for record in records if Path(record["file"]).stem == _EXPLAINED)
    for kind in ("explanation", "mineral_map"):
        Image.open(explained / pictures[kind]).save(DOCS / f"{kind}.jpg", quality=88)
    write_record({f"{kind}.jpg": entry("make pictures", weights=True) for kind in ("explanation", "mineral_map")})


def draw_simulations(work_dir: Path) -> None:
    """Make those that show what is simulated, to which no weights belong.

    Args:
        work_dir: for the simulations.
    """
    made = {"cohort_contact_sheet.jpg": entry("make pictures", weights=False)}
    run_bundle("gallery", output_dir=work_dir / "gallery")
    for picture in sorted((work_dir / "gallery").glob("gallery_*.jpg")):
        shutil.copy(picture, DOCS)
        made[picture.name] = entry("make pictures", weights=False)
    run_bundle("simulate", output_dir=work_dir / "cohort", patients=48, seed=1)
    Image.open(work_dir / "cohort" / "contact_sheet.png").convert("RGB").save(DOCS / "cohort_contact_sheet.jpg", quality=85)
    write_record(made)


def _photograph(page: Path, browser: str, picture: Path) -> set[str]:
    """Take a picture of the page's beginning; returns the names of the patients on it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        view = chromium.new_page(viewport={"width": _WIDTH, "height": 900})
        view.goto(page.absolute().as_uri())
        cards = view.locator("article")
        last = cards.nth(_CARDS - 1).bounding_box()
        names = {cards.nth(index).locator("h3").inner_text() for index in range(_CARDS)}
        height = last["y"] + last["height"] + 16 if last else 900
        for image in view.locator("article img").all()[:_CARDS]:
            image.scroll_into_view_if_needed()
            image.evaluate("image => image.decode()")
        view.evaluate("scrollTo(0, 0)")
        view.screenshot(path=picture, full_page=True, clip={"x": 0, "y": 0, "width": _WIDTH, "height": height})
        chromium.close()
    return names


def _photograph_sheet(page: Path, browser: str, picture: Path) -> None:
    """Take a picture of a whole page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        view = chromium.new_page(viewport={"width": 1000, "height": 900})
        view.goto(page.absolute().as_uri())
        view.screenshot(path=picture, full_page=True, type="jpeg", quality=85)
        chromium.close()


def _photograph_review(results: Path, key: Path, film: str, browser: str, picture: Path) -> None:
    """Take a picture of the page of a review, as it opens on a film."""
    from playwright.sync_api import expect, sync_playwright

    command = [sys.executable, "-P", "-c", "from scripts.apps.command import main; import sys; main(sys.argv[1:])"]
    options = ["review", str(results), "--key_file", str(key), "--port", "0", "--confirm_first", "false"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        try:
            address = server.stdout.readline().split()[-1] if server.stdout else ""
            chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            view = chromium.new_page(viewport={"width": 1600, "height": 1000})
            view.goto(address.replace("#", f"?film={film}#"))
            expect(view.locator("#numbers-state")).to_contain_text("As screened", timeout=60_000)
            view.wait_for_timeout(1000)  # the film's tiles
            view.screenshot(path=picture, type="jpeg", quality=85)
            chromium.close()
        finally:
            server.terminate()


def _draw_labels(found: Path, picture: Path) -> None:
    """The contours that are to be corrected beside the true ones, on the radiograph."""
    from matplotlib.figure import Figure

    from scripts.radiograph import read_radiograph

    film: Any = read_radiograph(_EXAMPLES / "images" / f"{_LABELLED}.dcm")[0].numpy()
    figure = Figure(figsize=(10.7, 4.3), layout="constrained")
    masks = {"returned by the server: to correct": found, "corrected: to submit": _EXAMPLES / "masks" / f"{_LABELLED}.png"}
    for axes, (title, path) in zip(figure.subplots(1, 2), masks.items(), strict=True):
        mask = np.asarray(Image.open(path))
        axes.imshow(film, cmap="gray")
        for name, (value, colour) in _CLASSES.items():
            if (mask == value).any():
                axes.contour(mask == value, [0.5], colors=[colour], linewidths=1.2)
                axes.plot([], [], color=colour, label=name)
        axes.set_title(title, fontsize=10)
        axes.legend(loc="lower center", ncols=3, fontsize=8)
        axes.set_axis_off()
    figure.savefig(picture, dpi=100, pil_kwargs={"quality": 90})


if __name__ == "__main__":
    make_pictures(Path(sys.argv[1]))
