"""What is sent to a server at once."""

from __future__ import annotations

from lineal.core.events import Batch, Event, RunStarted
from lineal.deliver.portions import BYTES, EVENTS, portions


def batch(count: int, *, source: str = "s", start: int = 0, position: int = 0) -> Batch:
    events: list[Event] = [
        RunStarted(run=f"{number:032x}", namespace="n", job="j", at=number) for number in range(count)
    ]
    return Batch(
        door="journal", source=source, start=start, position=position, digest="", actor="", events=events
    )


def test_little_is_sent_at_once_and_in_order() -> None:
    batches = [batch(3, source=str(number), position=9) for number in range(10)]
    assert list(portions(batches)) == [batches]
    assert list(portions([])) == []


def test_many_facts_are_divided_and_none_is_lost_or_moved() -> None:
    whole = batch(2 * EVENTS + 7)
    parts = list(portions([whole]))
    assert [len(piece.events) for part in parts for piece in part] == [EVENTS, EVENTS, 7]
    assert [event for part in parts for piece in part for event in piece.events] == whole.events


def test_a_batch_of_a_journal_stays_whole_and_large_ones_travel_alone() -> None:
    first = batch(EVENTS + 1, source="a", position=BYTES)
    second = batch(1, source="b", position=BYTES)
    third = batch(1, source="c", position=1)
    assert list(portions([first, second, third])) == [[first], [second], [third]]
