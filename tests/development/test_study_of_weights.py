"""The page of the shipped weights' study: put into the docs by one command, and linked from the model card where it is there."""

from pathlib import Path

from scripts.development import study
from scripts.development.made import DOCS, entry, read_record

LINK = "(study.html)"


def test_the_model_card_links_the_page_where_there_is_one() -> None:
    assert (LINK in (DOCS / "README.md").read_text()) == (DOCS / "study.html").exists()


def test_page_and_link_are_put_in_place_and_are_the_same_the_next_time(tmp_path: Path) -> None:
    results, docs = tmp_path / "results", tmp_path / "docs"
    results.mkdir()
    docs.mkdir()
    (results / "study.html").write_text("<!DOCTYPE html>")
    (docs / "README.md").write_text((DOCS / "README.md").read_text())
    for _ in range(2):
        study.place_study(results, docs)
        assert (docs / "study.html").read_text() == "<!DOCTYPE html>"
        assert (docs / "README.md").read_text().count(LINK) == 1
    recorded = read_record(docs)["study.html"]
    assert recorded["weights"] == entry("make study", weights=True)["weights"] and recorded["sha256"]


def test_a_finished_evaluation_is_not_done_again(tmp_path: Path, monkeypatch) -> None:
    done = []

    def run(*configs: str, output_dir: Path, **settings: object) -> None:
        done.append(configs)
        output_dir.mkdir(parents=True)
        for name in ("manifest.csv", "metrics.json", "study.html"):
            (output_dir / name).touch()

    monkeypatch.setattr(study, "run_bundle", run)
    assert study.evaluate_cohort(tmp_path) == study.evaluate_cohort(tmp_path)
    assert done == [("simulate",), ("inference", "evaluate")]
