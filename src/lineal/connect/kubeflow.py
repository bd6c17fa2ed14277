"""Asks a Kubeflow Pipelines server (API v2beta1) for its runs, their tasks and artifacts."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from lineal.core.errors import Denied, Invalid, NotFound, Unavailable

Said = dict[str, Any]
_API = "/apis/v2beta1"
_PAGE = 100
_AGAIN = (429, 500, 502, 503, 504)
_PATIENCE_S = 30.0


class Server:
    """A Kubeflow Pipelines server. KFP_TOKEN is sent as bearer token. Raises Invalid: it is no address.

    artifacts: whether it has artifacts of its own; servers up to 2.17 keep them in ML Metadata.
    """

    def __init__(self, url: str, *, namespace: str = "") -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Invalid(f"{url!r} is no address of a server", hint="write http://HOST:PORT")
        self.name = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
        self.artifacts = True
        self._namespace = namespace
        self._base = parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=60)
        token = os.environ.get("KFP_TOKEN", "")
        self._headers = {"User-Agent": "lineal", **({"Authorization": f"Bearer {token}"} if token else {})}
        self._known: dict[str, Said] = {}

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def runs(self) -> Iterator[Said]:
        """Every run, those that were begun first first, each with its tasks."""
        for found in self._pages("/runs", "runs", sort_by="created_at asc", namespace=self._namespace):
            tasks = found.get("tasks") or (found.get("run_details") or {}).get("task_details")
            yield found if tasks else self._ask(f"/runs/{quote(found['run_id'], safe='')}")

    def links(self, run: str) -> list[tuple[Said, Said]]:
        """What the tasks of a run used and made: each link with its artifact. Empty from a server that has none of its own."""
        if not self.artifacts:
            return []
        try:
            found = list(self._pages("/artifact_tasks", "artifact_tasks", run_ids=run))
        except NotFound:
            self.artifacts = False
            return []
        return [(link, self.artifact(str(link["artifact_id"]))) for link in found]

    def artifact(self, id: str) -> Said:
        """An artifact by its id. Raises NotFound."""
        if id not in self._known:
            self._known[id] = self._ask(f"/artifacts/{quote(id, safe='')}")
        return self._known[id]

    def _pages(self, path: str, field: str, **asked: str) -> Iterator[Said]:
        token = ""
        while True:
            words = {"page_size": _PAGE, "page_token": token, **asked}
            said = self._ask(f"{path}?{urlencode({key: value for key, value in words.items() if value})}")
            yield from said.get(field) or ()
            token = said.get("next_page_token") or ""
            if not token:
                return

    def _ask(self, path: str) -> Said:
        """The answer to one question, asked again for a while when the server cannot answer or hangs up."""
        ends, pause = time.monotonic() + _PATIENCE_S, 0.2
        while True:
            try:
                self._connection.request("GET", f"{self._base}{_API}{path}", headers=self._headers)
                answer = self._connection.getresponse()
                status, body = answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                status, body = 0, str(error).encode()
            if status == 200:
                return self._document(path, body)
            if status in {401, 403}:
                raise Denied(f"{self.name} lets nobody in without a token", hint="name one in KFP_TOKEN")
            if status == 404:
                raise NotFound(f"{self.name} has nothing at {path.partition('?')[0]}")
            if (status and status not in _AGAIN) or time.monotonic() + pause > ends:
                said = body[:300].decode("utf-8", "replace")
                raise Unavailable(
                    f"{self.name} does not answer {path.partition('?')[0]}: {status or 'no connection'} {said}",
                    hint="run the import again: what is here already is known again",
                )
            time.sleep(pause)
            pause = min(2 * pause, 5.0)

    def _document(self, path: str, body: bytes) -> Said:
        try:
            found = json.loads(body)
        except ValueError as error:
            raise Unavailable(f"{self.name} answered {path} with no JSON: {body[:100]!r}") from error
        if not isinstance(found, dict):
            raise Unavailable(f"{self.name} answered {path} with a JSON document of another kind")
        return found
