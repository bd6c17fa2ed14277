"""What one run did to remote objects: as its libraries named them, identified by their store's own version where one was told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lineal.core import events as ev
from lineal.core.ids import sha256
from lineal.deliver.access import Access
from lineal.resolve.content import Stat
from lineal.resolve.location import url_name

_Key = tuple[str, str, str, str]  # address, operation, the store's own version, etag


class Remotes:
    """The remote objects of a run."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._accesses: dict[_Key, Access] = {}
        self._told: set[_Key] = set()

    def add(self, uri: str, op: str, access: Access, *, version: str = "", etag: str = "") -> None:
        """An object was read or written (`op` read or write).

        version: its store's own name of the state that was read (an S3 version id, a commit); etag: as the store sent it.
        """
        if known := self._accesses.get((uri, op, version, etag)):
            known.join(access)
        else:
            self._accesses[uri, op, version, etag] = access

    def events(self, op: str, *, before: int | None = None) -> Iterable[ev.Event]:
        """What was not told before.

        An object is named first by the library that is asked for it and then, with its version, by the one that fetches it:
        what names no version waits until `before` (UTC microseconds) is past it, and is one with what does.
        """
        self._join(op)
        for key, access in self._accesses.items():
            uri, kind, version, etag = key
            if kind != op or key in self._told:
                continue
            if not (version or etag) and before is not None and access.last >= before:
                continue
            self._told.add(key)
            event: Any = ev.VersionUsed if op == "read" else ev.VersionGenerated
            yield event(
                run=self._run,
                version=self._state(uri, version, etag),
                at=access.at,
                role=access.role or ("input" if op == "read" else "output"),
                evidence=access.evidence,
                via=access.via,
            )

    def _join(self, op: str) -> None:
        """Let what named no version be one with what did, of the same object."""
        versions: dict[str, list[_Key]] = {}
        for key in self._accesses:
            if key[1] == op and (key[2] or key[3]):
                versions.setdefault(key[0], []).append(key)
        for uri, several in versions.items():
            plain = (uri, op, "", "")
            if plain in self._accesses and plain not in self._told:
                access = self._accesses.pop(plain)
                for key in several:
                    if key not in self._told:
                        self._accesses[key].join(access)

    def _state(self, uri: str, version: str, etag: str) -> ev.VersionState:
        namespace, name = url_name(uri)
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
