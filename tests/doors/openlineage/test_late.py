"""A write that comes to light behind very many reads: taken up in portions, and the server goes on by itself. On both engines."""

from __future__ import annotations

import json
import time

from lineal.service.openlineage_graph import AT_ONCE
from lineal.store.open import Store, open_store
from tests.doors.openlineage.door import Door
from tests.doors.openlineage.making import event, packed, settle_all, take

READERS = 2 * AT_ONCE + 20


def readers(count: int) -> list[bytes]:
    return [
        packed(event("COMPLETE", f"reader{n}", 100 + n, job="read", inputs=("late",))) for n in range(count)
    ]


WRITER = packed(event("COMPLETE", "writer", 50, job="write", outputs=("late",)))


def edges_from_the_write(store: Store) -> int:
    with store.read() as tx:
        return int(
            tx.value(
                "SELECT count(*) FROM edge e JOIN version v ON v.node = e.src "
                "WHERE v.digest LIKE 'ol-run:%' AND e.retracted_at IS NULL"
            )
        )


def test_a_late_write_is_found_by_all_reads_a_portion_at_a_time(store: Store) -> None:
    take(store, readers(READERS))
    assert edges_from_the_write(store) == 0
    take(store, [WRITER])
    assert edges_from_the_write(store) == AT_ONCE
    take(store, [packed(event("START", "other", 1))])  # what comes next does a portion too
    assert edges_from_the_write(store) == 2 * AT_ONCE
    assert settle_all(store) == 1
    assert edges_from_the_write(store) == READERS


def test_a_server_goes_on_by_itself(door: Door) -> None:
    door.batch([json.loads(raw) for raw in readers(AT_ONCE + 50)])
    door.send(WRITER)
    url = next(iter(door.serving.words[1:]), str(door.serving.folder / ".lineal" / "lineal.db"))
    store = open_store(url, create=False)  # a second reader
    deadline = time.monotonic() + 60
    while edges_from_the_write(store) < AT_ONCE + 50:
        assert time.monotonic() < deadline
    store.close()
