"""What one run did to files: from the accesses its processes recorded to the versions it used and generated.

Accesses are told in order of time. A read of what the run itself wrote before is internal and not an input; a file
that was renamed takes its story along; what was removed again is no output.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from lineal.core import events as ev
from lineal.deliver import fold, kinds, parquet_folder, sniff
from lineal.deliver.access import Access
from lineal.deliver.fingerprint import Fingerprint, Fingerprints, manifest_of
from lineal.deliver.origins import Origins
from lineal.deliver.remotes import Remotes, stand_in
from lineal.deliver.schemas import Schemas
from lineal.journal import frames
from lineal.resolve.content import Stat, stat_of
from lineal.resolve.location import file_uri
from lineal.resolve.project import Project, artifact_name

_SNIFFED = 500  # outputs of one run whose bytes are asked whether they are a model
_AFTERWARDS_US = 50_000  # a file changed later than this after its run ended was changed by somebody else


_QUIET_US = 2_000_000  # nothing more read in a folder for so long: what was read of it is told
_PATIENCE_US = 60_000_000  # told at the latest
_STILL_US = 10_000_000  # a file that was left alone for so long seems to be finished
_LOOK_US = 1_000_000
_PASSING = (b"tmp", b"temp", b".part", b".incomplete", b".crdownload")


class _Place:
    """One path in the run's story."""

    __slots__ = (
        "before", "directory", "hashes", "look_at", "model", "name", "reads", "told", "told_at", "written",
    )  # fmt: skip

    def __init__(self) -> None:
        self.reads: dict[Stat | None, Access] = {}
        self.written: Access | None = None
        self.before: Stat | None = None  # the state in which the run first met it
        self.hashes: dict[Stat, tuple[str | None, str]] | None = None
        self.directory = False
        self.model: dict[str, Any] | None = None
        self.name = ""
        self.told: Stat | None = None  # the state in which it was told to be an output, and when
        self.told_at = self.look_at = 0


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
        self._root = os.fsencode(project.root.rstrip("/"))
        self._now = 0
        self._sets_at: dict[bytes, int] = {}  # data sets still being written, and when they were told last
        self._latest: dict[bytes, int] = {}  # folders, and when something in them was last read
        self._remotes = Remotes(run)
        self.origins = Origins(run)
        self.beyond = fold.Beyond()
        self._went: dict[bytes, bytes] = {}  # renamed from -> to
        self._moves: dict[
            tuple[bytes, bytes], tuple[int, ...]
        ] = {}  # the last one said of two names: what was moved
        self.missing: list[bytes] = []  # outputs that were only declared, and were not there at the end
        self.configs: dict[bytes, str] = {}  # config files read -> digest
        self.last_at = 0
        self._sniffed = 0
        self.dumped: dict[
            str, dict[str, Any]
        ] = {}  # sha256 of bytes that the run made of a model -> what is in them

    def file(self, op: int, layer: int, at: int, stat: Stat | None, lib: str, path: bytes) -> None:
        """One file access as the journal recorded it; see journal.frames for `op` and `layer`."""
        self.last_at = max(self.last_at, at)
        if len(self._places) >= fold.MOST_FILES and path not in self._places:
            self.beyond.add(path)
            return
        place = self._place(path)
        access = Access(at, layer, lib)
        if stat is not None and place.before is None and place.written is None:
            place.before = stat
        if op in (frames.READ, frames.DIRECTORY_READ):
            place.directory = place.directory or op == frames.DIRECTORY_READ
            self._read(place, stat, access)
        elif op == frames.REMOVED:
            place.written = None
        elif op == frames.EMPTIED:
            place.reads = {stat: read for stat, read in place.reads.items() if read.told or not read.kept}
        elif op == frames.CLOSED:
            if place.written is not None:
                place.written.last = at
        else:
            if op in (frames.READ_WRITE, frames.MODIFY) and stat is not None and stat.size > 0:
                into = Access(at, layer, lib)
                into.kept = op == frames.MODIFY
                self._read(place, stat, into)
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
        layer: int = frames.AUDIT,
    ) -> None:
        """`src` was renamed as `dst`, replacing what was there; `stays`: linked, so that both are there now.

        stat: of `src` before it happened. folder: it is one; what lies in it goes with it. made: the run made it itself.
        """
        self.last_at = max(self.last_at, at)
        if stat is not None:
            if self._moves.get((src, dst)) == stat[:2] + stat[3:]:
                if (place := self._places.get(dst)) is not None and place.written is not None:
                    place.written.seen_by(layer)
                return  # another layer saw the very same
            self._moves[src, dst] = stat[:2] + stat[3:]
            self._moves.pop((dst, src), None)
        inside = [path for path in self._places if path.startswith(src + b"/")]
        if folder and not (stays or made or any(self._places[path].written for path in inside)):
            self._place(src).directory = True
        self._move(src, dst, at, None if made else stat, stays=stays, layer=layer)
        for path in inside:
            self._move(path, dst + path[len(src) :], at, None, stays=stays, layer=layer)

    def _move(self, src: bytes, dst: bytes, at: int, stat: Stat | None, *, stays: bool, layer: int) -> None:
        old, new = self._place(src), self._place(dst)
        lib = ("os." if layer == frames.AUDIT else "") + ("link" if stays else "rename")
        access = Access(at, layer, lib)
        if old.written is not None:
            access.join(old.written)
            access.at = access.last = at
        elif known := old.before or stat:
            old.before = known
            self._read(old, known, Access(at - 1, layer, lib))  # it was there first
        if old.written is not None or (old.directory and not stays) or not os.path.isdir(dst):
            self._write(new, access)
        new.model = old.model or new.model
        new.directory = old.directory
        if old.hashes:
            new.hashes = {**old.hashes, **(new.hashes or {})}
        if not stays:
            old.written = None
            self._went[src] = dst
            self.origins.moved(src, dst)

    def hashed(self, path: bytes, stat: Stat, digest: str | None, reason: str) -> None:
        """The program hashed the path itself, at this stat, before it overwrote or removed it."""
        place = self._place(path)
        place.hashes = {**(place.hashes or {}), stat: (digest, reason)}
        if digest:
            self._fingerprints.learn(path, stat, digest)

    def model(self, path: bytes, description: dict[str, Any]) -> None:
        """The path, a file or a folder, holds a model; description: framework, class, inputs, checkpoint."""
        self._place(path).model = description

    def chosen(self, path: bytes, about: dict[str, Any]) -> None:
        """Of the checkpoints that the run wrote, the one at this path became the model."""
        place = self._place(path)
        place.model = {**(place.model or {})}
        place.model["checkpoint"] = {**(place.model.get("checkpoint") or {}), **about}

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
        access = Access(at, frames.SDK, "", role)
        access.labels = dict.fromkeys((labels or {}).items())
        place.directory = place.directory or os.path.isdir(path)
        if op == frames.READ:
            stat = stat or stat_of(path)
            self._read(place, stat, access)
            if labels and stat in place.reads:
                place.reads[stat].told = False
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
        self._remotes.add(uri, op, Access(at, layer, lib, role), version=version, etag=etag)

    def _place(self, path: bytes) -> _Place:
        place = self._places.get(path)
        if place is None:
            place = self._places[path] = _Place()
        return place

    @staticmethod
    def _read(place: _Place, stat: Stat | None, access: Access) -> None:
        if known := place.reads.get(stat):
            known.join(access)  # whatever was opened for writing meanwhile: it still is in that state
            return
        if place.written is not None and stat != place.before:
            return  # the run reads what it wrote itself
        if place.written is not None and access.at >= place.written.at and not access.declared:
            return
        place.reads[stat] = access

    @staticmethod
    def _write(place: _Place, access: Access) -> None:
        if place.written is None:
            place.written = access
        else:
            place.written.join(access)

    def inputs(self, *, final: bool = True) -> list[ev.Event]:
        """What was read since the last call, fingerprinted now if it was not before.

        While the program runs (not `final`), what is still being read on in the same folder is held back for a while: it
        may turn out to be one data set.
        """
        found: list[ev.Event] = []
        self._now = (
            time.time_ns() // 1000
        )  # hashing takes its time, and what is read meanwhile is not known here
        if any(True for _ in self._waiting()):
            sets = self._data_sets(final=final)
            folded: set[bytes] = set()
            wholes: dict[bytes, Access | None] = {}
            for path, place, stat, access in self._waiting():
                if not access.taken:
                    access.taken = True  # now, before somebody changes it
                    access.digest = bytes.fromhex(self._content(path, place, stat).sha256 or "")
                whole = self._whole(path, access, wholes, written=False)
                if whole is not None:
                    access.told = True
                    whole.join(access)
                elif path in sets and stat == next(reversed(place.reads)):
                    folded.add(sets[path])
                elif final or self._settled(os.path.dirname(path), access.at):
                    found.append(self._used(path, place, stat, access))
            for folder, paths in _by_folder(sets):
                if folder not in folded:
                    continue
                inside = [(path, self._places[path]) for path in paths]
                if final or self._settled(folder, min(_last_read(place).at for _, place in inside)):
                    found.append(self._used_folder(folder, inside))
        found.extend(self._remotes.events("read", before=None if final else self._now - _QUIET_US))
        return found

    def _waiting(self) -> Iterator[tuple[bytes, _Place, Stat | None, Access]]:
        """What was read and is not told."""
        for path, place in self._places.items():
            for stat, access in place.reads.items():
                if not access.told:
                    yield path, place, stat, access

    def _data_sets(self, *, final: bool) -> dict[bytes, bytes]:
        """Which of the files read are part of which folder."""
        self._latest.clear()
        paths = []
        for path, place in self._places.items():
            if not place.reads or place.directory:
                continue
            access = _last_read(place)
            if not (access.said or access.role or kinds.is_config(path)):
                paths.append(path)
            if not final:
                folder = os.path.dirname(path)
                self._latest[folder] = max(self._latest.get(folder, 0), access.last)
        sets = fold.folders(paths, self._root)
        for path, folder in sets.items():
            if not final:
                self._latest[folder] = max(self._latest.get(folder, 0), self._latest[os.path.dirname(path)])
        return sets

    def _settled(self, folder: bytes, first_at: int) -> bool:
        """Whether a folder seems to be read to its end, or what was read first in it has waited long enough."""
        quiet = self._now - self._latest.get(folder, 0) > _QUIET_US
        return quiet or self._now - first_at > _PATIENCE_US

    def _whole(
        self, path: bytes, access: Access, known: dict[bytes, Access | None], *, written: bool
    ) -> Access | None:
        """How the folder around a path was touched, when that was read or written as one thing. known: the same by folder."""
        if access.said:
            return None
        folder = os.path.dirname(path)
        if folder not in known:
            known[folder] = self._touched_whole(folder, written=written)
        return known[folder]

    def _touched_whole(self, at: bytes, *, written: bool) -> Access | None:
        while len(at) > 1:
            place = self._places.get(at)
            if place is not None and place.directory and fold.may_be(at, self._root):
                if written and place.written is not None:
                    return place.written
                if not written and place.reads:
                    return _last_read(place)
            at = os.path.dirname(at)
        return None

    def _used(self, path: bytes, place: _Place, stat: Stat | None, access: Access) -> ev.Event:
        access.told = True
        content = self._content(path, place, stat)
        if stat is None and content.sha256 is None and not os.path.lexists(path):
            content = msgspec.structs.replace(content, reason="it was not there")
        state = _labelled(self._state(path, place, content, stat), access.labels)
        role = access.role or kinds.role_of(path, list(access.libs))
        if role == "config" and state.digest:
            self.configs.setdefault(path, state.digest)
        return ev.VersionUsed(
            run=self._run, version=state, at=access.at, role=role, evidence=access.evidence, via=access.via
        )

    def _used_folder(self, folder: bytes, inside: list[tuple[bytes, _Place]]) -> ev.Event:
        """One version for all that was read of a folder."""
        access = Access(0, frames.AUDIT, "")
        access.clear()
        for _, place in inside:
            last = _last_read(place)
            last.told = True
            access.join(last)
        known = {path for path, _ in inside}
        beside = fold.companions(folder) if fold.is_table(known, folder) else []
        inside += [(path, _Place()) for path in beside if path not in known]
        inside.sort(key=lambda item: item[0])
        contents = ((path, self._last_content(path, place)) for path, place in inside)
        content = self.beyond.marked(folder, manifest_of(folder, contents))
        state = self._state(folder, _Place(), content, None)
        return ev.VersionUsed(
            run=self._run, version=state, at=access.at, role="input", evidence=access.evidence, via=access.via
        )

    def _last_content(self, path: bytes, place: _Place) -> Fingerprint:
        """The content of a file as it was read last; of one that was not read, as it is."""
        if not place.reads:
            return self._fingerprints.take(path, None)
        stat, access = next(reversed(place.reads.items()))
        if access.digest and stat is not None:
            return Fingerprint(sha256=access.digest.hex(), size=stat.size, level=ev.Level.CONTENT)
        return self._content(path, place, stat)

    def outputs(self, ended_at: int | None, began_at: int | None = None) -> list[ev.Event]:
        """What the run left behind when it ended, and of folders it added to, what they held before.

        ended_at, began_at: of the run; None when not known.
        """
        found: list[ev.Event] = []
        left: dict[bytes, tuple[Fingerprint, Stat | None]] = {}
        inside = self._model_folders()
        wholes: dict[bytes, Access | None] = {}
        for path, place in self._places.items():
            written = place.written
            if written is None or path in inside:
                continue
            content = self._written_content(path, place, ended_at)
            if content is None:
                if written.declared:
                    self.missing.append(path)
                continue
            fingerprint, stat = content
            if stat is not None and stat == place.before and place.reads:
                continue  # opened for writing, and left as it was
            self._look_into(path, place, fingerprint, stat)
            whole = self._whole(path, written, wholes, written=True)
            if whole is not None and not (place.model or place.name):
                whole.join(written)
                continue
            if fingerprint.members and began_at is not None:
                found.extend(self._added_to(path, place, fingerprint, began_at))
            left[path] = content
        sets = fold.folders((path for path in left if self._may_fold(path)), self._root)
        for folder, paths in _by_folder(sets):
            found.append(self._made_folder(folder, [(path, left.pop(path)[0]) for path in paths], ended_at))
        made = {path: self._made(path, *content, ended_at) for path, content in left.items()}
        found.extend(made.values())
        best = {path for path in made if self._is_best(path)}
        found.extend(self.origins.events(made, best, self._as_read))
        found.extend(self._remotes.events("write"))
        return found

    def _is_best(self, path: bytes) -> bool:
        checkpoint = (self._places[path].model or {}).get("checkpoint") or {}
        return bool(checkpoint.get("best"))

    def _as_read(self, path: bytes) -> ev.VersionState | None:
        """The version that the run read at a path last; None when it read none that is known by its content."""
        place = self._places.get(path)
        if place is None or not place.reads:
            return None
        stat = next(reversed(place.reads))
        content = self._content(path, place, stat)
        return self._state(path, place, content, stat) if content.sha256 else None

    def written(self) -> list[bytes]:
        """The files that the run has written until now, and that it has not removed again."""
        return [
            path for path, place in self._places.items() if place.written is not None and not place.directory
        ]

    def so_far(self, interval_s: float) -> list[ev.Event]:
        """What the running program has written and seems to be done with, and, every `interval_s`, what it still writes."""
        now = time.time_ns() // 1000
        models = tuple(
            path + b"/" for path, place in self._places.items() if place.model and os.path.isdir(path)
        )
        written = {
            path: place
            for path, place in self._places.items()
            if place.written is not None and not (place.directory or path.startswith(models))
        }
        found: list[ev.Event] = []
        sets = fold.folders((path for path in written if self._may_fold(path)), self._root)
        for path, place in written.items():
            if path in sets or now < place.look_at or _passing(path):
                continue
            place.look_at = now + _LOOK_US
            stat = stat_of(path)
            if stat is None or stat in {place.told, place.before}:
                continue
            still = now - max(stat.mtime_ns // 1000, place.written.last if place.written else 0) < _STILL_US
            since = place.told_at or (place.written.at if place.written else now)
            if (still or place.told is not None) and now - since < interval_s * 1e6:
                continue
            content = self._fingerprints.take(path, stat)
            if content.sha256 is not None:  # else it changed meanwhile; looked at again
                place.told, place.told_at = stat, now
                event = self._made(path, content, stat, None)
                found.append(
                    msgspec.structs.replace(event, name="")
                )  # the name is given to what it is at the end
        for folder, paths in _by_folder(sets):
            if now - self._sets_at.setdefault(folder, now) < interval_s * 1e6:
                continue
            self._sets_at[folder] = now
            contents = [(path, self._fingerprints.take(path, None)) for path in paths if stat_of(path)]
            contents = [(path, content) for path, content in contents if content.sha256 is not None]
            if contents:
                found.append(self._made_folder(folder, contents, None))
        return found

    def _look_into(self, path: bytes, place: _Place, content: Fingerprint, stat: Stat | None) -> None:
        """Tell a model by its digest or its bytes where nobody was seen saving one."""
        if place.model is None and content.sha256 in self.dumped:
            place.model = self.dumped[content.sha256]
        elif place.model is None and stat is not None and self._sniffed < _SNIFFED:
            self._sniffed += 1
            place.model = sniff.model_in(path, stat.size)

    def _model_folders(self) -> set[bytes]:
        """The files that are parts of a folder which holds a model and is one output; gives them back."""
        inside: set[bytes] = set()
        for folder in [path for path, place in self._places.items() if place.model and os.path.isdir(path)]:
            parts = [
                path
                for path, place in self._places.items()
                if place.written and path.startswith(folder + b"/")
            ]
            place = self._places[folder]
            for path in parts:
                part = self._places[path].written
                assert part is not None
                self._write(place, part)
                place.directory = True
            inside.update(parts)
        return inside

    def release(self) -> None:
        """Let go of what is known of single files: all of it was told."""
        self._places.clear()

    def _may_fold(self, path: bytes) -> bool:
        place = self._places[path]
        said = place.written is not None and place.written.said
        return not (place.model or place.name or place.directory or said)

    def _made(
        self, path: bytes, fingerprint: Fingerprint, stat: Stat | None, ended_at: int | None
    ) -> ev.VersionGenerated:
        place = self._places[path]
        written = place.written
        assert written is not None
        at = written.last
        if stat is not None and stat.mtime_ns // 1000 > at:
            at = stat.mtime_ns // 1000
        return ev.VersionGenerated(
            run=self._run,
            version=self._state(path, place, fingerprint, stat),
            at=min(at, ended_at) if ended_at else at,
            role=written.role or _role_of(place.model),
            evidence=written.evidence,
            via=written.via,
            name=place.name,
        )

    def _made_folder(
        self, folder: bytes, contents: list[tuple[bytes, Fingerprint]], ended_at: int | None
    ) -> ev.Event:
        """One version for all that was written into a folder."""
        place = _Place()
        place.written = access = Access(0, frames.AUDIT, "")
        access.clear()
        for path, _ in contents:
            if (written := self._places[path].written) is not None:
                access.join(written)
        content = manifest_of(folder, sorted(contents, key=lambda item: item[0]))
        state = self._state(folder, place, self.beyond.marked(folder, content), None)
        return ev.VersionGenerated(
            run=self._run,
            version=state,
            at=min(access.last, ended_at) if ended_at else access.last,
            role="output",
            evidence=access.evidence,
            via=access.via,
        )

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
        if stat is not None and place.hashes and stat in place.hashes:
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
        if parquet_folder.parts(content.members) and self._all_still_there(path, content):
            if profile := self._schemas.profile(path, content):
                facets["lineal.profile/1"] = profile
        elif content.sha256 and self._still_there(path, content):
            if schema := self._schemas.of(path, content):
                facets["lineal.schema/1"] = schema
            if profile := self._schemas.profile(path, content):
                facets["lineal.profile/1"] = profile
        if content.changed:
            facets["lineal.file/1"] = msgspec.Raw(b'{"changed":true}')
        if content.sha256:
            digest = f"sha256:{content.sha256}"
            references = [ev.Reference(scheme="sha256", value=content.sha256)]
        else:
            digest = stand_in(path, stat, self._run)
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

    def _all_still_there(self, folder: bytes, content: Fingerprint) -> bool:
        """The same of a folder and each of its files."""
        for member in content.members:
            path = os.path.join(folder, os.fsencode(member.path))
            stat = stat_of(path)
            if stat is None or f"sha256:{self._fingerprints.known(path, stat)}" != member.digest:
                return False
        return True


def _labelled(state: ev.VersionState, labels: Iterable[tuple[str, str]] | None) -> ev.VersionState:
    more = [
        ev.Reference(scheme=scheme, value=value, level=ev.Level.SAMPLED) for scheme, value in labels or ()
    ]
    return msgspec.structs.replace(state, references=[*state.references, *more]) if more else state


def registrable(name: str) -> str:
    """The name as the registry takes it: without the signs that mean something in references; empty stays empty."""
    return "".join("-" if sign in "@:" or not sign.isprintable() else sign for sign in name).strip()


def _last_read(place: _Place) -> Access:
    """How the last state of a file that was read was touched."""
    return place.reads[next(reversed(place.reads))]


def _by_folder(sets: dict[bytes, bytes]) -> Iterable[tuple[bytes, list[bytes]]]:
    """Each data set's folder with the paths that are part of it."""
    found: dict[bytes, list[bytes]] = {}
    for path, folder in sets.items():
        found.setdefault(folder, []).append(path)
    return found.items()


def _role_of(model: dict[str, Any] | None) -> str:
    """What a file that was written was to the run: a checkpoint is a model's state that did not become the model."""
    if model is None:
        return "output"
    checkpoint = model.get("checkpoint")
    return "checkpoint" if checkpoint and not checkpoint.get("best") else "model"


def _passing(path: bytes) -> bool:
    """Whether a file has the name of one that will be renamed or removed when it is finished."""
    name = os.path.basename(path).lower()
    return name.startswith(b".") or any(word in name for word in _PASSING)
