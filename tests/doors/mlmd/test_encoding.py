"""Answers that are written column by column are the messages that protobuf's own library writes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lineal.doors.mlmd import mlmd_pb2 as pb
from lineal.doors.mlmd import wire
from lineal.doors.mlmd.encoding import repeated, varint

_NUMBERS = st.one_of(st.integers(0, 300), st.integers(-(2**63), 2**63 - 1))
_PATHS = st.none() | st.lists(st.integers(-5, 2**40) | st.text(max_size=200), max_size=3)
_EVENTS = st.tuples(_NUMBERS, _NUMBERS, _PATHS, st.integers(0, 7), _NUMBERS)


@given(st.lists(_EVENTS, max_size=40))
def test_events_in_columns_are_read_as_what_they_are(
    events: list[tuple[int, int, list[int | str] | None, int, int]],
) -> None:
    wanted = pb.LineageGraph()
    for artifact, execution, path, type, at in events:
        message = wanted.events.add(
            artifact_id=artifact, execution_id=execution, type=type, milliseconds_since_epoch=at
        )
        if path is not None:
            message.path.ParseFromString(wire.path_bytes(path))
            message.path.SetInParent()
    columns = [np.array([event[n] for event in events], dtype=np.int64) for n in (0, 1, 3, 4)]
    paths = {n: wire.path_bytes(event[2]) for n, event in enumerate(events) if event[2] is not None}
    body = repeated(
        7,
        len(events),
        [(1, columns[0]), (2, columns[1]), (3, paths), (4, columns[2]), (5, columns[3])],
    )
    assert body == wanted.SerializeToString(deterministic=True)


@given(st.integers(0, 2**63))
def test_a_number_is_written_as_a_field_holds_it(number: int) -> None:
    assert pb.Event.FromString(b"\x08" + varint(number)).artifact_id == (
        number if number < 2**63 else -(2**63)
    )
