"""What is sent to a server at once: enough to be quick, little enough to be taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from lineal.core.events import Batch

EVENTS = 5_000
BYTES = 16 << 20  # of journal


def portions(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """The batches in their order, some at a time.

    Facts about files, which have no position, are divided too: taken in twice they have no second effect. A batch of a
    journal stays whole, for its position stands for all of it.
    """
    part: list[Batch] = []
    events = size = 0
    for batch in (piece for whole in batches for piece in _pieces(whole)):
        length = batch.position - batch.start
        if part and (events + len(batch.events) > EVENTS or size + length > BYTES):
            yield part
            part, events, size = [], 0, 0
        part.append(batch)
        events += len(batch.events)
        size += length
    if part:
        yield part


def _pieces(batch: Batch) -> Iterator[Batch]:
    if batch.position or len(batch.events) <= EVENTS:
        yield batch
        return
    for first in range(0, len(batch.events), EVENTS):
        yield msgspec.structs.replace(batch, events=batch.events[first : first + EVENTS])
