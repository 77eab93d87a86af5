"""MONAI Label's web service, with a clear answer where something is wrong."""

from __future__ import annotations

import errno

import requests
from fastapi import Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse

from scripts.apps.monailabel.absent_packages import absent_packages

with absent_packages():
    from monailabel.app import app

from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException, MONAILabelException

from scripts.apps.monailabel import landmarks, trainings
from scripts.clinical import RefusedError

__all__ = ["app"]


def _not_found(_: Request, error: Exception) -> JSONResponse:
    return _answer(404, str(getattr(error, "msg", error)))


def _bad_request(_: Request, error: Exception) -> JSONResponse:
    return _answer(400, str(getattr(error, "msg", error)))


def _refused(_: Request, error: Exception) -> JSONResponse:
    reason = error.reason if isinstance(error, RefusedError) else None
    return _answer(422, reason.sentence if reason else str(error), code=str(reason.code) if reason else "")


def _unfit(_: Request, error: Exception) -> JSONResponse:
    return _answer(422, str(error))


def _no_pacs(_: Request, error: Exception) -> JSONResponse:
    return _answer(502, f"The PACS did not answer as expected ({type(error).__name__}: {error}). Nothing was saved.")


def _disk(_: Request, error: Exception) -> JSONResponse:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    said = getattr(error, "strerror", None) or error
    return _answer(507 if full else 500, f"The server's disk failed: {said}. What was there before is as it was.")


def _failed(_: Request, error: Exception) -> JSONResponse:
    return _answer(500, f"The server failed ({type(error).__name__}: {error}); its log says where. It still runs.")


def _answer(status: int, sentence: str, **more: str) -> JSONResponse:
    return JSONResponse({"detail": sentence, **more}, status_code=status)


# MONAI Label lets every page that the user's browser has open read the radiographs; here only this server's own pages may.
app.user_middleware.clear()
app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])

app.router.routes[:0] = trainings.router.routes  # before MONAI Label's own
app.include_router(landmarks.router)

for _error, _handler in (
    (ImageNotFoundException, _not_found),
    (LabelNotFoundException, _not_found),
    (MONAILabelException, _bad_request),
    (RefusedError, _refused),
    (ValueError, _unfit),
    (requests.RequestException, _no_pacs),
    (OSError, _disk),
    (Exception, _failed),
):
    app.add_exception_handler(_error, _handler)
