"""A FHIR server that takes the outcome of a study."""

from __future__ import annotations

import re
from typing import Any, Final

import requests

from scripts.apps.pacs.answers import DeclinedError, by_http, http_failure
from scripts.apps.pacs.credentials import Credentials, is_url

_SECONDS: Final = 60.0  # a server may take for an answer
_MEDIA_TYPE: Final = "application/fhir+json"
_CODE: Final = re.compile(r"[a-z][a-z-]{0,40}")
_PATH: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]]{0,120}")


class FhirServer:
    """A server of FHIR R4.

    Args:
        url: its base, https://HOST/PATH.

    Raises:
        ValueError: where the address is none, or what the environment says of token and certificates cannot be used.
    """

    def __init__(self, url: str) -> None:
        if not is_url(url):
            raise ValueError(
                f"--fhir_server {url}: expected the address of a FHIR server, as https://fhir.hospital/r4; a password or token "
                "has no place in it. Nothing was sent."
            )
        self.url, self.session = url.rstrip("/"), Credentials.from_environment("FHIR").session(url)

    def post(self, bundle: bytes) -> None:
        """Have a transaction Bundle done: all that it holds, or nothing.

        Raises:
            UnreachableError, DeclinedError: where it was not, or nobody knows.
        """
        headers = {"Content-Type": _MEDIA_TYPE, "Accept": _MEDIA_TYPE}
        with by_http():
            answer = self.session.post(self.url, bundle, headers=headers, timeout=_SECONDS)
        content = _content(answer)
        if not answer.ok:
            failure = http_failure(answer.status_code)
            raise type(failure)(f"{failure}{_outcome(content)}")
        if content.get("resourceType") != "Bundle" or content.get("type") != "transaction-response":
            raise DeclinedError(f"HTTP {answer.status_code}, but no transaction-response{_outcome(content)}")

    def close(self) -> None:
        """Take leave."""
        self.session.close()


def _content(answer: requests.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _outcome(content: dict[str, Any]) -> str:
    """The issues of an OperationOutcome by code and place; its texts may quote the patient, and are left out."""
    issues = content.get("issue") if content.get("resourceType") == "OperationOutcome" else None
    told = []
    for issue in issues if isinstance(issues, list) else []:
        if isinstance(issue, dict) and _CODE.fullmatch(str(issue.get("code"))):
            places = issue.get("expression")
            named = [place for place in places if _PATH.fullmatch(str(place))] if isinstance(places, list) else []
            told.append(" at ".join([issue["code"], *named[:1]]))
    return f" ({', '.join(dict.fromkeys(told))})" if told else ""
