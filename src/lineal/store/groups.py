"""Groups: named, typed, nestable sets of runs and versions."""

from __future__ import annotations

from collections.abc import Sequence

from lineal.core.errors import NotFound
from lineal.store.base import Tx
from lineal.store.history import STANDS
from lineal.store.lists import each
from lineal.store.words import add_words, get_words

_TOP = 0  # the parent of a group that has none


class Groups:
    """GroupStore."""

    def add_group(self, tx: Tx, name: str, kind: str, *, parent: int | None, at: int) -> int:
        """The group of this name and kind below `parent`, made now if it is new.

        Raises NotFound: there is no group `parent`.
        """
        if parent is not None and tx.value("SELECT id FROM collection WHERE id = :id", id=parent) is None:
            raise NotFound(f"there is no group {parent}", hint="make the parent first")
        word = add_words(tx, (name, kind))
        key = {"name": word[name], "kind": word[kind], "parent": parent or _TOP}
        tx.run(
            "INSERT INTO collection (name, kind, parent, recorded_at) VALUES (:name, :kind, :parent, :at) "
            "ON CONFLICT DO NOTHING",
            at=at,
            **key,
        )
        find = "SELECT id FROM collection WHERE name = :name AND kind = :kind AND parent = :parent"
        return int(tx.value(find, **key))

    def add_member(self, tx: Tx, group: int, node: int, *, at: int) -> None:
        """Put a run or version into a group. Raises NotFound: there is no such group or vertex."""
        for table, id in (("collection", group), ("node", node)):
            if tx.value(f"SELECT id FROM {table} WHERE id = :id", id=id) is None:
                what = "group" if table == "collection" else "vertex"
                raise NotFound(f"there is no {what} {id}", hint="look it up again")
        key = {"collection": group, "node": node}
        standing = tx.value(
            f"SELECT revision FROM collection_member WHERE collection = :collection AND node = :node AND {STANDS}",
            **key,
        )
        if standing is None:
            tx.run(
                "INSERT INTO collection_member (collection, node, revision, recorded_at) "
                "SELECT CAST(:collection AS bigint), CAST(:node AS bigint), count(*) + 1, CAST(:at AS bigint) "
                "FROM collection_member WHERE collection = :collection AND node = :node ON CONFLICT DO NOTHING",
                at=at,
                **key,
            )

    def list_groups(self, tx: Tx, *, limit: int) -> list[tuple[int, str, str]]:
        """Number, name and kind of every group, in order of arrival."""
        rows = tx.rows("SELECT id, name, kind FROM collection ORDER BY id LIMIT :limit", limit=limit)
        words = get_words(tx, {word for row in rows for word in row[1:]})
        return [(id, words[name], words[kind]) for id, name, kind in rows]

    def list_groups_of(self, tx: Tx, nodes: Sequence[int]) -> list[tuple[int, str]]:
        """Vertex and name for every group that a vertex is in, by vertex, then in order of the groups' arrival."""
        if not nodes:
            return []
        rows = tx.rows(
            "SELECT m.node, c.name FROM collection_member m JOIN collection c ON c.id = m.collection "
            f"WHERE m.node IN ({each(tx, 'nodes')}) AND m.{STANDS} ORDER BY m.node, c.id",
            nodes=list(nodes),
        )
        words = get_words(tx, {name for _, name in rows})
        return [(node, words[name]) for node, name in rows]

    def list_members(self, tx: Tx, group: int, *, limit: int) -> list[int]:
        """The vertices in a group, in order of their own arrival."""
        rows = tx.rows(
            f"SELECT node FROM collection_member WHERE collection = :group AND {STANDS} ORDER BY node LIMIT :limit",
            group=group,
            limit=limit,
        )
        return [node for (node,) in rows]
