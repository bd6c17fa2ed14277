from __future__ import annotations

import pytest

from lineal.core.errors import Invalid
from lineal.core.model import Attribute
from lineal.store.open import Store
from tests.store.making import add_run, add_version

ODD = [
    "",
    " ",
    "\x00",
    "\x01\x00\x01\x01\x02",
    "a'b\"c\\d%_*?[",
    "0.10",
    "nan",
    "1e999",
    "\n\r\t",
    "\U0010ffff\uffff",
    "\x01sha256:" + "0" * 64,
    "é" * 97,
    "x" * 96,
    "x" * 97,
]


def test_every_key_and_value_comes_back_exactly(store: Store) -> None:
    given = [Attribute(key="k" + text, value=text, source=text) for text in ODD]
    with store.write() as tx:
        node = add_run(store, tx)
        store.attributes.add_params(tx, node, given, at=5)
        store.attributes.set_tags(tx, node, given, at=5)
    wanted = sorted(
        ((item.key, item.value, item.source, 5) for item in given), key=lambda item: item[0].encode()
    )
    with store.read() as tx:
        for got in (store.attributes.get_params(tx, [node]), store.attributes.get_tags(tx, [node])):
            assert [(i.key, i.value, i.source, i.recorded_at) for i in got[node]] == wanted


def test_a_megabyte_is_kept_and_a_lone_surrogate_is_refused(store: Store) -> None:
    huge = "€" * 350_000
    with store.write() as tx:
        node = add_run(store, tx)
        store.attributes.add_params(tx, node, [Attribute(key=huge, value=huge + "x")], at=5)
        with pytest.raises(Invalid, match="lone surrogate"):
            store.attributes.add_params(tx, node, [Attribute(key="k", value="\udc80")], at=5)
    with store.read() as tx:
        (item,) = store.attributes.get_params(tx, [node])[node]
    assert (item.key, item.value) == (huge, huge + "x")


@pytest.mark.slow
def test_a_hundred_thousand_parameters_of_one_run(store: Store) -> None:
    with store.write() as tx:
        node = add_run(store, tx)
        given = [Attribute(key=f"layer.{i}.rate", value=str(i / 7)) for i in range(100_000)]
        store.attributes.add_params(tx, node, given, at=5)
    with store.read() as tx:
        got = {item.key: item.value for item in store.attributes.get_params(tx, [node])[node]}
    assert got == {item.key: item.value for item in given}


def test_the_last_value_of_a_key_stands_and_earlier_ones_remain_as_history(store: Store) -> None:
    with store.write() as tx:
        node = add_run(store, tx)
        first = [Attribute(key="lr", value=value) for value in ("1", "2", "2", "3")]
        store.attributes.add_params(tx, node, first, at=10)
    with store.write() as tx:
        store.attributes.add_params(tx, node, [Attribute(key="lr", value="3")], at=15)
        store.attributes.add_params(tx, node, [Attribute(key="lr", value="1")], at=20)

    with store.read() as tx:

        def value(as_of: int | None) -> list[str]:
            return [item.value for item in store.attributes.get_params(tx, [node], as_of=as_of).get(node, [])]

        assert [value(at) for at in (9, 10, 19, 20, None)] == [[], ["3"], ["3"], ["1"], ["1"]]
        history = tx.rows("SELECT count(*) FROM attribute WHERE node = :node", node=node)
    assert history == [(4,)]


def test_parameters_and_tags_of_the_same_key_are_two_things(store: Store) -> None:
    with store.write() as tx:
        run = add_run(store, tx)
        version, _ = add_version(store, tx)
        store.attributes.add_params(tx, run, [Attribute(key="stage", value="p")], at=5)
        store.attributes.set_tags(tx, run, [Attribute(key="stage", value="t")], at=6, actor="ada")
        store.attributes.set_tags(tx, version, [Attribute(key="stage", value="v")], at=7)
    with store.read() as tx:
        params = store.attributes.get_params(tx, [run, version])
        tags = store.attributes.get_tags(tx, [run, version])
        assert store.attributes.get_tags(tx, [run, version], as_of=6).keys() == {run}
    assert {node: items[0].value for node, items in params.items()} == {run: "p"}
    assert {node: items[0].value for node, items in tags.items()} == {run: "t", version: "v"}


def test_a_facet_is_kept_byte_by_byte_and_a_newer_one_takes_its_place(store: Store) -> None:
    old, new = b'{ "b":1,\n "a": 1e400}', b'{"b":2,"s":"\\u0000"}'
    with store.write() as tx:
        node = add_run(store, tx)
        store.attributes.add_facet(tx, node, "lineal.env/1", old, at=10, batch=3)
        store.attributes.add_facet(tx, node, "lineal.env/1", old, at=11)
        store.attributes.add_facet(tx, node, "lineal.env/1", new, at=20)
        store.attributes.add_facet(tx, node, "a.first/1", b"{}", at=20)
    with store.read() as tx:
        now = store.attributes.get_facets(tx, node)
        then = store.attributes.get_facets(tx, node, as_of=19)
    assert [(f.name, bytes(f.body), f.recorded_at) for f in now] == [
        ("a.first/1", b"{}", 20),
        ("lineal.env/1", new, 20),
    ]
    assert [(f.name, bytes(f.body), f.recorded_at) for f in then] == [("lineal.env/1", old, 10)]
