"""Lets MONAI Label be imported without the packages of the data stores and viewers that OsteoXR's app does not use.

MONAI Label imports them all at its start. One of them is built for CUDA only, another does not work with pydicom 3.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final, NoReturn

PACKAGES: Final = ("girder_client", "itk", "nrrd", "pydicom_seg", "torchvision", "torchvision.utils")
"""What MONAI Label imports, and the app never calls."""


@contextmanager
def absent_packages() -> Iterator[None]:
    """Within it, those of `PACKAGES` that are not installed import as modules whose functions raise when called.

    Afterwards they are unknown again, since other libraries ask whether they are there.
    """
    names = [name for name in PACKAGES if importlib.util.find_spec(name.partition(".")[0]) is None]
    sys.modules.update({name: _Absent(name) for name in names})
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


class _Absent(ModuleType):
    __path__: list[str] = []  # noqa: RUF012 - a package, so that its submodules may be imported

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_: Any, **__: Any) -> NoReturn:
            raise RuntimeError(f"{self.__name__}.{name} was called, but {self.__name__} is not installed for `make label`.")

        return missing
