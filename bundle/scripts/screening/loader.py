"""The radiographs of a folder as they are read, study by study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import Any

from torch.utils.data import IterableDataset

ReadRadiograph = dict[str, Any]
"""A radiograph as a reader gives it: "name", "file", and what the preprocessing made of it ("image", "covariates", ...), or the
"refusal" that says why it could not be read."""


class StudyDataset(IterableDataset[list[ReadRadiograph]]):
    """One item a study: the list of its radiographs, read while the network looks at another study.

    Args:
        data: items with "image" (path of the radiograph), "name" (unique, the stem of every output) and "study" (equal for
            the radiographs of one study, which are consecutive). One without "study" is a study of its own.
        reader: from items to the radiographs read, in their order: see `IsolatedReader`.
    """

    def __init__(
        self,
        data: Iterable[Mapping[str, Any]],
        reader: Callable[[Iterable[Mapping[str, Any]]], Iterator[ReadRadiograph]],
    ) -> None:
        self.data = list(data)
        self._reader = reader
        studies = (item.get("study", index) for index, item in enumerate(self.data))
        self._sizes = [sum(1 for _ in study) for _, study in groupby(studies)]

    def __len__(self) -> int:
        """The number of studies."""
        return len(self._sizes)

    def __iter__(self) -> Iterator[list[ReadRadiograph]]:
        """Yield the radiographs of each study."""
        radiographs = self._reader(self.data)
        for size in self._sizes:
            yield list(islice(radiographs, size))
