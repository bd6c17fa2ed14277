"""What is PostgreSQL's own: several writers at once, and a server that goes away."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from lineal.core.errors import Conflict, LinealError, Unavailable
from lineal.core.model import Attribute
from lineal.store.open import Store, open_store
from lineal.store.tx import Tx, undoable
from tests.store import postgres_server
from tests.store.making import add_points, add_run, add_version, used

pytestmark = pytest.mark.postgres


@pytest.fixture
def url() -> Iterator[str]:
    if reason := postgres_server.absent():
        pytest.skip(f"PostgreSQL is not installed: {reason}")
    made = postgres_server.server().schema()
    yield made
    postgres_server.server().drop(made)


def at_once(url: str, work: Callable[[Store, int], None], writers: int = 4) -> list[BaseException]:
    """Let several servers do the same work at once; what they raised."""
    open_store(url).close()
    failed: list[BaseException] = []
    barrier = threading.Barrier(writers)

    def run(number: int) -> None:
        store = open_store(url)
        try:
            barrier.wait(20)
            work(store, number)
        except BaseException as error:
            failed.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_leaves_of_many_writers_are_numbered_without_gap_in_the_order_of_commits(url: str) -> None:
    def work(store: Store, number: int) -> None:
        for _ in range(25):
            with store.write() as tx:
                store.audit.add_leaf(tx, door="d", actor=str(number), action="", digest="", body=b"", at=1)

    assert at_once(url, work) == []
    store = open_store(url)
    with store.read() as tx:
        assert store.audit.get_head(tx)[0] == 100
        assert store.audit.verify(tx) == []
    store.close()


def test_many_writers_of_the_same_things_make_each_once_and_lose_no_point(url: str) -> None:
    def work(store: Store, number: int) -> None:
        for step in range(20):
            with store.write() as tx:
                node = add_run(store, tx, 1)
                version, _ = add_version(store, tx, "same.csv", digest=f"sha256:{step}")
                store.edges.add_edges(tx, [used(version, node)], recorded_at=1)
                add_points(store, tx, node, "loss", [(step, number, 1.0)])
                store.attributes.add_params(tx, node, [Attribute(key="who", value=str(number))], at=step)
                store.audit.add_leaf(tx, door="d", actor="", action="", digest="", body=b"", at=1)

    assert at_once(url, work) == []
    store = open_store(url)
    with store.read() as tx:
        node = store.runs.find_run(tx, f"{1:032x}")
        assert node is not None
        assert tx.value("SELECT count(*) FROM run") == 1
        numbers = [version.number for version in store.artifacts.list_versions(tx, "shop", "same.csv")]
        assert sorted(numbers) == list(range(1, 21))
        assert len(store.edges.get_in(tx, [node])) == 20
        assert store.metrics.get_summaries(tx, [node])[node][0].count == 80
        assert len(store.metrics.get_points(tx, node, "loss").step) == 80
        assert len(store.attributes.get_params(tx, [node])[node]) == 1
    store.close()


def test_one_of_two_writers_that_move_an_alias_at_once_is_told(url: str) -> None:
    store = open_store(url)
    with store.write() as tx:
        store.registry.register(tx, "churn", add_version(store, tx)[0], actor="", at=1)

    def work(store: Store, number: int) -> None:
        with store.write() as tx:
            store.registry.move_alias(
                tx, "churn", "champion", 1, expect=0, actor=str(number), reason="", at=number
            )

    failed = at_once(url, work)
    assert [type(error) for error in failed] == [Conflict] * 3
    with store.read() as tx:
        assert len(store.registry.list_aliases(tx, "churn", history=True)) == 1
    store.close()


def test_a_lost_connection_is_a_sentence_and_the_next_use_connects_again(url: str) -> None:
    store = open_store(url)
    killer = open_store(url)

    def kill(tx: Tx) -> None:
        with killer.read() as other:
            other.rows("SELECT pg_terminate_backend(:pid)", pid=tx.value("SELECT pg_backend_pid()"))
        tx.rows("SELECT 1")

    def write_and_lose_the_server() -> None:
        with store.write() as tx:
            add_run(store, tx, 1)
            kill(tx)

    with pytest.raises(Unavailable, match="cannot talk to"):
        write_and_lose_the_server()
    with pytest.raises(Unavailable, match="cannot talk to"), store.read() as tx:
        kill(tx)
    with store.write() as tx:
        add_run(store, tx, 2)
    with store.read() as tx:
        assert tx.value("SELECT count(*) FROM run") == 1
    store.close()
    killer.close()


def test_a_connection_that_died_while_idle_costs_no_question(url: str) -> None:
    store, killer = open_store(url), open_store(url)
    with store.write() as tx:
        writer = tx.value("SELECT pg_backend_pid()")
    with store.read() as tx:
        reader = tx.value("SELECT pg_backend_pid()")
    with killer.read() as tx:
        tx.rows("SELECT pg_terminate_backend(:w), pg_terminate_backend(:r)", w=writer, r=reader)
    with store.write() as tx:
        add_run(store, tx)
    with store.read() as tx:
        assert tx.value("SELECT count(*) FROM run") == 1
    store.close()
    killer.close()


def test_a_server_that_is_not_there_is_a_sentence_without_the_password() -> None:
    if reason := postgres_server.absent():
        pytest.skip(f"PostgreSQL is not installed: {reason}")
    with pytest.raises(Unavailable, match="cannot talk to") as caught:
        open_store("postgresql://ada:s3cret-word@/db?host=/nonexistent", timeout_s=1)
    assert "s3cret-word" not in str(caught.value)


def test_colons_and_percent_signs_in_a_statement_mean_what_they_say(url: str) -> None:
    store = open_store(url)
    with store.read() as tx:
        assert tx.row("SELECT ':a', \"x\".\"y:z\", 7 % :m, '50%'::text, :a::text -- :no\n FROM (SELECT 1 AS \"y:z\") x",
                      a="v", m=4) == (":a", 1, 3, "50%", "v")  # fmt: skip
    store.close()


def test_a_forked_child_uses_connections_of_its_own(url: str) -> None:
    store = open_store(url)
    with store.write() as tx:
        add_run(store, tx, 1)
    child = os.fork()
    if child == 0:
        try:
            with store.write() as tx:
                add_run(store, tx, 2)
            store.close()
        except LinealError:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with store.write() as tx:
        add_run(store, tx, 3)
        assert tx.value("SELECT count(*) FROM run") == 3
    store.close()


def add_node(tx: Tx, id: int) -> None:
    """A statement nobody waits for."""
    tx.run("INSERT INTO node (id, kind) VALUES (:id, 1)", id=id)


def nodes(store: Store) -> list[int]:
    with store.read() as tx:
        return sorted(id for (id,) in tx.rows("SELECT id FROM node"))


def test_what_is_wrong_with_a_statement_nobody_waited_for_undoes_its_transaction(url: str) -> None:
    store = open_store(url)

    def twice(*, then_ask: bool) -> None:
        with store.write() as tx:
            node = add_run(store, tx, 1)
            add_node(tx, node)
            if then_ask:
                store.attributes.add_params(tx, node, [Attribute(key="late", value="1")], at=1)

    for then_ask in (True, False):  # else it is seen no sooner than at the commit
        with pytest.raises(Unavailable, match="another writer recorded the same"):
            twice(then_ask=then_ask)
    assert nodes(store) == []
    store.close()


def test_a_part_is_undone_with_what_nobody_waited_for_and_nothing_else_is(url: str) -> None:
    store = open_store(url)

    def part(tx: Tx, *ids: int) -> None:
        with undoable(tx):
            for id in ids:
                add_node(tx, id)
            if len(ids) == 1:
                raise ZeroDivisionError

    with store.write() as tx:
        add_node(tx, 101)
        with pytest.raises(Unavailable):
            part(tx, 102, 101)
        with pytest.raises(ZeroDivisionError):
            part(tx, 103)
        add_node(tx, 104)
    assert nodes(store) == [101, 104]
    store.close()


def test_questions_asked_together_have_their_own_answers_in_the_order_of_what_was_said(url: str) -> None:
    store = open_store(url)
    with store.write() as tx:
        before = tx.ask("SELECT count(*) FROM node")
        tx.run("INSERT INTO node (id, kind) VALUES (101, 1)")
        between = tx.ask("SELECT count(*) FROM node")
        tx.run("INSERT INTO node (id, kind) VALUES (102, 1)")
        assert tx.value("SELECT count(*) FROM node") == 2
        assert (between(), before()) == ([(1,)], [(0,)])
    store.close()
