from __future__ import annotations

import contextlib

import pytest

from lineal.core.errors import Invalid, NotFound
from lineal.core.events import ErrorInfo, State
from lineal.store.open import Store
from tests.store.making import add_run, add_version


def test_a_run_is_given_back_as_it_was_told(store: Store) -> None:
    with store.write() as tx:
        parent = add_run(store, tx, 1)
        node = add_run(
            store, tx, 2, name="first \x00\x01 try", kind="deployment", parent=parent, started_at=-5
        )
    with store.read() as tx:
        run = store.runs.get_runs(tx, [node, 999])[node]
        assert store.runs.find_run(tx, f"{2:032x}") == node
        assert store.runs.find_run(tx, f"{3:032x}") is None
        assert store.runs.list_children(tx, parent, 10) == [node]
    assert (run.namespace, run.job, run.name, run.kind) == (
        "shop",
        "train.py",
        "first \x00\x01 try",
        "deployment",
    )
    assert (run.parent, run.actor, run.started_at, run.state) == (parent, "ada", -5, State.RUNNING)
    assert (run.ended_at, run.exit_code, run.signal, run.error, run.deleted_at) == (
        None,
        None,
        None,
        None,
        None,
    )


def test_a_run_told_twice_is_one_run_and_only_what_was_empty_is_filled_in(store: Store) -> None:
    with store.write() as tx:
        node = add_run(store, tx, 1, actor="")
        assert add_run(store, tx, 1, name="later", job="other.py", actor="bob", started_at=7) == node
    with store.read() as tx:
        run = store.runs.get_runs(tx, [node])[node]
    assert (run.job, run.name, run.actor, run.started_at) == ("train.py", "later", "bob", 101)


def test_a_run_first_heard_of_as_a_parent_takes_over_everything_when_its_start_arrives(store: Store) -> None:
    with store.write() as tx:
        node = add_run(store, tx, 1, job="", namespace="guess", actor="", started_at=500)
        add_run(store, tx, 1, job="", namespace="guess", actor="", started_at=900)
        assert store.runs.get_runs(tx, [node])[node].started_at == 500
        add_run(store, tx, 1, kind="pipeline")
    with store.read() as tx:
        run = store.runs.get_runs(tx, [node])[node]
    assert (run.namespace, run.job, run.kind, run.actor, run.started_at) == (
        "shop",
        "train.py",
        "pipeline",
        "ada",
        101,
    )


def test_runs_are_found_by_the_beginning_of_their_id(store: Store) -> None:
    with store.write() as tx:
        for number in (0x1A, 0x1B, 0x2B):
            add_run(store, tx, number << 120)
    with store.read() as tx:
        assert [run.run_id[:2] for run in store.runs.list_runs_by_prefix(tx, "1", 10)] == ["1a", "1b"]
        assert len(store.runs.list_runs_by_prefix(tx, "1", 1)) == 1
        assert len(store.runs.list_runs_by_prefix(tx, f"{0x2B << 120:032x}", 10)) == 1
        for no_prefix in ("", "g", "1%", "A", "0" * 33):
            assert store.runs.list_runs_by_prefix(tx, no_prefix, 10) == []


def test_a_state_is_history_and_saying_it_again_changes_nothing(store: Store) -> None:
    error = ErrorInfo(type="ValueError", message="a \x00 nul and \U0001f600")
    with store.write() as tx:
        node = add_run(store, tx)
        assert not store.runs.set_state(tx, node, State.RUNNING, at=101, recorded_at=1001)
        assert store.runs.set_state(tx, node, State.LOST, at=110, recorded_at=1010)
        assert not store.runs.set_state(tx, node, State.LOST, at=110, recorded_at=1011)
        assert store.runs.set_state(tx, node, State.RUNNING, at=120, recorded_at=1020)
        told = {"at": 130, "exit_code": 1, "signal": None, "error": error}
        assert store.runs.set_state(tx, node, State.FAILED, recorded_at=1030, **told)  # type: ignore[arg-type]
        assert not store.runs.set_state(tx, node, State.FAILED, recorded_at=1031, **told)  # type: ignore[arg-type]
    with store.read() as tx:
        as_of = {at: store.runs.get_runs(tx, [node], as_of=at) for at in (999, 1000, 1010, 1019, 1020, 1030)}
        assert as_of[999] == {}
        assert [as_of[at][node].state for at in (1000, 1010, 1019, 1020, 1030)] == [
            State.RUNNING,
            State.LOST,
            State.LOST,
            State.RUNNING,
            State.FAILED,
        ]
        assert [as_of[at][node].ended_at for at in (1000, 1010, 1020, 1030)] == [None, 110, None, 130]
        now = store.runs.get_runs(tx, [node])[node]
        assert (now.error, now.exit_code) == (error, 1)
        assert store.runs.list_by_state(tx, State.FAILED, 10) == [node]
        assert store.runs.list_by_state(tx, State.RUNNING, 10) == []


def test_deleting_leaves_a_tombstone_and_the_first_one_stays(store: Store) -> None:
    with store.write() as tx:
        run = add_run(store, tx)
        version, _ = add_version(store, tx)
        for node in (run, version):
            store.runs.add_deleted(tx, node, actor="ada", reason="wrong data", at=2000)
            store.runs.add_deleted(tx, node, actor="bob", reason="again", at=3000)
        with pytest.raises(NotFound):
            store.runs.add_deleted(tx, 999, actor="ada", reason="", at=2000)
    with store.read() as tx:
        assert store.runs.get_runs(tx, [run])[run].deleted_at == 2000
        assert store.runs.get_runs(tx, [run], as_of=1999)[run].deleted_at is None
        assert store.artifacts.get_versions(tx, [version])[version].deleted_at == 2000


def test_what_raised_in_a_write_leaves_nothing_behind(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError), store.write() as tx:
        add_run(store, tx)
        raise ZeroDivisionError
    with store.read() as tx:
        assert store.runs.find_run(tx, f"{1:032x}") is None


def test_a_reader_sees_one_state_while_a_writer_goes_on(store: Store) -> None:
    with store.read() as before:
        assert store.runs.find_run(before, f"{1:032x}") is None
        with store.write() as tx:
            add_run(store, tx)
        assert store.runs.find_run(before, f"{1:032x}") is None
    with store.read() as after:
        assert store.runs.find_run(after, f"{1:032x}") is not None


def test_a_number_beyond_64_bits_is_refused(store: Store) -> None:
    with pytest.raises(Invalid, match="64 bits"), store.write() as tx:
        add_run(store, tx, started_at=2**63)
    with store.write() as tx:
        node = add_run(store, tx, started_at=2**63 - 1)
        assert store.runs.get_runs(tx, [node])[node].started_at == 2**63 - 1
