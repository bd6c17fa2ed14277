"""What may be taken back or renamed: tombstones, tags, the names of runs and groups. The past remains as history."""

from __future__ import annotations

from collections.abc import Sequence

from lineal.core.errors import Conflict, NotFound
from lineal.store.history import STANDS
from lineal.store.lists import each
from lineal.store.nodes import hold_node
from lineal.store.text import keep
from lineal.store.tx import Tx
from lineal.store.words import add_words, find_field


class Corrections:
    """CorrectionStore."""

    def add_tombstones(self, tx: Tx, nodes: Sequence[int], *, actor: str, reason: str, at: int) -> int:
        """Put a tombstone on each of these vertices that has none; how many those were."""
        rows = tx.rows(
            "INSERT INTO deletion (node, revision, actor, reason, recorded_at) "
            "SELECT k.item, (SELECT count(*) + 1 FROM deletion d WHERE d.node = k.item), "
            "CAST(:actor AS bigint), :reason, CAST(:at AS bigint) "
            f"FROM ({each(tx, 'nodes')}) k WHERE NOT EXISTS "
            f"(SELECT 1 FROM deletion d WHERE d.node = k.item AND d.{STANDS}) RETURNING node",
            nodes=list(nodes),
            actor=add_words(tx, (actor,))[actor],
            reason=keep(reason),
            at=at,
        )
        return len(rows)

    def lift_tombstones(self, tx: Tx, nodes: Sequence[int], *, at: int) -> int:
        """Let deleted vertices stand again; how many there were."""
        rows = tx.rows(
            f"UPDATE deletion SET retracted_at = :at WHERE node IN ({each(tx, 'nodes')}) AND {STANDS} "
            "RETURNING node",
            nodes=list(nodes),
            at=at,
        )
        return len(rows)

    def deleted_among(self, tx: Tx, nodes: Sequence[int]) -> set[int]:
        """Those of the vertices that have a tombstone."""
        rows = tx.rows(
            f"SELECT node FROM deletion WHERE node IN ({each(tx, 'nodes')}) AND {STANDS}", nodes=list(nodes)
        )
        return {node for (node,) in rows}

    def retract_tag(self, tx: Tx, node: int, key: str, *, at: int) -> bool:
        """Let a tag of a run or version cease to stand; whether it stood."""
        field = find_field(tx, "tags", key)
        if field is None:
            return False
        hold_node(tx, node)
        ended = tx.rows(
            f"UPDATE attribute SET retracted_at = :at WHERE node = :node AND field = :field AND {STANDS} "
            "RETURNING node",
            node=node,
            field=field,
            at=at,
        )
        return bool(ended)

    def rename_run(self, tx: Tx, node: int, name: str) -> None:
        """Give a run another name. Raises NotFound: there is no such run."""
        word = add_words(tx, (name,))[name]
        if not tx.rows("UPDATE run SET name = :name WHERE node = :node RETURNING node", node=node, name=word):
            raise NotFound(f"there is no run with the vertex {node}", hint="look it up again")

    def rename_group(self, tx: Tx, group: int, name: str) -> None:
        """Give a group another name. Raises Conflict: a group of its kind and parent has it; NotFound: no such group."""
        word = add_words(tx, (name,))[name]
        taken = tx.value(
            "SELECT o.id FROM collection c JOIN collection o ON o.name = :name AND o.kind = c.kind "
            "AND o.parent = c.parent AND o.id <> c.id WHERE c.id = :group",
            group=group,
            name=word,
        )
        if taken is not None:
            raise Conflict(f"there is another group {name!r}", hint="choose another name")
        if not tx.rows(
            "UPDATE collection SET name = :name WHERE id = :group RETURNING id", group=group, name=word
        ):
            raise NotFound(f"there is no group {group}", hint="look it up again")
