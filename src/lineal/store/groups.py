"""Groups: named, typed, nestable sets of runs and versions."""

from __future__ import annotations

from collections.abc import Sequence

from lineal.core.errors import NotFound
from lineal.store.bulk import insert
from lineal.store.history import STANDS
from lineal.store.lists import each, each_pair, pairs
from lineal.store.tx import Tx
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

    def add_groups(self, tx: Tx, groups: Sequence[tuple[str, str]], *, at: int) -> dict[tuple[str, str], int]:
        """The groups of these names and kinds that stand at the top, made now where there is none."""
        if not groups:
            return {}
        word = add_words(tx, {text for group in groups for text in group})
        wanted = {(word[name], word[kind]): (name, kind) for name, kind in groups}
        insert(
            tx,
            "collection",
            (("name", "bigint"), ("kind", "bigint"), ("parent", "bigint"), ("recorded_at", "bigint")),
            [(*key, _TOP, at) for key in sorted(wanted)],
        )
        rows = tx.rows(
            f"SELECT c.name, c.kind, c.id FROM ({each_pair(tx, 'wanted', 'bigint', 'bigint')}) w "
            "JOIN collection c ON c.name = w.one AND c.kind = w.other AND c.parent = 0",
            **pairs(tx, "wanted", list(wanted)),
        )
        return {wanted[name, kind]: id for name, kind, id in rows}

    def add_members(self, tx: Tx, members: Sequence[tuple[int, int]], *, at: int) -> None:
        """Put runs or versions into groups, each given as group and vertex. What was taken out once stays out."""
        columns = (
            ("collection", "bigint"),
            ("node", "bigint"),
            ("revision", "integer"),
            ("recorded_at", "bigint"),
        )
        insert(tx, "collection_member", columns, [(group, node, 1, at) for group, node in members])

    def nest(self, tx: Tx, group: int, parent: int) -> None:
        """Put a group that stands at the top below another, unless there is one of its name and kind already."""
        tx.run(
            "UPDATE collection SET parent = :parent WHERE id = :group AND parent = 0 AND NOT EXISTS ("
            "SELECT 1 FROM collection o WHERE o.parent = :parent AND o.name = collection.name "
            "AND o.kind = collection.kind)",
            group=group,
            parent=parent,
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
