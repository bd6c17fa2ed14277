"""A lease is one holder's at a time. On both engines."""

from __future__ import annotations

import pytest

from lineal.store.open import Store


@pytest.fixture
def take(store: Store):  # type: ignore[no-untyped-def]
    def ask(holder: str, at: int, until: int) -> bool:
        with store.write() as tx:
            return store.leases.take_lease(tx, "sender", holder, at=at, until=until)

    return ask


def test_a_lease_is_one_holders_until_it_lapses(take) -> None:  # type: ignore[no-untyped-def]
    assert take("a", 1, 10)
    assert not take("b", 9, 20)
    assert take("a", 9, 15)  # renewed
    assert not take("b", 14, 20)
    assert take("b", 15, 20)
    assert not take("a", 16, 30)


def test_a_lease_that_was_left_is_free_and_nobody_leaves_anothers(store: Store, take) -> None:  # type: ignore[no-untyped-def]
    assert take("a", 1, 10)
    with store.write() as tx:
        store.leases.leave_lease(tx, "sender", "b")
    assert not take("b", 2, 20)
    with store.write() as tx:
        store.leases.leave_lease(tx, "sender", "a")
    assert take("b", 2, 20)
