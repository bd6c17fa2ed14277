"""When a trigger is due."""

from __future__ import annotations

import pytest

from lineal.core.errors import Invalid
from lineal.core.trigger import Condition, New, bytes_of, name_of

TWO = [New(1, 600), New(2, 600)]


@pytest.mark.parametrize(
    ("condition", "due"),
    [
        (Condition(), True),
        (Condition(versions=2), True),
        (Condition(versions=3), False),
        (Condition(size=1200), True),
        (Condition(size=1201), False),
        (Condition(versions=3, size=1000), True),
        (Condition(versions=3, size=1000, both=True), False),
        (Condition(versions=2, size=1000, both=True), True),
    ],
)
def test_enough_is_new(condition: Condition, due: bool) -> None:
    assert condition.is_due(TWO) is due
    assert not condition.is_due([])


def test_a_size_that_is_not_known_counts_nothing() -> None:
    assert not Condition(size=1).is_due([New(1, None)])
    assert Condition(versions=1).is_due([New(1, None)])


@pytest.mark.parametrize(
    ("said", "size"),
    [("500", 500), ("10kB", 10_000), ("10 KiB", 10_240), ("1.5m", 1_500_000), ("2GiB", 2 << 30)],
)
def test_sizes(said: str, size: int) -> None:
    assert bytes_of(said) == size


@pytest.mark.parametrize("said", ["", "-1", "5parsecs", "1e9", "MB"])
def test_what_is_no_size_is_refused(said: str) -> None:
    with pytest.raises(Invalid, match="is no size"):
        bytes_of(said)


def test_what_is_waited_for() -> None:
    assert name_of("new version of data/raw.csv") == "data/raw.csv"
    assert name_of("a NEW  versions of 'my file'") == "my file"
    with pytest.raises(Invalid, match="is nothing to wait for"):
        name_of("new version of ")
