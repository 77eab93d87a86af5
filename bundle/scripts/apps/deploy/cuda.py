"""Lets MONAI Deploy be imported, with or without a GPU: its core, Holoscan, is linked against NVIDIA's CUDA runtime."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import resource
from pathlib import Path
from typing import Final

_STACK_BYTES: Final = 32 << 20  # what Holoscan asks for


def prepare() -> None:
    """Load the CUDA runtime that pip installed, for this process and those that it starts, and give Holoscan its stack.

    Nothing that imports MONAI may be imported before: that imports MONAI Deploy wherever it is installed.

    Raises:
        ImportError: where `nvidia-cuda-runtime` is not installed.
    """
    found = importlib.util.find_spec("nvidia")
    folders = [Path(folder) for folder in found.submodule_search_locations or ()] if found else []
    libraries = sorted(file for folder in folders for file in folder.glob("cu*/lib/libcudart.so.*"))
    if not libraries:
        raise ImportError("nvidia-cuda-runtime, which Holoscan needs without a GPU too, is not installed")
    ctypes.CDLL(str(libraries[-1]), mode=ctypes.RTLD_GLOBAL)
    known = os.environ.get("LD_LIBRARY_PATH")
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join([str(libraries[-1].parent), *([known] if known else [])])
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft != resource.RLIM_INFINITY and soft < _STACK_BYTES and (hard == resource.RLIM_INFINITY or hard >= _STACK_BYTES):
        resource.setrlimit(resource.RLIMIT_STACK, (_STACK_BYTES, hard))
