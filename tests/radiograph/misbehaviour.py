"""A transform that does to its process what a codec may do on a hostile file; the file's name says what."""

import ctypes
import os
import time

import numpy as np
import torch
from monai.data import MetaTensor

LEAKED = []


class Misbehave:
    def __call__(self, item):
        what = item["image"]
        if what == "crash":
            ctypes.string_at(0)
        elif what == "abort":
            os.abort()
        elif what == "exit":
            os._exit(0)
        elif what == "raise exit":
            raise SystemExit("bye")
        elif what == "hang":
            time.sleep(1000)
        elif what == "hang in C":
            ctypes.CDLL(None).pause()
        elif what == "allocate":
            np.ones(1 << 30)
        elif what == "allocate in torch":
            torch.ones(1 << 30)
        elif what == "leak":
            LEAKED.append(bytearray(100 << 20))
        elif what == "print":
            os.write(1, b"DOE^JANE")
            os.write(2, b"DOE^JANE")
        elif what == "name":
            raise ValueError("DOE^JANE was born in 1950")
        meta = {"filename_or_obj": what, "nothing": None, "pair": (1.5, 2.5), "pid": os.getpid()}
        image = MetaTensor(torch.arange(20.0).reshape(1, 4, 5), affine=torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0])), meta=meta)
        return {**item, "image": image, "covariates": torch.tensor([60.0, float("nan")])}
