"""The client of a server: the same call as in-process, over HTTP."""

from __future__ import annotations

import http.client
import os
import random
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import msgspec

from lineal.core import errors
from lineal.core.errors import Denied, Invalid, LinealError, NotFound, Unavailable
from lineal.resolve.project import Project
from lineal.service import operations
from lineal.service.client import local_actor, module_of

PREFIX = "/api/lineal/v1"
PATIENCE_S = 5.0  # how long a call is repeated while the server does not answer
_KINDS: Mapping[str, type[LinealError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, LinealError)
}
_LOST = (http.client.HTTPException, OSError)


class _Problem(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""
    hint: str = ""
    subject: dict[str, str] = {}


class _Refusal(msgspec.Struct, frozen=True):
    error: _Problem = _Problem()


class RemoteClient:
    """Calls operations on a server. Use as a context manager; not to be shared between threads or over a fork."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        project: Project,
        actor: str = "",
        patience_s: float = PATIENCE_S,
        timeout_s: float = 60.0,
    ) -> None:
        """Raises Invalid: that is no address of a server."""
        self.project = project
        self.url, self.actor = url.rstrip("/"), actor or local_actor()
        self._patience_s, self._timeout_s = patience_s, timeout_s
        parts = _split(url)
        self._tls, self._host, self._port = parts.scheme == "https", parts.hostname or "", parts.port
        self._base = parts.path.rstrip("/")
        self._headers = {
            "Lineal-Project": quote(project.name, safe="/"),
            "Lineal-Actor": quote(self.actor, safe="@"),
            "User-Agent": "lineal",
        }
        if token or parts.password:
            self._headers["Authorization"] = f"Bearer {token or parts.password}"
        self._connection: http.client.HTTPConnection | None = None

    def call(self, name: str, request: Any) -> Any:
        """Run one operation; the reply's type is the one the operation table declares.

        Raises what the operation raises; Unavailable: the server did not answer within the patience of this client.
        """
        found = operations.find(name, module_of(name))
        headers = {"Content-Type": "application/json"}
        if found.write:
            headers["Idempotency-Key"] = os.urandom(16).hex()
        body = self._ask("POST", PREFIX + found.path, msgspec.json.encode(request), headers)
        try:
            return msgspec.json.decode(body, type=found.reply)
        except msgspec.DecodeError as error:
            raise Unavailable(
                f"the server at {self.url} answered something else than {name}: {error}",
                hint="its version may be another: compare `lineal version` on both sides",
            ) from error

    @property
    def blobs(self) -> RemoteBlobs:
        """The bytes that the server keeps."""
        return RemoteBlobs(self)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        """The body of a successful answer; asks again while the server is away or busy."""
        deadline = time.monotonic() + self._patience_s
        pause = 0.05
        while True:
            try:
                status, answer = self._once(method, path, body, headers)
            except _LOST as error:
                self.close()
                failure: LinealError = Unavailable(
                    f"the server at {self.url} does not answer: {str(error) or type(error).__name__}",
                    hint="is it running, and is this its address? See --server and LINEAL_URL",
                )
            else:
                if status < 300:
                    return answer
                failure = _failure(status, answer, self.url)
                if status not in (429, 502, 503, 504):
                    raise failure
            if time.monotonic() + pause > deadline:
                raise failure
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that clients do not come in step
            pause = min(pause * 2, 2.0)

    def _once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=self._timeout_s)
        self._connection.request(method, self._base + path, body, {**self._headers, **headers})
        answer = self._connection.getresponse()
        return answer.status, answer.read()


class RemoteBlobs:
    """Bytes kept by a server."""

    def __init__(self, client: RemoteClient) -> None:
        self._client = client

    def put(self, content: bytes) -> str:
        """Keep bytes; their digest, `sha256:` and 64 hex digits."""
        import hashlib

        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self._client._ask(
            "PUT", f"{PREFIX}/blobs/{digest}", content, {"Content-Type": "application/octet-stream"}
        )
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes with this digest. Raises NotFound: they are not kept."""
        return self._client._ask("GET", f"{PREFIX}/blobs/{quote(digest)}", None, {})

    def has(self, digest: str) -> bool:
        """Whether these bytes are kept."""
        try:
            self._client._ask("HEAD", f"{PREFIX}/blobs/{quote(digest)}", None, {})
        except NotFound:
            return False
        return True


def _split(url: str) -> Any:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Invalid(f"{url!r} is no address of a server: {error}", hint="write http://HOST:PORT") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"{url!r} is no address of a server", hint="write http://HOST:PORT")
    return parts


def _failure(status: int, answer: bytes, url: str) -> LinealError:
    try:
        problem = msgspec.json.decode(answer, type=_Refusal).error
    except msgspec.DecodeError:
        problem = _Problem()
    kind = _KINDS.get(problem.code)
    if kind is not None:
        return kind(problem.message, hint=problem.hint, **problem.subject)
    said = problem.message or f"{url} answered with status {status}"
    if status in (401, 403):
        return Denied(said, hint=problem.hint or "name a token in LINEAL_TOKEN")
    if status == 404:
        return NotFound(said, hint=problem.hint)
    if status < 500:
        return Invalid(said, hint=problem.hint)
    return Unavailable(said, hint=problem.hint)
