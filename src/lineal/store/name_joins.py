"""Names that were declared to be names of one and the same dataset, by which rule, and what holds them apart."""

from __future__ import annotations

from collections.abc import Sequence

from lineal.core.events import Evidence
from lineal.store.history import STANDS
from lineal.store.join_rows import Meeting, add_row, list_rows, retract_rows
from lineal.store.lists import each
from lineal.store.text import give, keep
from lineal.store.tx import Tx
from lineal.store.words import find_word, get_words


class NameJoins:
    """NameJoinStore."""

    def add_name_join(
        self,
        tx: Tx,
        one: int,
        other: int,
        *,
        rule: str,
        evidence: Evidence,
        said: str,
        actor: str,
        at: int,
        batch: int = 0,
        apart: bool = False,
    ) -> bool:
        """Let two artifacts be one dataset from now on, or (`apart`) two; False when that stands already by this rule, or when
        somebody holds them apart."""
        a, b = sorted((one, other))
        held = tx.value(
            f"SELECT 1 FROM name_join WHERE a = :a AND b = :b AND apart = 1 AND {STANDS}", a=a, b=b
        )
        if a == b or (held and not apart):
            return False
        return add_row(
            tx,
            "name_join",
            (a, b),
            rule=rule,
            evidence=evidence,
            said=said,
            actor=actor,
            batch=batch,
            at=at,
            apart=apart,
        )

    def retract_name_joins(
        self, tx: Tx, one: int, other: int, *, apart: bool, actor: str, reason: str, at: int
    ) -> int:
        """Let what joins two artifacts (or the decision to hold them apart) cease to stand; how many there were."""
        pair = min(one, other), max(one, other)
        return retract_rows(tx, "name_join", pair, apart=apart, actor=actor, reason=reason, at=at)

    def list_name_joins(
        self, tx: Tx, artifacts: Sequence[int], *, as_of: int | None = None, history: bool = False
    ) -> list[Meeting]:
        """What joins these artifacts to others or holds them apart, in order of arrival."""
        if not artifacts or not self.has_name_joins(tx):
            return []
        return list_rows(tx, "name_join", artifacts, as_of=as_of, history=history)

    def has_name_joins(self, tx: Tx) -> bool:
        """Whether any names were ever joined."""
        return bool(tx.value("SELECT 1 FROM name_join LIMIT 1"))

    def find_artifacts(self, tx: Tx, namespace: str | None, name: str) -> list[int]:
        """The artifacts of that name, in one namespace or in all; also those of which no version is known."""
        words = [find_word(tx, text) for text in (name, namespace) if text is not None]
        if None in words:
            return []
        where = "name = :name" if namespace is None else "name = :name AND namespace = :namespace"
        rows = tx.rows(
            f"SELECT id FROM artifact WHERE {where} ORDER BY id",
            **dict(zip(("name", "namespace"), words, strict=False)),
        )
        return [id for (id,) in rows]

    def get_names(self, tx: Tx, artifacts: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Namespace and name of artifacts."""
        if not artifacts:
            return {}
        rows = tx.rows(
            f"SELECT id, namespace, name FROM artifact WHERE id IN ({each(tx, 'ids')})", ids=list(artifacts)
        )
        words = get_words(tx, {word for row in rows for word in row[1:]})
        return {id: (words[namespace], words[name]) for id, namespace, name in rows}

    def list_states(
        self, tx: Tx, artifacts: Sequence[int], nodes: Sequence[int] | None = None
    ) -> list[tuple[int, int, str]]:
        """(artifact, vertex, digest) of every version, or of these, that is identified by its content or by its store."""
        if not artifacts or (nodes is not None and not nodes):
            return []
        among = "" if nodes is None else f"AND node IN ({each(tx, 'nodes')}) "
        rows = tx.rows(
            f"SELECT artifact, node, digest FROM version WHERE artifact IN ({each(tx, 'artifacts')}) {among}"
            "AND level IN ('content', 'native') AND digest IS NOT NULL ORDER BY node",
            artifacts=list(artifacts),
            **({} if nodes is None else {"nodes": list(nodes)}),
        )
        return [(artifact, node, give(digest)) for artifact, node, digest in rows]

    def list_of_digests(self, tx: Tx, artifacts: Sequence[int], digests: Sequence[str]) -> list[int]:
        """The versions of these artifacts that have one of these digests."""
        if not artifacts or not digests:
            return []
        rows = tx.rows(
            f"SELECT v.node FROM ({each(tx, 'artifacts')}) a CROSS JOIN ({each(tx, 'digests', 'text')}) d "
            "JOIN version v ON v.artifact = a.item AND v.digest = d.item",
            artifacts=list(artifacts),
            digests=[keep(digest) for digest in digests],
        )
        return [node for (node,) in rows]
