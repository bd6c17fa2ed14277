"""Files: which kept bytes stand under which path inside a run or version."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineal.core.errors import Invalid, NotFound
from lineal.store.history import STANDS
from lineal.store.lists import each
from lineal.store.nodes import hold_node
from lineal.store.text import above, give, keep
from lineal.store.tx import Row, Tx

_LONGEST_PATH = 2000  # bytes; an index entry of PostgreSQL has a size limit


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file inside a run or version. digest: `sha256:...` of its bytes; size in bytes; recorded_at: microseconds UTC."""

    node: int
    path: str
    digest: str
    size: int
    revision: int
    recorded_at: int


class Files:
    """FileStore."""

    def put_file(self, tx: Tx, node: int, path: str, *, digest: str, size: int, at: int) -> File:
        """Let a path of a vertex name these bytes; what it named before remains as history.

        Raises Invalid: the path is empty or longer than 2,000 bytes; NotFound: there is no such vertex.
        """
        stored = keep(path)
        if not stored or len(stored.encode()) > _LONGEST_PATH:
            raise Invalid(
                f"a path of {len(path)} characters was given",
                hint=f"between 1 and {_LONGEST_PATH} bytes of UTF-8 are wanted",
            )
        hold_node(tx, node)
        if tx.value("SELECT id FROM node WHERE id = :node", node=node) is None:
            raise NotFound(f"there is no vertex {node}", hint="look it up again")
        now = tx.row(
            "SELECT revision, digest, size, recorded_at, retracted_at FROM file "
            "WHERE node = :node AND path = :path ORDER BY revision DESC LIMIT 1",
            node=node,
            path=stored,
        )
        if now is not None and now[4] is None and (now[1], now[2]) == (digest, size):
            return File(node=node, path=path, digest=digest, size=size, revision=now[0], recorded_at=now[3])
        revision = 1 if now is None else now[0] + 1
        if now is not None and now[4] is None:
            self.remove_file(tx, node, path, at=at)
        tx.run(
            "INSERT INTO file (node, path, revision, digest, size, recorded_at) "
            "VALUES (:node, :path, :revision, :digest, :size, :at)",
            node=node,
            path=stored,
            revision=revision,
            digest=keep(digest),
            size=size,
            at=at,
        )
        return File(node=node, path=path, digest=digest, size=size, revision=revision, recorded_at=at)

    def get_file(self, tx: Tx, node: int, path: str) -> File | None:
        """The file under exactly this path, or None."""
        row = tx.row(
            "SELECT node, path, digest, size, revision, recorded_at FROM file "
            f"WHERE node = :node AND path = :path AND {STANDS}",
            node=node,
            path=keep(path),
        )
        return None if row is None else _file(row)

    def list_files(
        self, tx: Tx, node: int, prefix: str = "", *, after: str = "", limit: int = 100_000
    ) -> list[File]:
        """Files whose path begins so, in byte order of the paths, behind the path `after`."""
        rows = tx.rows(
            "SELECT node, path, digest, size, revision, recorded_at FROM file "
            f"WHERE node = :node AND path >= :prefix AND path < :above AND path > :after AND {STANDS} "
            "ORDER BY path LIMIT :limit",
            node=node,
            prefix=keep(prefix),
            above=above(keep(prefix)),
            after=keep(after),
            limit=limit,
        )
        return [_file(row) for row in rows]

    def remove_file(self, tx: Tx, node: int, path: str, *, at: int) -> bool:
        """Let a path name nothing; whether it named something. Its bytes and history stay."""
        ended = tx.rows(
            f"UPDATE file SET retracted_at = :at WHERE node = :node AND path = :path AND {STANDS} RETURNING 1",
            node=node,
            path=keep(path),
            at=at,
        )
        return bool(ended)

    def list_named(self, tx: Tx) -> dict[str, str]:
        """Every digest that a living file names, with the path of one such file."""
        rows = tx.rows(f"SELECT digest, min(path) FROM file WHERE {STANDS} GROUP BY digest")
        return {digest: give(path) for digest, path in rows}

    def list_kept(self, tx: Tx, digests: Sequence[str]) -> set[str]:
        """Those of the digests that some living file names."""
        if not digests:
            return set()
        rows = tx.rows(
            f"SELECT DISTINCT digest FROM file WHERE digest IN ({each(tx, 'digests', 'text')}) AND {STANDS}",
            digests=[keep(digest) for digest in digests],
        )
        return {give(digest) for (digest,) in rows}


def _file(row: Row) -> File:
    return File(
        node=row[0],
        path=give(row[1]),
        digest=give(row[2]),
        size=row[3],
        revision=row[4],
        recorded_at=row[5],
    )
