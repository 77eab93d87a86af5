"""The results of a run: pictures, tables, results.json and the HTML report, written from what the screen found."""

from scripts.results.writer import ResultsWriter

__all__ = ["ResultsWriter"]
