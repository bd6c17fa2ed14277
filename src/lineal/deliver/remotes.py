"""What one run did to remote objects: as its libraries named them, identified by their store's own version where one was told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lineal.core import events as ev
from lineal.core.ids import sha256
from lineal.deliver.access import Access
from lineal.resolve.content import Stat
from lineal.resolve.location import url_name


class Remotes:
    """The remote objects of a run."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._accesses: dict[tuple[str, str], Access] = {}
        self._told: set[tuple[str, str]] = set()
        self._versions: dict[str, tuple[str, str]] = {}  # native version, etag

    def add(self, uri: str, op: str, access: Access, *, version: str = "", etag: str = "") -> None:
        """An object was read or written (`op` read or write).

        version: its store's own name of the state that was read (an S3 version id, a commit); etag: as the store sent it.
        """
        if version or etag:
            self._versions[uri] = (version, etag)
        if known := self._accesses.get((uri, op)):
            known.join(access)
        else:
            self._accesses[uri, op] = access

    def events(self, op: str) -> Iterable[ev.Event]:
        """What was not told before."""
        for (uri, kind), access in self._accesses.items():
            if kind != op or (uri, kind) in self._told:
                continue
            self._told.add((uri, kind))
            event: Any = ev.VersionUsed if op == "read" else ev.VersionGenerated
            yield event(
                run=self._run,
                version=self._state(uri),
                at=access.at,
                role=access.role or ("input" if op == "read" else "output"),
                evidence=access.evidence,
                via=access.via,
            )

    def _state(self, uri: str) -> ev.VersionState:
        namespace, name = url_name(uri)
        version, etag = self._versions.get(uri, ("", ""))
        scheme, _, rest = uri.partition("://")
        references = []
        if version:
            references.append(ev.Reference(scheme=scheme, value=f"{rest}@{version}", level=ev.Level.NATIVE))
        if etag:
            references.append(ev.Reference(scheme="etag", value=etag, level=ev.Level.DECLARED))
        named = uri.encode("utf-8", "surrogateescape")
        return ev.VersionState(
            namespace=namespace,
            name=name,
            digest="native:" + sha256(named + b"@" + version.encode())[7:]
            if version
            else stand_in(named, None, self._run),
            level=ev.Level.NATIVE if version else ev.Level.NONE,
            reason="" if version else "remote: its version is not known",
            location=uri,
            references=references,
        )


def stand_in(path: bytes, stat: Stat | None, run: str) -> str:
    """What names a state whose content is not known: equal only for the same place in the same state."""
    seen = repr(tuple(stat)) if stat is not None else run
    return "unknown:" + sha256(path + b"\0" + seen.encode())[7:]
