"""A FHIR server for transactions, as the standard wants it, and as servers sometimes are."""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.operationoutcome import OperationOutcome
from pydantic import ValidationError


@dataclass
class FhirService:
    """url: its base. resources: by identifier. troubles: what the next requests meet, "" for none. tokens: those it was shown."""

    url: str = ""
    resources: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def transact(self, content: bytes) -> dict[str, Any]:
        """Make what is not there yet.

        Raises:
            ValidationError: where it is no Bundle of R4B.
        """
        bundle = Bundle.model_validate_json(content)
        assert bundle.type == "transaction"
        entries = []
        for entry in bundle.entry:
            name, _, value = entry.request.ifNoneExist.partition("=")
            system, _, identifier = value.partition("|")
            given = entry.resource.identifier[0]
            assert (name, given.system, given.value) == ("identifier", system, identifier) and entry.request.method == "POST"
            there = identifier in self.resources
            if not there:
                self.resources[identifier] = [json.loads(entry.resource.model_dump_json())]
            kind = entry.resource.get_resource_type()
            entries.append({"response": {"status": "200 OK" if there else "201 Created", "location": f"{kind}/{uuid.uuid4()}"}})
        answer = {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
        Bundle.model_validate(answer)
        return answer


@contextmanager
def serving() -> Iterator[FhirService]:
    """Run one while the context lasts."""
    service = FhirService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            service.tokens.append(self.headers.get("Authorization", ""))
            trouble = service.troubles.pop(0) if service.troubles else ""
            if self.path != "/r4" or self.headers["Content-Type"] != "application/fhir+json":
                return self.say(404, outcome("not-found", ""))
            if trouble == "busy":
                return self.say(503, outcome("transient", ""))
            if trouble == "refused":
                return self.say(422, outcome("business-rule", content.decode(), "Bundle.entry[0].resource.subject"))
            if trouble == "log in":
                return self.say(200, "<html>log in</html>")
            try:
                answer = service.transact(content)
            except ValidationError as error:
                return self.say(400, outcome("invalid", str(error)))
            if trouble == "dropped":  # after all was done
                return self.connection.close()
            return self.say(200, answer)

        def say(self, status: int, content: Any) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/fhir+json")
            self.end_headers()
            self.wfile.write((content if isinstance(content, str) else json.dumps(content)).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}/r4"
    yield service
    server.shutdown()


def outcome(code: str, diagnostics: str, expression: str = "") -> dict[str, Any]:
    """An OperationOutcome of one issue."""
    issue = {"severity": "error", "code": code, "diagnostics": diagnostics or "none"}
    content = {"resourceType": "OperationOutcome", "issue": [issue | ({"expression": [expression]} if expression else {})]}
    OperationOutcome.model_validate(content)
    return content
