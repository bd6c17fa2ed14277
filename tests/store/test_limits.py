"""A question that computes for too long is refused, on both engines."""

from __future__ import annotations

import time

import pytest

from lineal.core.errors import Invalid
from lineal.store.open import Store

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_a_question_ends_when_its_time_is_over_and_the_next_is_answered(store: Store) -> None:
    store.engine.query_s = 0.2
    begun = time.monotonic()
    with pytest.raises(Invalid, match="longer than a question may"), store.read() as tx:
        tx.rows(ENDLESS)
    assert time.monotonic() - begun < 5
    with store.read() as tx:
        assert tx.value("SELECT 1") == 1
    store.engine.query_s = None
    with store.read() as tx:
        assert tx.value("SELECT 2") == 2
