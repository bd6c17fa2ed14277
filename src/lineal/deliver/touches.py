"""What a run's processes did to paths, as they told it: read, written, renamed, hashed, declared."""

from __future__ import annotations

import os
from typing import Any

from lineal.deliver import fold, kinds
from lineal.deliver.access import Access
from lineal.deliver.contents import Contents, Place
from lineal.deliver.fingerprint import Fingerprints
from lineal.deliver.origins import Origins
from lineal.deliver.remotes import Remotes
from lineal.deliver.schemas import Schemas
from lineal.journal import frames
from lineal.resolve.content import Stat, stat_of
from lineal.resolve.project import Project


class Touches:
    """By path, how one run touched it. Told in order of time.

    Args:
        project: whose root names files; fingerprints: where digests come from; schemas: where columns come from.
    """

    def __init__(self, run: str, project: Project, fingerprints: Fingerprints, schemas: Schemas) -> None:
        self._run = run
        self._fingerprints = fingerprints
        self._contents = Contents(run, project, fingerprints, schemas)
        self._places: dict[bytes, Place] = {}
        self._remotes = Remotes(run)
        self._moves: dict[
            tuple[bytes, bytes], tuple[int, ...]
        ] = {}  # the last one said of two names: what was moved
        self._codes: set[bytes] = set()
        self._caches: tuple[
            bytes, ...
        ] = ()  # folders in which copies of remote files are kept, with a slash behind them
        self.origins = Origins(run)
        self.beyond = fold.Beyond()
        self.last_at = 0

    def file(self, op: int, layer: int, at: int, stat: Stat | None, lib: str, path: bytes) -> None:
        """One file access as the journal recorded it; see journal.frames for `op` and `layer`."""
        self.last_at = max(self.last_at, at)
        if len(self._places) >= fold.MOST_FILES and path not in self._places:
            self.beyond.add(path)
            return
        if op == frames.READ and path in self._codes:
            return
        if (
            self._caches
            and path.startswith(self._caches)
            and (op != frames.READ or not kinds.is_fetched(path))
        ):
            return
        if kinds.keeps_cache(path):
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
        if self._caches and dst.startswith(self._caches):
            return
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
            self._contents.went[src] = dst
            self.origins.moved(src, dst)

    def wrote(self, path: bytes) -> bool:
        """Whether the run was seen to write what stands at the path."""
        place = self._places.get(path)
        return place is not None and place.written is not None

    def code(self, path: bytes) -> None:
        """The path was executed: whoever opened it before, or opens it later, looks at code and not at data."""
        if path.endswith(b".ipynb"):
            return  # what is executed of a notebook is a copy; it is read for that
        self._codes.add(path)
        if (place := self._places.get(path)) is not None:
            place.reads = {stat: read for stat, read in place.reads.items() if read.told or read.said}

    def fetched(self, copy: bytes, cache: bytes, at: int, lib: str) -> bool:
        """A library has a remote file, of a version that its name tells, as `copy` in a folder of copies; False when that is gone.

        Whether it was there already or came now, it is what the run read: neither the folder nor what is in it was made by the run.
        """
        stat = stat_of(copy)
        if stat is None:
            return False
        if cache + b"/" not in self._caches:
            self._caches += (cache + b"/",)
            for path, place in self._places.items():
                if path.startswith(cache + b"/"):
                    place.written = None
                    if not kinds.is_fetched(path):
                        place.reads = {seen: read for seen, read in place.reads.items() if read.told}
        place = self._place(copy)
        place.written = None
        self._read(place, stat, Access(at, frames.FUNCTION, lib))
        return True

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

    def _place(self, path: bytes) -> Place:
        place = self._places.get(path)
        if place is None:
            place = self._places[path] = Place()
        return place

    @staticmethod
    def _read(place: Place, stat: Stat | None, access: Access) -> None:
        if known := place.reads.get(stat):
            known.join(access)  # whatever was opened for writing meanwhile: it still is in that state
            return
        if place.written is not None and stat != place.before:
            return  # the run reads what it wrote itself
        if place.written is not None and access.at >= place.written.at and not access.declared:
            return
        place.reads[stat] = access

    @staticmethod
    def _write(place: Place, access: Access) -> None:
        if place.written is None:
            place.written = access
        else:
            place.written.join(access)


def registrable(name: str) -> str:
    """The name as the registry takes it: without the signs that mean something in references; empty stays empty."""
    return "".join("-" if sign in "@:" or not sign.isprintable() else sign for sign in name).strip()
