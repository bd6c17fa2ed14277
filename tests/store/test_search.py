from __future__ import annotations

import math
from typing import Any

import pytest

from lineal.core.errors import Invalid
from lineal.core.events import Reference, State
from lineal.core.model import Attribute
from lineal.store.conditions import Condition, Order, Some, Term, Without
from lineal.store.open import Store
from tests.store.making import add_points, add_run, add_version, generated, used

NAN = math.nan


@pytest.fixture
def runs(store: Store) -> dict[int, str]:
    """Runs a..f by their vertex, started one after another."""
    described = [
        # name, job, auc, params, state, group
        ("a", "train.py", 0.9, {"lr": "0.1", "opt": "adam"}, State.FINISHED, "spring"),
        ("b", "train.py", 0.7, {"lr": "0.10", "opt": "SGD"}, State.FINISHED, "spring"),
        ("c", "train.py", NAN, {"lr": "1e-1", "opt": "sgd"}, State.FAILED, "autumn"),
        ("d", "eval.py", 0.9, {"lr": "auto", "opt": "a*b"}, State.RUNNING, None),
        ("e", "eval.py", math.inf, {"opt": "a%b"}, State.RUNNING, None),
        ("f", "eval.py", None, {"lr": "-2"}, State.RUNNING, None),
    ]
    found = {}
    with store.write() as tx:
        for number, (name, job, auc, params, state, group) in enumerate(described):
            node = add_run(store, tx, number + 1, name=name, job=job, started_at=100 + number)
            found[node] = name
            given = [Attribute(key=key, value=value) for key, value in params.items()]
            store.attributes.add_params(tx, node, given, at=5)
            store.attributes.set_tags(tx, node, [Attribute(key="owner", value=name)], at=5)
            if auc is not None:
                add_points(store, tx, node, "auc", [(1, 1, 0.0), (2, 2, auc)])
            if state is not State.RUNNING:
                store.runs.set_state(tx, node, state, at=200 - number, recorded_at=1000)
            if group:
                store.groups.add_member(
                    tx, store.groups.add_group(tx, group, "experiment", parent=None, at=5), node, at=5
                )
        version, _ = add_version(store, tx)
        store.attributes.set_tags(tx, version, [Attribute(key="owner", value="a")], at=5)
    return found


def names(
    store: Store, runs: dict[int, str], *terms: Condition, order: Order | None = None, limit: int = 99
) -> str:
    with store.read() as tx:
        found = store.search.search_runs(tx, terms, order=order or Order(), limit=limit)
    return "".join(runs[node] for node in found)


@pytest.mark.parametrize(
    ("term", "found"),
    [
        (Term("metrics.auc", ">", 0.8), "eda"),
        (Term("metrics.auc", ">", "0.8"), "eda"),
        (Term("metrics.auc", "=", 0.9), "da"),
        (Term("metrics.auc", "!=", 0.9), "ecb"),
        (Term("metrics.auc", "<=", math.inf), "edba"),
        (Term("metrics.auc", "=", NAN), ""),
        (Term("metrics.auc", "!=", NAN), "edcba"),
        (Term("metrics.unknown", "!=", 1), ""),
        (Term("params.lr", "=", "0.1"), "a"),
        (Term("params.lr", "=", 0.1), "cba"),
        (Term("params.lr", "!=", 0.1), "fd"),
        (Term("params.lr", "!=", "0.1"), "fdcb"),
        (Term("params.lr", "!=", "never seen"), "fdcba"),
        (Term("params.lr", "=", "never seen"), ""),
        (Term("params.lr", "<", 0), "f"),
        (Term("params.lr", "<", "0.10"), "fa"),
        (Term("params.lr", ">=", "1e"), "dc"),
        (Term("params.unknown", "=", "x"), ""),
        (Term("params.opt", "LIKE", "s%"), "c"),
        (Term("params.opt", "LIKE", "%d_"), ""),
        (Term("params.opt", "LIKE", "_da%"), "a"),
        (Term("params.opt", "LIKE", "a*b"), "d"),
        (Term("params.opt", "LIKE", r"a\%b"), "e"),
        (Term("params.opt", "LIKE", "a%b"), "ed"),
        (Term("params.opt", "LIKE", "a\\"), ""),
        (Term("params.opt", "LIKE", "[a]%"), ""),
        (Term("tags.owner", "=", "a"), "a"),
        (Term("job", "=", "train.py"), "cba"),
        (Term("job", "!=", "train.py"), "fed"),
        (Term("job", "LIKE", "%al.py"), "fed"),
        (Term("name", ">", "d"), "fe"),
        (Term("name", "=", "never seen"), ""),
        (Term("kind", "=", "run"), "fedcba"),
        (Term("kind", "!=", "never seen"), "fedcba"),
        (Term("actor", "=", "ada"), "fedcba"),
        (Term("state", "=", "failed"), "c"),
        (Term("state", "LIKE", "f%"), "cba"),
        (Term("started_at", ">=", 103), "fed"),
        (Term("started_at", ">", 103.5), "fe"),
        (Term("started_at", "<", 101.5), "ba"),
        (Term("started_at", "=", 103.5), ""),
        (Term("started_at", "!=", 103.5), "fedcba"),
        (Term("started_at", "<", math.inf), "fedcba"),
        (Term("started_at", ">", math.inf), ""),
        (Term("started_at", "<=", "102"), "cba"),
        (Term("started_at", ">", 1e300), ""),
        (Term("ended_at", ">", 0), "cba"),
        (Term("ended_at", "!=", 199), "ca"),
        (Term("group", "=", "spring"), "ba"),
        (Term("group", "!=", "spring"), "fedc"),
        (Term("group", "!=", "never seen"), "fedcba"),
        (Term("group", "LIKE", "%n%"), "cba"),
    ],
)
def test_a_comparison_finds(store: Store, runs: dict[int, str], term: Term, found: str) -> None:
    assert names(store, runs, term) == found


def test_terms_hold_together(store: Store, runs: dict[int, str]) -> None:
    auc = Term("metrics.auc", ">", 0.5)
    assert names(store, runs, auc, Term("params.lr", "=", 0.1), Term("job", "=", "train.py")) == "ba"
    assert names(store, runs, auc, Term("metrics.auc", "<", 0.8), order=Order("metrics.auc")) == "b"
    assert names(store, runs, auc, Term("params.none", "=", "x")) == ""
    assert names(store, runs, Term("group", "!=", "spring"), Term("group", "!=", "autumn")) == "fed"


@pytest.mark.parametrize(
    ("field", "ascending", "descending"),
    [
        ("started_at", "abcdef", "fedcba"),
        ("ended_at", "cbafed", "abcfed"),
        ("metrics.auc", "bdaecf", "edabcf"),
        ("metrics.unknown", "fedcba", "fedcba"),
        ("params.lr", "fcbade", "cbafde"),
        ("params.opt", "bedacf", "cadebf"),
        ("tags.owner", "abcdef", "fedcba"),
        ("job", "fedcba", "cbafed"),
        ("name", "abcdef", "fedcba"),
        ("state", "cbafed", "fedbac"),
        ("kind", "fedcba", "fedcba"),
    ],
)
def test_an_order_has_numbers_first_then_nan_or_text_and_the_missing_last(
    store: Store, runs: dict[int, str], field: str, ascending: str, descending: str
) -> None:
    assert names(store, runs, order=Order(field, descending=False)) == ascending
    assert names(store, runs, order=Order(field, descending=True)) == descending
    assert names(store, runs, order=Order(field, descending=True), limit=4) == descending[:4]
    everybody = Term("actor", "=", "ada")
    assert names(store, runs, everybody, order=Order(field, descending=False)) == ascending


def test_the_value_that_stands_now_is_what_is_searched(store: Store, runs: dict[int, str]) -> None:
    node = next(node for node, name in runs.items() if name == "a")
    with store.write() as tx:
        store.attributes.add_params(tx, node, [Attribute(key="lr", value="0.5")], at=9)
        add_points(store, tx, node, "auc", [(3, 3, 0.1)])
    assert names(store, runs, Term("params.lr", "=", "0.1")) == ""
    assert names(store, runs, Term("params.lr", "=", 0.5)) == "a"
    assert names(store, runs, Term("metrics.auc", "<", 0.2)) == "a"


def test_deleted_runs_are_left_out_unless_asked_for(store: Store, runs: dict[int, str]) -> None:
    with store.write() as tx:
        store.runs.add_deleted(tx, next(iter(runs)), actor="ada", reason="", at=9)
    assert names(store, runs) == "fedcb"
    with store.read() as tx:
        assert len(store.search.search_runs(tx, [], order=Order(), limit=9, include_deleted=True)) == 6


@pytest.mark.parametrize(
    "term",
    [
        Term("nothing", "=", "x"),
        Term("metrics.", "=", 1),
        Term("metrics.auc", "LIKE", "0.%"),
        Term("metrics.auc", "=", "high"),
        Term("metrics.unknown", "=", "high"),
        Term("params.lr", "~", "x"),
        Term("params.lr", "LIKE", 5.0),
        Term("params.opt", "LIKE", "x" * 10_001),
        Term("job", "=", 5.0),
        Term("started_at", "=", "yesterday"),
        Term("job; DROP TABLE run", "=", "x"),
    ],
)
def test_what_cannot_be_compared_is_refused(store: Store, runs: dict[int, str], term: Term) -> None:
    with pytest.raises(Invalid):
        names(store, runs, term)


def test_an_impossible_order_or_limit_is_refused(store: Store, runs: dict[int, str]) -> None:
    for order, limit in ((Order("group"), 5), (Order("x; --"), 5), (Order(), -1), (Order(), 10**9)):
        with pytest.raises(Invalid):
            names(store, runs, order=order, limit=limit)
    assert names(store, runs, limit=0) == ""


def test_text_of_the_user_is_never_part_of_a_statement(store: Store, runs: dict[int, str]) -> None:
    for hostile in ("' OR 1=1 --", '"; DROP TABLE run; --', "{t}", ":value0", "%(x)s", "\x00"):
        assert names(store, runs, Term("params.opt", "=", hostile)) == ""
        assert names(store, runs, Term("params." + hostile, "=", hostile)) == ""
        assert names(store, runs, Term("name", "LIKE", hostile)) == ""
        assert names(store, runs, order=Order("tags." + hostile)) == "fedcba"


def test_runs_are_found_by_id_and_by_the_numbers_of_groups(store: Store, runs: dict[int, str]) -> None:
    ids = tuple(f"{number:032x}" for number in (1, 3))
    assert names(store, runs, Term("run_id", "=", ids[0])) == "a"
    assert names(store, runs, Term("run_id", "IN", (*ids, "nobody"))) == "ca"
    assert names(store, runs, Term("run_id", "LIKE", "%03")) == "c"
    with store.read() as tx:
        spring, autumn = (number for number, _, _ in store.groups.list_groups(tx, limit=9))
    assert names(store, runs, Term("group_id", "IN", (spring,))) == "ba"
    assert names(store, runs, Term("group_id", "IN", (spring, autumn, 99))) == "cba"
    assert names(store, runs, Term("group_id", "NOT IN", (spring,))) == "fedc"
    assert names(store, runs, Term("group_id", "IN", ())) == ""
    assert names(store, runs, Term("group", "NOT IN", ("spring", "autumn"))) == "fed"
    with pytest.raises(Invalid):
        names(store, runs, Term("group_id", "IN", ("spring",)))


def test_runs_are_found_by_what_they_read_and_wrote(store: Store, runs: dict[int, str]) -> None:
    a, b, c = list(runs)[:3]
    with store.write() as tx:
        data, _ = add_version(store, tx, "data.csv")
        model, _ = add_version(store, tx, "model.pkl")
        store.artifacts.add_references(tx, data, [Reference(scheme="sha256", value="ab12")], at=5)
        store.edges.add_edges(
            tx, [used(data, a), used(data, b, role="training"), generated(b, model)], recorded_at=5
        )
        store.edges.add_edges(tx, [used(model, c)], recorded_at=5)
    assert names(store, runs, Term("input.name", "=", "data.csv")) == "ba"
    assert names(store, runs, Term("input.name", "LIKE", "%.pkl")) == "c"
    assert names(store, runs, Term("input.name", "IN", ("data.csv", "model.pkl"))) == "cba"
    assert names(store, runs, Term("input.digest", "=", "ab12")) == "ba"
    assert names(store, runs, Term("input.role", "=", "training")) == "b"
    assert names(store, runs, Term("output.name", "=", "model.pkl")) == "b"
    assert names(store, runs, Term("output.name", "=", "data.csv")) == ""
    assert names(store, runs, Without(Term("input.name", "=", "data.csv"))) == "fedc"


def test_only_deleted_runs_and_later_pages_can_be_asked_for(store: Store, runs: dict[int, str]) -> None:
    with store.write() as tx:
        store.corrections.add_tombstones(tx, list(runs)[1:3], actor="ada", reason="", at=2000)
    with store.read() as tx:

        def found(**asked: Any) -> str:
            return "".join(runs[n] for n in store.search.search_runs(tx, [], order=Order(), **asked))

        assert found(limit=9, only_deleted=True) == "cb"
        assert found(limit=2, offset=1) == "ed"
        assert found(limit=2, offset=9) == ""


def test_too_many_or_too_deep_conditions_are_refused(store: Store, runs: dict[int, str]) -> None:
    term = Term("actor", "=", "ada")
    deep: Condition = term
    for _ in range(60):
        deep = Without(deep)
    for condition in (Some((term,) * 501), deep):
        with pytest.raises(Invalid):
            names(store, runs, condition)
