"""Schemas of facets and the facets that break them. A facet's plain fields are kept beside its parameters and tags, to be found by."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineal.store.attributes import ATTRIBUTE
from lineal.store.bulk import insert
from lineal.store.history import STANDS
from lineal.store.lists import each
from lineal.store.nodes import hold_node
from lineal.store.text import give, keep, number_of
from lineal.store.tx import Tx
from lineal.store.words import add_fields, add_words, find_word, get_words


class FacetSchema(msgspec.Struct, frozen=True, kw_only=True):
    """A definition. version: counted from 1, what stands behind the `/` of a facet's name; revision: how often it was widened."""

    name: str
    version: int
    revision: int
    body: bytes
    refused: bool
    actor: str
    recorded_at: int


class FacetFault(msgspec.Struct, frozen=True, kw_only=True):
    """A facet that breaks its schema. refused: it was not attached."""

    node: int
    name: str
    said: str
    refused: bool
    batch: int
    recorded_at: int


class FacetSchemas:
    """FacetSchemaStore."""

    def put_schema(
        self, tx: Tx, name: str, version: int, body: bytes, *, refused: bool, actor: str, at: int
    ) -> FacetSchema:
        """A schema of that name and version as it stands from now on; an earlier form of it remains as history."""
        word = add_words(tx, (name, actor))
        tx.run(
            f"UPDATE facet_schema SET retracted_at = :at WHERE name = :name AND version = :version AND {STANDS}",
            at=at,
            name=word[name],
            version=version,
        )
        revision = tx.value(
            "SELECT count(*) + 1 FROM facet_schema WHERE name = :name AND version = :version",
            name=word[name],
            version=version,
        )
        tx.run(
            "INSERT INTO facet_schema (name, version, revision, body, refused, actor, recorded_at) "
            "VALUES (:name, :version, :revision, :body, :refused, :actor, :at)",
            name=word[name],
            version=version,
            revision=revision,
            body=body,
            refused=int(refused),
            actor=word[actor],
            at=at,
        )
        return FacetSchema(
            name=name,
            version=version,
            revision=revision,
            body=body,
            refused=refused,
            actor=actor,
            recorded_at=at,
        )

    def list_schemas(self, tx: Tx, names: Sequence[str] | None = None) -> list[FacetSchema]:
        """The schemas that stand, of these names or of all, by name and version."""
        words = (
            None if names is None else [w for w in (find_word(tx, name) for name in names) if w is not None]
        )
        if words == []:
            return []
        rows = tx.rows(
            f"SELECT name, version, revision, body, refused, actor, recorded_at FROM facet_schema WHERE {STANDS}"
            + ("" if words is None else f" AND name IN ({each(tx, 'names')})"),
            **({} if words is None else {"names": words}),
        )
        texts = get_words(tx, {word for row in rows for word in (row[0], row[5])}) if rows else {}
        found = [
            FacetSchema(
                name=texts[row[0]],
                version=row[1],
                revision=row[2],
                body=bytes(row[3]),
                refused=bool(row[4]),
                actor=texts[row[5]],
                recorded_at=row[6],
            )
            for row in rows
        ]
        return sorted(found, key=lambda schema: (schema.name, schema.version))

    def set_faults(
        self,
        tx: Tx,
        node: int,
        name: str,
        said: str,
        *,
        refused: bool,
        batch: int,
        at: int,
    ) -> None:
        """Keep how a vertex's facet breaks its schema, in place of what was kept before; empty: it does not."""
        word = add_words(tx, (name,))[name]
        tx.run(
            f"UPDATE facet_fault SET retracted_at = :at WHERE node = :node AND name = :name AND {STANDS}",
            at=at,
            node=node,
            name=word,
        )
        if said:
            tx.run(
                "INSERT INTO facet_fault (node, name, said, refused, batch, recorded_at) "
                "VALUES (:node, :name, :said, :refused, :batch, :at)",
                node=node,
                name=word,
                said=keep(said),
                refused=int(refused),
                batch=batch,
                at=at,
            )

    def list_faults(
        self, tx: Tx, nodes: Sequence[int] | None = None, *, limit: int = 1000
    ) -> list[FacetFault]:
        """Facets that break their schemas, of these vertices or of all, the newest first."""
        rows = tx.rows(
            f"SELECT node, name, said, refused, batch, recorded_at FROM facet_fault WHERE {STANDS}"
            + ("" if nodes is None else f" AND node IN ({each(tx, 'nodes')})")
            + " ORDER BY id DESC LIMIT :limit",
            limit=limit,
            **({} if nodes is None else {"nodes": list(nodes)}),
        )
        words = get_words(tx, {row[1] for row in rows}) if rows else {}
        return [
            FacetFault(
                node=n, name=words[name], said=give(said), refused=bool(refused), batch=batch, recorded_at=at
            )
            for n, name, said, refused, batch, at in rows
        ]

    def list_holders(
        self, tx: Tx, names: Sequence[str], patterns: Sequence[str], *, after: int, limit: int
    ) -> list[tuple[int, str, bytes]]:
        """(vertex, name, body) of the facets that stand under these names, or under names that are LIKE one of the patterns; of up
        to `limit` vertices in order behind `after`, all of each."""
        words = {w: name for name in names if (w := find_word(tx, name)) is not None}
        for pattern in patterns:
            rows = tx.rows(
                "SELECT id, COALESCE(body, name) FROM word WHERE COALESCE(body, name) LIKE :pattern ESCAPE '\\'",
                pattern=pattern,
            )
            words |= {id: give(text) for id, text in rows}
        if not words:
            return []
        among = f"name IN ({each(tx, 'names')}) AND {STANDS}"
        rows = tx.rows(
            f"SELECT node, name, body FROM facet WHERE {among} AND node IN (SELECT node FROM facet WHERE {among} "
            "AND node > :after GROUP BY node ORDER BY node LIMIT :limit) ORDER BY node, name",
            names=list(words),
            after=after,
            limit=limit,
        )
        return [(node, words[name], bytes(body)) for node, name, body in rows]

    def set_fields(self, tx: Tx, node: int, name: str, fields: Sequence[tuple[str, str]], *, at: int) -> None:
        """The plain fields of a vertex's facet by their paths, to be searched as `facets.NAME.PATH`; others of it cease to stand.

        A path may come several times, as of a list: then each of the values stands.
        """
        keys = add_fields(tx, "facets", {f"{name}.{path}" for path, _ in fields})
        words = add_words(tx, {"", *(value for _, value in fields)})
        wanted = {(keys[f"{name}.{path}"], words[value]): value for path, value in fields}
        hold_node(tx, node)
        rows = tx.rows(
            "SELECT a.field, a.text, a.revision, a.retracted_at, COALESCE(w.body, w.name) FROM attribute a "
            "JOIN field f ON f.id = a.field AND f.scope = 'facets' JOIN word w ON w.id = f.name WHERE a.node = :node",
            node=node,
        )
        last: dict[int, int] = {}
        standing: dict[tuple[int, int], int] = {}
        for field, text, revision, ended, key in rows:
            if give(key).startswith(f"{name}."):
                last[field] = max(revision, last.get(field, 0))
                if ended is None:
                    standing[field, text] = revision
        tx.many(
            "UPDATE attribute SET retracted_at = :at WHERE node = :node AND field = :field AND revision = :revision",
            [
                {"at": at, "node": node, "field": pair[0], "revision": revision}
                for pair, revision in standing.items()
                if pair not in wanted
            ],
        )
        added = []
        for (field, text), value in wanted.items():
            if (field, text) not in standing:
                last[field] = last.get(field, 0) + 1
                added.append(
                    (node, field, last[field], text, number_of(value), words[""], words[""], at, None)
                )
        insert(tx, "attribute", ATTRIBUTE, added, conflict="")
