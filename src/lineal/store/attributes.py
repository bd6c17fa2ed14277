"""Parameters, tags and facets: key/value rows whose keys and repeated texts are small integers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from lineal.core.model import Attribute, FacetRecord
from lineal.store.bulk import insert
from lineal.store.history import STANDS, recorded_by, values_of
from lineal.store.lists import each, each_pair, pairs
from lineal.store.nodes import hold_nodes
from lineal.store.text import number_of
from lineal.store.tx import Tx
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
        set_attributes(tx, "params", {node: params}, at, "")

    def get_params(
        self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None
    ) -> dict[int, list[Attribute]]:
        """Parameters by vertex, in byte order of their keys."""
        return _get(tx, "params", nodes, as_of)

    def set_tags(self, tx: Tx, node: int, tags: Sequence[Attribute], *, at: int, actor: str = "") -> None:
        """Set tags of a run or version, as `add_params`."""
        set_attributes(tx, "tags", {node: tags}, at, actor)

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


def set_attributes(
    tx: Tx,
    scope: Scope,
    given: Mapping[int, Sequence[Attribute]],
    at: int,
    actor: str,
    fresh: Collection[int] = (),
) -> None:
    """Set parameters, tags or fields of facets by vertex: the last value of a key stands, what it was before remains as history.

    Args:
        fresh: vertices that had none of them.
    """
    items = [(node, item) for node, said in given.items() for item in said]
    if not items:
        return
    fields = add_fields(tx, scope, {item.key for _, item in items})
    word = add_words(tx, {actor, *(text for _, item in items for text in (item.value, item.source))})
    known = sorted(node for node, said in given.items() if said and node not in fresh)
    hold_nodes(tx, known)
    newest = _newest(tx, {(node, fields[item.key]) for node in known for item in given[node]})
    added: dict[tuple[int, int, int], list[object]] = {}
    retracted: list[dict[str, object]] = []
    for node, item in items:
        key, text, source = (node, fields[item.key]), word[item.value], word[item.source]
        revision, standing = newest.get(key, (0, None))
        if standing == (text, source):
            continue
        if (*key, revision) in added:  # replaced within this very call: recorded, and never seen to stand
            added[(*key, revision)][-1] = at
        elif standing is not None:
            retracted.append({"node": node, "field": key[1], "at": at})
        newest[key] = (revision + 1, (text, source))
        values = (text, number_of(item.value), source, word[actor], at, None)
        added[(*key, revision + 1)] = [*key, revision + 1, *values]
    tx.run_each(_RETRACT, retracted)
    insert(tx, "attribute", ATTRIBUTE, [tuple(row) for row in added.values()], conflict="")


_Newest = dict[tuple[int, int], tuple[int, tuple[int, int] | None]]


def _newest(tx: Tx, wanted: set[tuple[int, int]]) -> _Newest:
    """By vertex and field: the newest revision, and the text and source that stand."""
    if not wanted:
        return {}
    columns = "a.node, a.field, a.revision, a.text, a.source, a.retracted_at FROM"
    nodes, fields = {node for node, _ in wanted}, sorted({field for _, field in wanted})
    if len(nodes) == 1:
        rows = tx.rows(
            f"SELECT {columns} attribute a WHERE a.node = :node AND a.field IN ({each(tx, 'fields')}) "
            "ORDER BY a.field, a.revision",
            node=next(iter(nodes)),
            fields=fields,
        )
    else:
        rows = tx.rows(
            f"SELECT {columns} ({each_pair(tx, 'wanted', 'bigint', 'bigint')}) w "
            "CROSS JOIN attribute a WHERE a.node = w.one AND a.field = w.other "
            "ORDER BY a.node, a.field, a.revision",
            **pairs(tx, "wanted", sorted(wanted)),
        )
    return {
        (node, field): (revision, None if ended else (text, source))
        for node, field, revision, text, source, ended in rows
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
