"""Parameters, tags and facets: key/value rows whose keys and repeated texts are small integers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineal.core.model import Attribute, FacetRecord
from lineal.store.base import Tx
from lineal.store.bulk import insert
from lineal.store.history import STANDS, recorded_by, values_of
from lineal.store.lists import each
from lineal.store.nodes import hold_node, hold_nodes
from lineal.store.text import number_of
from lineal.store.words import Scope, add_fields, add_words, find_word, get_words, in_order

ATTRIBUTE = (
    ("node", "bigint"),
    ("field", "bigint"),
    ("revision", "integer"),
    ("text", "bigint"),
    ("number", "double precision"),
    ("source", "bigint"),
    ("actor", "bigint"),
    ("recorded_at", "bigint"),
    ("retracted_at", "bigint"),
)
_FACET = (
    ("node", "bigint"),
    ("name", "bigint"),
    ("revision", "integer"),
    ("body", "bytea"),
    ("batch", "bigint"),
    ("recorded_at", "bigint"),
    ("retracted_at", "bigint"),
)
_RETRACT = f"UPDATE attribute SET retracted_at = :at WHERE node = :node AND field = :field AND {STANDS}"


class Attributes:
    """AttributeStore."""

    def add_params(self, tx: Tx, node: int, params: Sequence[Attribute], *, at: int) -> None:
        """Set parameters: the last value of a key stands, what it was before remains as history.

        Values are kept exactly, whatever their length. Raises Invalid: a text holds a lone surrogate.
        """
        set_attributes(tx, "params", node, params, at, "")

    def get_params(
        self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None
    ) -> dict[int, list[Attribute]]:
        """Parameters by vertex, in byte order of their keys."""
        return _get(tx, "params", nodes, as_of)

    def set_tags(self, tx: Tx, node: int, tags: Sequence[Attribute], *, at: int, actor: str = "") -> None:
        """Set tags of a run or version, as `add_params`."""
        set_attributes(tx, "tags", node, tags, at, actor)

    def get_tags(
        self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None
    ) -> dict[int, list[Attribute]]:
        """Tags by vertex, in byte order of their keys."""
        return _get(tx, "tags", nodes, as_of)

    def add_facet(self, tx: Tx, node: int, name: str, body: bytes, *, at: int, batch: int = 0) -> None:
        """Attach a JSON document under a name; an earlier one of that name remains as history."""
        self.add_facets(tx, [(node, name, body)], at=at, batch=batch)

    def add_facets(
        self, tx: Tx, facets: Sequence[tuple[int, str, bytes]], *, at: int, batch: int = 0
    ) -> None:
        """Attach documents, each given as vertex, name and body, as `add_facet` one after the other."""
        if not facets:
            return
        word = add_words(tx, {name for _, name, _ in facets})
        nodes = sorted({node for node, _, _ in facets})
        hold_nodes(tx, nodes)
        newest = {
            (node, name): (revision, None if ended else bytes(body))
            for node, name, revision, body, ended in tx.rows(
                "SELECT node, name, revision, body, retracted_at FROM facet "
                f"WHERE node IN ({each(tx, 'nodes')}) AND name IN ({each(tx, 'names')}) ORDER BY revision",
                nodes=nodes,
                names=list(word.values()),
            )
        }
        added: dict[tuple[int, int, int], list[object]] = {}
        retracted: list[dict[str, object]] = []
        for node, name, body in facets:
            key = (node, word[name])
            revision, standing = newest.get(key, (0, None))
            if standing == body:
                continue
            if (*key, revision) in added:  # replaced within this very call: recorded, and never seen to stand
                added[(*key, revision)][-1] = at
            elif standing is not None:
                retracted.append({"node": node, "name": word[name], "at": at})
            newest[key] = (revision + 1, body)
            added[(*key, revision + 1)] = [*key, revision + 1, body, batch, at, None]
        tx.run_each(
            f"UPDATE facet SET retracted_at = :at WHERE node = :node AND name = :name AND {STANDS}", retracted
        )
        insert(tx, "facet", _FACET, [tuple(row) for row in added.values()], conflict="")

    def get_facets(self, tx: Tx, node: int, *, as_of: int | None = None) -> list[FacetRecord]:
        """The documents attached to a vertex, as received, in byte order of their names."""
        rows = tx.rows(
            "SELECT f.name, f.body, f.recorded_at FROM facet f "
            f"WHERE f.node = :node AND {recorded_by(as_of, 'f')}",
            node=node,
            **values_of(as_of),
        )
        words = get_words(tx, {name for name, _, _ in rows})
        return sorted(
            (
                FacetRecord(name=words[name], body=msgspec.Raw(bytes(body)), recorded_at=at)
                for name, body, at in rows
            ),
            key=lambda facet: facet.name.encode(),
        )

    def get_facet(
        self, tx: Tx, nodes: Sequence[int], name: str, *, as_of: int | None = None
    ) -> dict[int, bytes]:
        """The document of that name by vertex, as received; vertices without one are left out."""
        word = find_word(tx, name)
        if word is None or not nodes:
            return {}
        rows = tx.rows(
            f"SELECT f.node, f.body FROM facet f WHERE f.node IN ({each(tx, 'nodes')}) AND f.name = :name "
            f"AND {recorded_by(as_of, 'f')}",
            nodes=list(nodes),
            name=word,
            **values_of(as_of),
        )
        return {node: bytes(body) for node, body in rows}


def set_attributes(tx: Tx, scope: Scope, node: int, given: Sequence[Attribute], at: int, actor: str) -> None:
    """Set parameters, tags or fields of facets: the last value of a key stands, what it was before remains as history."""
    if not given:
        return
    fields = add_fields(tx, scope, {item.key for item in given})
    word = add_words(tx, {actor, *(text for item in given for text in (item.value, item.source))})
    hold_node(tx, node)
    newest = _newest(tx, node, list(set(fields.values())))
    added: dict[tuple[int, int], list[object]] = {}
    retracted: list[dict[str, object]] = []
    for item in given:
        field, text = fields[item.key], word[item.value]
        revision, standing = newest.get(field, (0, None))
        if standing == (text, word[item.source]):
            continue
        if (field, revision) in added:  # replaced within this very call: recorded, and never seen to stand
            added[field, revision][-1] = at
        elif standing is not None:
            retracted.append({"node": node, "field": field, "at": at})
        newest[field] = (revision + 1, (text, word[item.source]))
        values = (text, number_of(item.value), word[item.source], word[actor], at, None)
        added[field, revision + 1] = [node, field, revision + 1, *values]
    tx.run_each(_RETRACT, retracted)
    insert(tx, "attribute", ATTRIBUTE, [tuple(row) for row in added.values()], conflict="")


def _newest(tx: Tx, node: int, fields: list[int]) -> dict[int, tuple[int, tuple[int, int] | None]]:
    """By field: the newest revision, and the text and source that stand."""
    rows = tx.rows(
        "SELECT field, revision, text, source, retracted_at FROM attribute "
        f"WHERE node = :node AND field IN ({each(tx, 'fields')}) ORDER BY field, revision",
        node=node,
        fields=fields,
    )
    return {
        field: (revision, None if ended else (text, source)) for field, revision, text, source, ended in rows
    }


def _get(tx: Tx, scope: Scope, nodes: Sequence[int], as_of: int | None) -> dict[int, list[Attribute]]:
    if not nodes:
        return {}
    rows = tx.rows(
        "SELECT a.node, f.name, a.text, a.source, a.recorded_at "
        "FROM attribute a JOIN field f ON f.id = a.field AND f.scope = :scope "
        f"WHERE a.node IN ({each(tx, 'nodes')}) AND {recorded_by(as_of, 'a')}",
        scope=scope,
        nodes=list(nodes),
        **values_of(as_of),
    )
    words = get_words(tx, {id for row in rows for id in row[1:4]})
    found: dict[int, list[Attribute]] = {}
    for node, key, text, source, at in in_order(rows, words):
        item = Attribute(key=words[key], value=words[text], source=words[source], recorded_at=at)
        found.setdefault(node, []).append(item)
    return found
