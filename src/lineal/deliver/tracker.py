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
from lineal.deliver import fold, kinds, sniff
from lineal.deliver.access import Access
from lineal.deliver.contents import Place
from lineal.deliver.fingerprint import Fingerprint, Fingerprints, manifest_of
from lineal.deliver.schemas import Schemas
from lineal.deliver.touches import Touches
from lineal.journal import frames
from lineal.resolve.content import Stat, folder_of, stat_of
from lineal.resolve.project import Project

_SNIFFED = 500  # outputs of one run whose bytes are asked whether they are a model


_QUIET_US = 2_000_000  # nothing more read in a folder for so long: what was read of it is told
_PATIENCE_US = 60_000_000  # a file is told at the latest
_FOLDER_PATIENCE_US = 300_000_000  # so is a folder that is read on and on
_STILL_US = 10_000_000  # a file that was left alone for so long seems to be finished
_LOOK_US = 1_000_000
_PASSING = (b"tmp", b"temp", b".part", b".incomplete", b".crdownload")


class Tracker(Touches):
    """The file story of one run: what it touched, and the versions that it used and generated."""

    def __init__(self, run: str, project: Project, fingerprints: Fingerprints, schemas: Schemas) -> None:
        super().__init__(run, project, fingerprints, schemas)
        self._root = os.fsencode(project.root.rstrip("/"))
        self._now = 0
        self._sets_at: dict[bytes, int] = {}  # data sets still being written, and when they were told last
        self._latest: dict[bytes, int] = {}  # folders, and when something in them was last read
        self._again_at: dict[
            bytes, int
        ] = {}  # data sets that were told, and when they may be told anew: ever more seldom
        self.missing: list[bytes] = []  # outputs that were only declared, and were not there at the end
        self.configs: dict[bytes, str] = {}  # config files read -> digest
        self._sniffed = 0
        self.dumped: dict[
            str, dict[str, Any]
        ] = {}  # sha256 of bytes that the run made of a model -> what is in them

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
                    access.digest = bytes.fromhex(self._contents.read(path, place, stat).sha256 or "")
                whole = self._whole(path, access, wholes, written=False)
                if whole is not None:
                    access.told = True
                    whole.join(access)
                elif path in sets and stat == next(reversed(place.reads)):
                    folded.add(sets[path])
                elif final or self._settled(os.path.dirname(path), access.at, _PATIENCE_US):
                    found.append(self._used(path, place, stat, access))
            for folder, paths in _by_folder(sets):
                if folder not in folded:
                    continue
                inside = [(path, self._places[path]) for path in paths]
                first_at = min(_last_read(place).at for _, place in inside)
                if final or self._settled(folder, first_at, _FOLDER_PATIENCE_US):
                    self._again_at[folder] = self._now + max(_PATIENCE_US, self._now - first_at)
                    found.append(self._used_folder(folder, inside))
        found.extend(self._remotes.events("read", before=None if final else self._now - _QUIET_US))
        return found

    def _waiting(self) -> Iterator[tuple[bytes, Place, Stat | None, Access]]:
        """What was read and is not told."""
        for path, place in self._places.items():
            for stat, access in place.reads.items():
                if not access.told and not (access.kept and self._left_alone(path, stat)):
                    yield path, place, stat, access

    @staticmethod
    def _left_alone(path: bytes, stat: Stat | None) -> bool:
        """Whether a file that was opened to be changed still is as it was then."""
        return stat is not None and stat_of(path) == stat

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
                folder = folder_of(path)
                self._latest[folder] = max(self._latest.get(folder, 0), access.last)
        sets = fold.folders(paths, self._root)
        for path, folder in sets.items():
            if not final:
                self._latest[folder] = max(self._latest.get(folder, 0), self._latest[folder_of(path)])
        return sets

    def _settled(self, folder: bytes, first_at: int, patience_us: int) -> bool:
        """Whether a folder seems to be read to its end, or what was read first in it has waited long enough."""
        quiet = self._now - self._latest.get(folder, 0) > _QUIET_US
        return (quiet or self._now - first_at > patience_us) and self._now >= self._again_at.get(folder, 0)

    def _whole(
        self, path: bytes, access: Access, known: dict[bytes, Access | None], *, written: bool
    ) -> Access | None:
        """How the folder around a path was touched, when that was read or written as one thing. known: the same by folder."""
        if access.said:
            return None
        folder = folder_of(path)
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

    def _used(self, path: bytes, place: Place, stat: Stat | None, access: Access) -> ev.Event:
        access.told = True
        content = self._contents.read(path, place, stat)
        if stat is None and content.sha256 is None and not os.path.lexists(path):
            content = msgspec.structs.replace(content, reason="it was not there")
        state = _labelled(self._contents.version(path, place, content, stat), access.labels)
        role = access.role or kinds.role_of(path, list(access.libs))
        if role == "config" and state.digest:
            self.configs.setdefault(path, state.digest)
        return ev.VersionUsed(
            run=self._run, version=state, at=access.at, role=role, evidence=access.evidence, via=access.via
        )

    def _used_folder(self, folder: bytes, inside: list[tuple[bytes, Place]]) -> ev.Event:
        """One version for all that was read of a folder."""
        access = Access(0, frames.AUDIT, "")
        access.clear()
        for _, place in inside:
            last = _last_read(place)
            last.told = True
            access.join(last)
        known = {path for path, _ in inside}
        beside = fold.companions(folder) if fold.is_table(known, folder) else []
        inside += [(path, Place()) for path in beside if path not in known]
        inside.sort(key=lambda item: item[0])
        contents = ((path, self._last_content(path, place)) for path, place in inside)
        content = self.beyond.marked(folder, manifest_of(folder, contents))
        state = self._contents.version(folder, Place(), content, None)
        return ev.VersionUsed(
            run=self._run, version=state, at=access.at, role="input", evidence=access.evidence, via=access.via
        )

    def _last_content(self, path: bytes, place: Place) -> Fingerprint:
        """The content of a file as it was read last; of one that was not read, as it is."""
        if not place.reads:
            return self._fingerprints.take(path, None)
        stat, access = next(reversed(place.reads.items()))
        if access.digest and stat is not None:
            return Fingerprint(sha256=access.digest.hex(), size=stat.size, level=ev.Level.CONTENT)
        return self._contents.read(path, place, stat)

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
            content = self._contents.written(path, place, ended_at)
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
        content = self._contents.read(path, place, stat)
        return self._contents.version(path, place, content, stat) if content.sha256 else None

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

    def _look_into(self, path: bytes, place: Place, content: Fingerprint, stat: Stat | None) -> None:
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
            version=self._contents.version(path, place, fingerprint, stat),
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
        place = Place()
        place.written = access = Access(0, frames.AUDIT, "")
        access.clear()
        for path, _ in contents:
            if (written := self._places[path].written) is not None:
                access.join(written)
        content = manifest_of(folder, sorted(contents, key=lambda item: item[0]))
        state = self._contents.version(folder, place, self.beyond.marked(folder, content), None)
        return ev.VersionGenerated(
            run=self._run,
            version=state,
            at=min(access.last, ended_at) if ended_at else access.last,
            role="output",
            evidence=access.evidence,
            via=access.via,
        )

    def _added_to(
        self, path: bytes, place: Place, now: Fingerprint, began_at: int
    ) -> Iterable[ev.VersionUsed]:
        """The files of a folder that were there before the run and still are, as the version that it added to."""
        before = self._fingerprints.take_directory(path, before_us=began_at)
        if before.sha256 is not None and before.sha256 != now.sha256 and None not in place.reads:
            yield ev.VersionUsed(
                run=self._run,
                version=self._contents.version(path, place, before, None),
                at=began_at,
                role="input",
                evidence=ev.Evidence.OBSERVED,
                via=["stat", "kept"],
            )


def _labelled(state: ev.VersionState, labels: Iterable[tuple[str, str]] | None) -> ev.VersionState:
    more = [
        ev.Reference(scheme=scheme, value=value, level=ev.Level.SAMPLED) for scheme, value in labels or ()
    ]
    return msgspec.structs.replace(state, references=[*state.references, *more]) if more else state


def _last_read(place: Place) -> Access:
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
