"""Short ways to ask the OpenLineage door of a real server."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from tests.server.serving import Answer, Serving

API = "/api/v1"


class Door:
    """Asks one server. What is answered with an error fails the test, unless `refused` was used."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    def send(self, *events: Any) -> None:
        """Single events, each in a request of its own."""
        for event in events:
            body = event if isinstance(event, bytes) else json.dumps(event).encode()
            found = self.serving.ask("POST", f"{API}/lineage", body, Content_Type="application/json")
            assert found.status == 201, (found.status, found.body[:500])

    def batch(self, events: list[Any] | bytes) -> Answer:
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        return self.serving.ask("POST", f"{API}/lineage/batch", body, Content_Type="application/json")

    def get(self, *parts: str, **query: Any) -> Any:
        path = API + "".join("/" + quote(part, safe="") for part in parts)
        found = self.serving.get(f"{path}?{urlencode(query)}" if query else path)
        assert found.status == 200, (path, found.status, found.body[:500])
        return found.json

    def write(self, method: str, path: str, document: Any, *, status: int = 200) -> Any:
        """What is answered to a document, with the status that is expected."""
        body = json.dumps(document).encode()
        found = self.serving.ask(method, API + path, body, Content_Type="application/json")
        assert found.status == status, (method, path, found.status, found.body[:500])
        return found.json

    def put(self, path: str, document: Any) -> Any:
        return self.write("PUT", path, document)

    def refused(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
        """Status and message of an answer that must be a refusal."""
        found = self.serving.ask(method, path, body, Content_Type="application/json")
        assert 400 <= found.status < 500, (method, path, found.status, found.body[:500])
        return found.status, str(found.json["message"])
