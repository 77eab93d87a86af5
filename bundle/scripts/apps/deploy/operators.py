"""The application: MONAI Deploy's loader and selector, and the operator that screens what they selected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application, Fragment, OperatorSpec
from monai.deploy.core import Operator as DeployOperator
from monai.deploy.operators.dicom_data_loader_operator import DICOMDataLoaderOperator
from monai.deploy.operators.dicom_series_selector_operator import DICOMSeriesSelectorOperator

from scripts.apps.deploy.interruption import Interruption
from scripts.apps.deploy.job import ScreeningJob
from scripts.apps.deploy.selection import RULES, as_file

_STUDIES, _SELECTED = "dicom_study_list", "study_selected_series_list"


class OsteoXR(Application):
    """Radiographs of the hips in, estimated bone density out.

    Args:
        job: what it does.
        interruption: of the process.
    """

    def __init__(self, job: ScreeningJob, interruption: Interruption) -> None:
        self.job, self.interruption = job, interruption
        super().__init__()

    def compose(self) -> None:
        """Join the operators."""
        loader = HeaderLoaderOperator(self, CountCondition(self, 1), job=self.job, name="loader")
        selector = DICOMSeriesSelectorOperator(self, rules=RULES, all_matched=True, name="selector")
        self.screening = ScreeningOperator(self, job=self.job, interruption=self.interruption, name="screening")
        self.add_flow(loader, selector, {(_STUDIES, _STUDIES)})
        self.add_flow(selector, self.screening, {(_SELECTED, _SELECTED)})

    def run(self) -> None:
        """Run it once.

        Raises:
            BaseException: what ended the screening otherwise than well, see `ScreeningJob.run`.
        """
        super().run()
        if self.screening.ended is not None:
            raise self.screening.ended


class HeaderLoaderOperator(DICOMDataLoaderOperator):
    """MONAI Deploy's loader, given the headers that were read within bounds in place of files.

    By itself it would hold the pixels of all radiographs at once, and end where one file is damaged, or is a pipe.

    Args:
        fragment: that it belongs to.
        job: has the headers.
    """

    def __init__(self, fragment: Fragment, *args: Any, job: ScreeningJob, **kwargs: Any) -> None:
        self._job = job
        super().__init__(fragment, *args, input_folder=job.input_dir, must_load=False, **kwargs)

    def _list_files(self, path: Path, files: list[Any]) -> None:
        files.extend(map(as_file, self._job.headers.values()))


class ScreeningOperator(DeployOperator):
    """Screens the radiographs of the selected series, and writes the results as the main job does.

    Named input:
        study_selected_series_list: of the selector.

    Args:
        fragment: that it belongs to.
        job: what it does.
        interruption: of the process.
    """

    def __init__(self, fragment: Fragment, *args: Any, job: ScreeningJob, interruption: Interruption, **kwargs: Any) -> None:
        self.job, self.interruption = job, interruption
        self.ended: BaseException | None = None
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the input."""
        spec.input(_SELECTED)

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Screen."""
        studies = op_input.receive(_SELECTED)
        selected = {str(chosen.series.SeriesInstanceUID) for study in studies for chosen in study.selected_series}
        try:
            self.interruption.move_here()  # Holoscan calls this in a thread of its own
            self.job.run(selected)
        except BaseException as error:  # Holoscan would print it as a fault of its own, with the patients' paths
            self.ended = error
