from __future__ import annotations

from collections.abc import Callable

import pytest

from lineal.core.model import Attribute
from lineal.store import metrics
from lineal.store.open import Store
from lineal.store.tx import Tx
from tests.store.making import add_points, add_run, add_version, generated, used


def fill(store: Store, tx: Tx) -> None:
    source, _ = add_version(store, tx, "a")
    run = add_run(store, tx)
    made, _ = add_version(store, tx, "b")
    store.edges.add_edges(tx, [used(source, run), generated(run, made)], recorded_at=1)
    store.attributes.add_params(tx, run, [Attribute(key="lr", value="0.1")], at=1)
    add_points(store, tx, run, "loss", [(step, step, float(step)) for step in range(1000)])
    store.metrics.seal(tx, run)
    add_points(store, tx, run, "loss", [(0, 0, 0.0)])


def test_a_whole_store_has_nothing_to_report(store: Store) -> None:
    assert store.check() == []
    with store.write() as tx:
        fill(store, tx)
    assert store.check() == []


def _lost_vertex(tx: Tx) -> None:
    tx.run("UPDATE edge SET src = 999 WHERE type = (SELECT min(type) FROM edge)")


def _lost_text(tx: Tx) -> None:
    tx.run("UPDATE attribute SET text = 999999")


def _stray_vertex(tx: Tx) -> None:
    tx.run("INSERT INTO node (id, kind) VALUES (5000, 1)")


def _lost_points(tx: Tx) -> None:
    tx.run("DELETE FROM metric_block")


def _flipped_bit(tx: Tx) -> None:
    body = bytearray(tx.value("SELECT body FROM metric_chunk"))
    body[len(body) // 2] ^= 1
    tx.run("UPDATE metric_chunk SET body = :body", body=bytes(body))


def _newer_format(tx: Tx) -> None:
    body = bytearray(tx.value("SELECT body FROM metric_chunk"))
    body[0] = 77
    tx.run("UPDATE metric_chunk SET body = :body", body=bytes(body))


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_lost_vertex, "1 edges begin or end at a vertex that does not exist"),
        (_lost_text, "1 parameters or tags have a text"),
        (_stray_vertex, "1 vertices are neither"),
        (_lost_points, "1 runs have another number of metric points"),
        (_flipped_bit, "is damaged"),
        (_newer_format, "is damaged"),
    ],
)
def test_what_is_broken_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Tx], None], found: str
) -> None:
    monkeypatch.setattr(metrics, "WORTH_SEALING", 1)
    with store.write() as tx:
        fill(store, tx)
        damage(tx)
    (sentence,) = store.check()
    assert found in sentence
