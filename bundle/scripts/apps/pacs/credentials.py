"""What a server is told and shown of who asks: token and certificates, which the environment names."""

from __future__ import annotations

import logging
import os
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")
_URL: Final = re.compile(r"https?://[^@?#\s]+")


@dataclass(frozen=True)
class Credentials:
    """Of one kind of server; "" where the environment does not have it.

    token: bearer token, for HTTP; it is told nowhere.
    authority: PEM file of the authorities that its certificate must be from; those of the system where there is none.
    certificate, key: PEM files by which we are known to it.
    """

    kind: str
    token: str = field(repr=False)
    authority: str
    certificate: str
    key: str

    @classmethod
    def from_environment(cls, kind: str) -> Credentials:
        """Read OSTEOXR_KIND_TOKEN, _CA, _CERTIFICATE and _KEY.

        Raises:
            ValueError: where a file cannot be used.
        """
        values = [os.environ.get(f"OSTEOXR_{kind}_{name}", "").strip() for name in ("TOKEN", "CA", "CERTIFICATE", "KEY")]
        found = cls(kind, *values)
        if not re.fullmatch(r"[!-~]*", found.token):
            raise ValueError(f"OSTEOXR_{kind}_TOKEN: holds what no token does, such as a space. Nothing was asked.")
        for name, value in zip(("CA", "CERTIFICATE", "KEY"), values[1:], strict=True):
            if value and not Path(value).is_file():
                raise ValueError(f"OSTEOXR_{kind}_{name}: there is no file {value}; expected one in PEM. Nothing was asked.")
        if found.key and not found.certificate:
            raise ValueError(f"OSTEOXR_{kind}_KEY is set, but not OSTEOXR_{kind}_CERTIFICATE, which it is of. Nothing was asked.")
        if found.secure:
            found.client_context()
        return found

    @property
    def secure(self) -> bool:
        """Whether DICOM itself, whose addresses do not tell, goes by TLS."""
        return bool(self.authority or self.certificate)

    def client_context(self) -> ssl.SSLContext:
        """Of TLS with the server, whose certificate must be of its host's name and from the authorities."""
        return self._with_files(ssl.PROTOCOL_TLS_CLIENT)

    def server_context(self, option: str) -> ssl.SSLContext:
        """Of TLS in which another calls us, and has to show a certificate from the authorities.

        Args:
            option: of the command, by which the port is opened.

        Raises:
            ValueError: where we have no certificate to show.
        """
        if not self.certificate:
            raise ValueError(
                f"{option}: by TLS one sends only to who has a certificate; OSTEOXR_{self.kind}_CERTIFICATE and _KEY name its "
                "files. Nothing was asked."
            )
        context = self._with_files(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def session(self, url: str) -> requests.Session:
        """A session of HTTP that shows them; it follows no redirection, which could lead anywhere.

        Raises:
            ValueError: where the token would go in the clear.
        """
        parts = urlsplit(url)
        if self.token and parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
            raise ValueError(f"{url}: a token goes by https alone; expected such an address. Nothing was asked.")
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # it names what is asked for
        session = requests.Session()
        session.max_redirects = 0
        if self.authority:
            session.mount("https://", _OfAuthority(self.authority))
        if self.certificate:
            session.cert = (self.certificate, self.key) if self.key else self.certificate
        if self.token:
            session.auth = self._show_token  # a header of the session would give way to ~/.netrc
        return session

    def _show_token(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    def _with_files(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        name = "CA"
        try:
            if self.authority:
                context.load_verify_locations(self.authority)
            else:
                context.load_default_certs()
            name = "CERTIFICATE"
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key or None, password=self._refuse_password)
        except (ssl.SSLError, OSError) as error:
            raise ValueError(
                f"OSTEOXR_{self.kind}_{name}: cannot be used ({error.strerror or error}); expected PEM"
                f"{' and a key that fits' if name == 'CERTIFICATE' else ''}. Nothing was asked."
            ) from error
        return context

    def _refuse_password(self) -> str:
        raise ValueError(f"OSTEOXR_{self.kind}_KEY: is locked by a password; expected a key without one. Nothing was asked.")


class _OfAuthority(HTTPAdapter):
    """Takes certificates from an authority alone; a session's own would give way to REQUESTS_CA_BUNDLE."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file

    def send(self, request: requests.PreparedRequest, *given: Any, **settings: Any) -> requests.Response:
        """Send a request."""
        return super().send(request, *given, **settings | {"verify": self.file})


def is_url(address: str) -> bool:
    """Whether an address is one of HTTP, in which no password, token or query stands."""
    return _URL.fullmatch(address) is not None
