"""lakeFS: which commit a branch or tag stands for. Asked only where that is allowed, since it is a question over the network.

The address and keys are those that lakeFS's own clients take from the environment (LAKECTL_SERVER_ENDPOINT_URL,
LAKECTL_CREDENTIALS_ACCESS_KEY_ID, LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY). The branch may have moved between the read and the
question, so the commit is `native` only when its object has the checksum that the read was answered with.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from typing import Any, Dict, Mapping, Tuple
from urllib.parse import quote, urlsplit

from .addresses import LAKEFS_ENDPOINT, first_of
from .found import DECLARED, NATIVE, Found, Name

ALLOWED = "LINEAL_LAKEFS"
_KEY = ("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "LAKEFS_ACCESS_KEY_ID")
_SECRET = ("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", "LAKEFS_SECRET_ACCESS_KEY")
_TIMEOUT_S = 3.0
_LARGEST = 1 << 20


class Failed(Exception):
    """The server did not say; the text says why."""


class Server:
    """A lakeFS server as the program's environment names it; each branch is asked for once."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._endpoint = first_of(variables, LAKEFS_ENDPOINT)
        self._allowed = variables.get(ALLOWED, "") not in ("", "0") and bool(self._endpoint)
        keys = f"{first_of(variables, _KEY)}:{first_of(variables, _SECRET)}"
        self._authorization = "Basic " + base64.b64encode(keys.encode()).decode()
        self._commits: Dict[Tuple[str, str], str] = {}
        self._failed = ""

    def forget(self) -> None:
        """Ask again: branches move."""
        self._commits.clear()

    def pinned(self, found: Found, etag: str = "") -> Found:
        """What an address said of a branch, with the commit behind it if the server tells; else as it is, with the reason.

        etag: with which the read was answered, "" when that is not known.
        """
        if not self._allowed or "commit" in found.facts or found.kind != "lakefs":
            return found
        repository, ref, path = (str(found.facts[name]) for name in ("repository", "ref", "path"))
        try:
            commit = self._commit(repository, ref)
            same = bool(etag and path) and self._checksum(repository, commit, path) == etag
        except Failed as error:
            return found._replace(gap=f"{found.gap}; {error}")
        level = NATIVE if same else DECLARED
        names = (Name("lakefs", f"{repository}/{path}@{commit}", level), *found.names)
        gap = "" if same else f"{ref!r} stood for this commit when it was asked, which was after the read"
        return Found("lakefs", names, {**found.facts, "commit": commit}, gap)

    def _commit(self, repository: str, ref: str) -> str:
        known = self._commits.get((repository, ref))
        if known is None:
            said = self._ask(f"/repositories/{quote(repository, '')}/refs/{quote(ref, '')}/commits?amount=1")
            results = said.get("results") or [{}]
            known = str(results[0].get("id") or "") if isinstance(results[0], dict) else ""
            if not known:
                raise Failed("lakeFS knows no commit behind it")
            self._commits[repository, ref] = known
        return known

    def _checksum(self, repository: str, commit: str, path: str) -> str:
        place = f"/repositories/{quote(repository, '')}/refs/{commit}/objects/stat?path={quote(path, '')}"
        return str(self._ask(place).get("checksum") or "")

    def _ask(self, place: str) -> Dict[str, Any]:
        if self._failed:
            raise Failed(self._failed)  # a server that is away is not waited for again and again
        connection, prefix = self._connection()
        try:
            connection.request("GET", prefix + place, headers={"Authorization": self._authorization})
            answer = connection.getresponse()
            body = answer.read(_LARGEST)
            if answer.length and len(body) < _LARGEST:
                raise Failed("lakeFS dropped the connection in the middle of its answer")
            if answer.status != 200:
                raise Failed(f"lakeFS answered {answer.status} when it was asked for the commit")
            said = json.loads(body)
        except (OSError, http.client.HTTPException) as error:
            self._failed = f"lakeFS could not be asked for the commit: {type(error).__name__}"
            raise Failed(self._failed) from None
        except (ValueError, RecursionError):
            raise Failed("lakeFS answered with what is no JSON") from None
        finally:
            connection.close()
        return said if isinstance(said, dict) else {}

    def _connection(self) -> Tuple[http.client.HTTPConnection, str]:
        """A connection to the server, and what its paths begin with. Raises Failed: the address is none."""
        try:
            parts = urlsplit(self._endpoint)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise Failed("the address of lakeFS in the environment is none") from None
        prefix = parts.path.rstrip("/")
        prefix = prefix if prefix.endswith("/api/v1") else prefix + "/api/v1"
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context), prefix
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S), prefix
