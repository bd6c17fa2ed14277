"""What one run did to files: from the accesses its processes recorded to the versions it used and generated.

Accesses are told in order of time. A read of what the run itself wrote before is internal and not an input; a file
that was renamed takes its story along; what was removed again is no output.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import msgspec

from lineal.core import events as ev
from lineal.core.ids import sha256
from lineal.deliver import kinds
from lineal.deliver.fingerprint import Fingerprint, Fingerprints
from lineal.deliver.schemas import Schemas
from lineal.journal import frames
from lineal.resolve.content import Stat, stat_of
from lineal.resolve.location import file_uri, url_name
from lineal.resolve.project import Project, artifact_name

_LAYERS = {frames.AUDIT: "audit", frames.FUNCTION: "hook", frames.SDK: "sdk", frames.ARGV: "argv"}
_AFTERWARDS_US = 50_000  # a file changed later than this after its run ended was changed by somebody else


class _Access:
    """How something was touched: first and last time, by which layers and library calls."""

    __slots__ = ("at", "labels", "last", "layers", "libs", "role")

    def __init__(self, at: int, layer: int, lib: str, role: str = "") -> None:
        self.at = self.last = at
        self.layers = {layer}
        self.libs = {lib: None} if lib else {}
        self.role = role
        self.labels: dict[tuple[str, str], None] = {}  # (scheme, value): what others call it, by a sample

    def join(self, other: _Access) -> None:
        self.at, self.last = min(self.at, other.at), max(self.last, other.last)
        self.layers |= other.layers
        self.libs.update(other.libs)
        self.role = self.role or other.role
        self.labels.update(other.labels)

    @property
    def via(self) -> list[str]:
        return [_LAYERS.get(layer, str(layer)) for layer in sorted(self.layers)] + list(self.libs)

    @property
    def evidence(self) -> ev.Evidence:
        if self.layers & {frames.AUDIT, frames.FUNCTION}:
            return ev.Evidence.OBSERVED
        return ev.Evidence.DECLARED if frames.SDK in self.layers else ev.Evidence.INFERRED


class _Place:
    """One path in the run's story."""

    __slots__ = ("before", "directory", "hashes", "model", "name", "reads", "written")

    def __init__(self) -> None:
        self.reads: dict[Stat | None, _Access] = {}
        self.written: _Access | None = None
        self.before: Stat | None = None  # the state in which the run first met it
        self.hashes: dict[Stat, tuple[str | None, str]] = {}
        self.directory = False
        self.model: dict[str, str] | None = None
        self.name = ""


class Tracker:
    """The file story of one run.

    Args:
        project: whose root names files; fingerprints: where digests come from; schemas: where columns come from.
    """

    def __init__(self, run: str, project: Project, fingerprints: Fingerprints, schemas: Schemas) -> None:
        self._run = run
        self._project = project
        self._fingerprints = fingerprints
        self._schemas = schemas
        self._places: dict[bytes, _Place] = {}
        self._told: set[tuple[bytes, Stat | None]] = set()
        self._remote: dict[tuple[str, str], _Access] = {}
        self._told_remote: set[tuple[str, str]] = set()
        self._versions: dict[str, tuple[str, str]] = {}  # of remote objects: native version, etag
        self._went: dict[bytes, bytes] = {}  # renamed from -> to
        self.missing: list[bytes] = []  # outputs that were only declared, and were not there at the end
        self.configs: dict[bytes, str] = {}  # config files read -> digest
        self.last_at = 0

    def file(self, op: int, layer: int, at: int, stat: Stat | None, lib: str, path: bytes) -> None:
        """One file access as the journal recorded it; see journal.frames for `op` and `layer`."""
        self.last_at = max(self.last_at, at)
        place = self._place(path)
        access = _Access(at, layer, lib)
        if stat is not None and place.before is None and place.written is None:
            place.before = stat
        if op in (frames.READ, frames.DIRECTORY_READ):
            place.directory = place.directory or op == frames.DIRECTORY_READ
            self._read(place, stat, access)
        elif op == frames.REMOVED:
            place.written = None
        else:
            if op in (frames.READ_WRITE, frames.MODIFY) and stat is not None and stat.size > 0:
                self._read(place, stat, access)
            place.directory = place.directory or op == frames.DIRECTORY_WRITE
            self._write(place, access)

    def moved(
        self,
        src: bytes,
        dst: bytes,
        at: int,
        *,
        stat: Stat | None = None,
        stays: bool = False,
        folder: bool = False,
        made: bool = False,
    ) -> None:
        """`src` was renamed as `dst`, replacing what was there; `stays`: linked, so that both are there now.

        stat: of `src` before it happened. folder: it is one; what lies in it goes with it. made: the run made it itself.
        """
        self.last_at = max(self.last_at, at)
        inside = [path for path in self._places if path.startswith(src + b"/")]
        if folder and not (stays or made or any(self._places[path].written for path in inside)):
            self._place(src).directory = True
        self._move(src, dst, at, None if made else stat, stays=stays)
        for path in inside:
            self._move(path, dst + path[len(src) :], at, None, stays=stays)

    def _move(self, src: bytes, dst: bytes, at: int, stat: Stat | None, *, stays: bool) -> None:
        old, new = self._place(src), self._place(dst)
        access = _Access(at, frames.AUDIT, "os.link" if stays else "os.rename")
        if old.written is not None:
            access.join(old.written)
            access.at = access.last = at
        elif known := old.before or stat:
            old.before = known
            before = _Access(
                at - 1, frames.AUDIT, "os.rename" if not stays else "os.link"
            )  # it was there first
            self._read(old, known, before)
        if old.written is not None or (old.directory and not stays) or not os.path.isdir(dst):
            self._write(new, access)
        new.model = old.model or new.model
        new.directory = old.directory
        for known_stat, found in old.hashes.items():
            new.hashes.setdefault(known_stat, found)
        if not stays:
            old.written = None
            self._went[src] = dst

    def hashed(self, path: bytes, stat: Stat, digest: str | None, reason: str) -> None:
        """The program hashed the path itself, at this stat, before it overwrote or removed it."""
        self._place(path).hashes[stat] = (digest, reason)
        if digest:
            self._fingerprints.learn(path, stat, digest)

    def model(self, path: bytes, description: dict[str, str]) -> None:
        """The path holds a model; description: framework, class."""
        self._place(path).model = description

    def declared(
        self,
        path: bytes,
        at: int,
        *,
        op: int,
        role: str,
        name: str = "",
        stat: Stat | None = None,
        labels: dict[str, str] | None = None,
    ) -> None:
        """Somebody said that the run uses (op READ) or writes (op WRITE) the path, then in the state `stat`.

        name: what a written version is to be called. labels: what others call the content, by scheme.
        """
        place = self._place(path)
        if op == frames.WRITE:
            place.name = registrable(name) or place.name
        access = _Access(at, frames.SDK, "", role)
        access.labels.update(dict.fromkeys((labels or {}).items()))
        place.directory = place.directory or os.path.isdir(path)
        if op == frames.READ:
            stat = stat or stat_of(path)
            self._read(place, stat, access)
            if labels:
                self._told.discard((path, stat))
        else:
            self._write(place, access)

    def remote(
        self,
        uri: str,
        at: int,
        *,
        op: str,
        layer: int,
        lib: str,
        role: str = "",
        version: str = "",
        etag: str = "",
    ) -> None:
        """A remote object was read or written (`op` read or write).

        version: its store's own name of the state that was read (an S3 version id, a commit); etag: as the store sent it.
        """
        self.last_at = max(self.last_at, at)
        access = _Access(at, layer, lib, role)
        if version or etag:
            self._versions[uri] = (version, etag)
        if known := self._remote.get((uri, op)):
            known.join(access)
        else:
            self._remote[uri, op] = access

    def _place(self, path: bytes) -> _Place:
        place = self._places.get(path)
        if place is None:
            place = self._places[path] = _Place()
        return place

    @staticmethod
    def _read(place: _Place, stat: Stat | None, access: _Access) -> None:
        if place.written is not None and stat != place.before:
            return  # the run reads what it wrote itself
        if place.written is not None and access.at >= place.written.at and access.layers != {frames.SDK}:
            return
        if known := place.reads.get(stat):
            known.join(access)
        else:
            place.reads[stat] = access

    @staticmethod
    def _write(place: _Place, access: _Access) -> None:
        if place.written is None:
            place.written = access
        else:
            place.written.join(access)

    def inputs(self) -> list[ev.Event]:
        """What was read since the last call, fingerprinted now if it was not before."""
        found: list[ev.Event] = []
        for path, place in self._places.items():
            for stat, access in place.reads.items():
                if (path, stat) in self._told:
                    continue
                self._told.add((path, stat))
                content = self._content(path, place, stat)
                if stat is None and content.sha256 is None and not os.path.lexists(path):
                    content = msgspec.structs.replace(content, reason="it was not there")
                state = _labelled(self._state(path, place, content, stat), access.labels)
                role = access.role or kinds.role_of(path, list(access.libs))
                if role == "config" and state.digest:
                    self.configs.setdefault(path, state.digest)
                found.append(
                    ev.VersionUsed(
                        run=self._run,
                        version=state,
                        at=access.at,
                        role=role,
                        evidence=access.evidence,
                        via=access.via,
                    )
                )
        found.extend(self._remotes("read"))
        return found

    def outputs(self, ended_at: int | None, began_at: int | None = None) -> list[ev.Event]:
        """What the run left behind when it ended, and of folders it added to, what they held before.

        ended_at, began_at: of the run; None when not known.
        """
        found: list[ev.Event] = []
        for path, place in self._places.items():
            written = place.written
            if written is None:
                continue
            content = self._written_content(path, place, ended_at)
            if content is None:
                if written.layers == {frames.SDK}:
                    self.missing.append(path)
                continue
            fingerprint, stat = content
            if stat is not None and stat == place.before and place.reads:
                continue  # opened for writing, and left as it was
            if fingerprint.members and began_at is not None:
                found.extend(self._added_to(path, place, fingerprint, began_at))
            at = written.last
            if stat is not None and stat.mtime_ns // 1000 > at:
                at = stat.mtime_ns // 1000
            found.append(
                ev.VersionGenerated(
                    run=self._run,
                    version=self._state(path, place, fingerprint, stat),
                    at=min(at, ended_at) if ended_at else at,
                    role=written.role or ("model" if place.model else "output"),
                    evidence=written.evidence,
                    via=written.via,
                    name=place.name,
                )
            )
        found.extend(self._remotes("write"))
        return found

    def _added_to(
        self, path: bytes, place: _Place, now: Fingerprint, began_at: int
    ) -> Iterable[ev.VersionUsed]:
        """The files of a folder that were there before the run and still are, as the version that it added to."""
        before = self._fingerprints.take_directory(path, before_us=began_at)
        if before.sha256 is not None and before.sha256 != now.sha256 and None not in place.reads:
            yield ev.VersionUsed(
                run=self._run,
                version=self._state(path, place, before, None),
                at=began_at,
                role="input",
                evidence=ev.Evidence.OBSERVED,
                via=["stat", "kept"],
            )

    def _written_content(
        self, path: bytes, place: _Place, ended_at: int | None
    ) -> tuple[Fingerprint, Stat | None] | None:
        """The content the run left at the path, and its stat; None when nothing is there any more."""
        if place.directory and os.path.isdir(path):
            return self._fingerprints.take_directory(path), None
        stat = stat_of(path)
        if stat is None:
            return None
        if (
            ended_at
            and stat.mtime_ns // 1000 > ended_at + _AFTERWARDS_US
            and stat.ctime_ns // 1000 > ended_at
        ):
            reason = "changed after the run ended, before it was hashed"
            return Fingerprint(sha256=None, size=None, level=ev.Level.NONE, reason=reason, changed=True), None
        return self._fingerprints.take(path, stat), stat

    def _content(self, path: bytes, place: _Place, stat: Stat | None) -> Fingerprint:
        if place.directory and os.path.isdir(path):
            return self._fingerprints.take_directory(path)
        if place.directory and os.path.isdir(there := self._went.get(path, b"")):
            return self._fingerprints.take_directory(there)
        if stat is not None and stat in place.hashes:
            digest, reason = place.hashes[stat]
            level = ev.Level.CONTENT if digest else ev.Level.NONE
            return Fingerprint(
                sha256=digest, size=stat.size, level=level, reason=reason, changed=digest is None
            )
        found = self._fingerprints.take(path, stat)
        if found.sha256 is None and stat is not None and (now := self._renamed(path, stat)):
            return self._fingerprints.take(now, None)
        return found

    def _renamed(self, path: bytes, stat: Stat) -> bytes | None:
        """Where the very file that was at the path is now, unchanged (a rename changes only its ctime)."""
        now = self._went.get(path)
        there = stat_of(now) if now is not None else None
        same = there is not None and there._replace(ctime_ns=stat.ctime_ns) == stat
        return now if same else None

    def _state(self, path: bytes, place: _Place, content: Fingerprint, stat: Stat | None) -> ev.VersionState:
        namespace, name = artifact_name(self._project, path)
        facets: dict[str, msgspec.Raw] = {}
        if place.model:
            facets["lineal.model/1"] = msgspec.Raw(msgspec.json.encode(place.model))
        if (
            content.sha256
            and self._still_there(path, content)
            and (schema := self._schemas.of(path, content))
        ):
            facets["lineal.schema/1"] = schema
        if content.changed:
            facets["lineal.file/1"] = msgspec.Raw(b'{"changed":true}')
        if content.sha256:
            digest = f"sha256:{content.sha256}"
            references = [ev.Reference(scheme="sha256", value=content.sha256)]
        else:
            digest = _stand_in(path, stat, self._run)
            references = []
        return ev.VersionState(
            namespace=namespace,
            name=name,
            kind="model" if place.model else kinds.kind_of(path, written=place.written is not None),
            digest=digest,
            level=content.level,
            reason=content.reason,
            size=content.size,
            location=file_uri(path),
            references=references,
            members=content.members,
            facets=facets,
        )

    def _still_there(self, path: bytes, content: Fingerprint) -> bool:
        """Whether the path holds that very content now, so that it can be looked into."""
        stat = stat_of(path)
        return stat is not None and self._fingerprints.known(path, stat) == content.sha256

    def _remotes(self, op: str) -> Iterable[ev.Event]:
        for (uri, kind), access in self._remote.items():
            if kind != op or (uri, kind) in self._told_remote:
                continue
            self._told_remote.add((uri, kind))
            state = self._remote_state(uri)
            event: Any = ev.VersionUsed if op == "read" else ev.VersionGenerated
            yield event(
                run=self._run,
                version=state,
                at=access.at,
                role=access.role or ("input" if op == "read" else "output"),
                evidence=access.evidence,
                via=access.via,
            )

    def _remote_state(self, uri: str) -> ev.VersionState:
        """A remote object: identified by its store's own version where the read told one, else by nothing."""
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
            else _stand_in(named, None, self._run),
            level=ev.Level.NATIVE if version else ev.Level.NONE,
            reason="" if version else "remote: its version is not known",
            location=uri,
            references=references,
        )


def _labelled(state: ev.VersionState, labels: Iterable[tuple[str, str]]) -> ev.VersionState:
    more = [ev.Reference(scheme=scheme, value=value, level=ev.Level.SAMPLED) for scheme, value in labels]
    return msgspec.structs.replace(state, references=[*state.references, *more]) if more else state


def _stand_in(path: bytes, stat: Stat | None, run: str) -> str:
    """What names a state whose content is not known: equal only for the same place in the same state."""
    seen = repr(tuple(stat)) if stat is not None else run
    return "unknown:" + sha256(path + b"\0" + seen.encode())[7:]


def registrable(name: str) -> str:
    """The name as the registry takes it: without the signs that mean something in references; empty stays empty."""
    return "".join("-" if sign in "@:" or not sign.isprintable() else sign for sign in name).strip()
