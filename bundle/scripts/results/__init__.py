"""The results of a run: pictures, tables, results.json and the HTML report, written from what the screen found."""

from scripts.results.document import write_document
from scripts.results.explanations import ExplanationWriter
from scripts.results.follow_up import write_follow_up_table
from scripts.results.patient_page import write_patient_pages
from scripts.results.pictures import MaskWriter, OverlayWriter
from scripts.results.report import write_report
from scripts.results.study_page import write_study_page
from scripts.results.tables import write_columns_table, write_rejected_table, write_results_table
from scripts.results.writer import ResultsWriter

__all__ = [
    "ExplanationWriter",
    "MaskWriter",
    "OverlayWriter",
    "ResultsWriter",
    "write_columns_table",
    "write_document",
    "write_follow_up_table",
    "write_patient_pages",
    "write_rejected_table",
    "write_report",
    "write_results_table",
    "write_study_page",
]
