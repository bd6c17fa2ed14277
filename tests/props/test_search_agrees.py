"""Searching finds what a plain loop over all runs finds, on both engines; LIKE and the order of text mean the same on both."""

from __future__ import annotations

import functools
import math
import os
import random
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.events import State
from lineal.core.model import Attribute
from lineal.store.conditions import Order, Term
from lineal.store.open import Store
from lineal.store.search import Search
from lineal.store.terms import like
from lineal.store.text import give, keep, name_of, number_of
from lineal.store.words import add_words
from tests.props.both import open_both
from tests.store.making import add_points, add_run

SOAK = bool(os.environ.get("LINEAL_SOAK"))
EXAMPLES = 3000 if SOAK else 150
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
# Few characters, so that patterns match; those that GLOB and regular expressions treat in their own way among them.
LETTERS = st.text(alphabet="aAb%_*?[]^-\\.é\U0001f600\n", max_size=8)
NUMBERS = [0.0, 0.1, 0.5, 1.0, -1.0, math.inf, -math.inf, math.nan]
TEXTS = ["0.1", "0.10", "1e-1", "1", "adam", "Adam", "ädam", "", "nan", "x" * 200]
KEYS = ["p", "q", "rare"]


@functools.cache
def stores() -> tuple[Store, ...]:
    """The same 120 runs in a store of each engine, for all examples."""
    opened = open_both()
    for store in opened:
        with store.write() as tx:
            for number, run in enumerate(population()):
                node = add_run(
                    store, tx, number + 1, name=run["name"], job=run["job"], started_at=run["started_at"]
                )
                for scope, put in (
                    ("params", store.attributes.add_params),
                    ("tags", store.attributes.set_tags),
                ):
                    put(tx, node, [Attribute(key=k, value=v) for k, v in run[scope].items()], at=1)
                for key, value in run["metrics"].items():
                    add_points(store, tx, node, key, [(1, 1, value)])
                if run["ended_at"] is not None:
                    store.runs.set_state(tx, node, State.FINISHED, at=run["ended_at"], recorded_at=1)
    return opened


@functools.cache
def population() -> list[dict[str, Any]]:
    dice = random.Random(11)
    return [
        {
            "job": dice.choice(["train.py", "eval.py"]),
            "name": dice.choice(TEXTS),
            "started_at": dice.randrange(20),
            "ended_at": dice.choice([None, dice.randrange(50)]),
            "params": {k: dice.choice(TEXTS) for k in KEYS if dice.random() < (0.05 if k == "rare" else 0.8)},
            "tags": {k: dice.choice(TEXTS) for k in KEYS if dice.random() < 0.5},
            "metrics": {
                k: dice.choice(NUMBERS) for k in KEYS if dice.random() < (0.05 if k == "rare" else 0.8)
            },
        }
        for _ in range(120)
    ]


@st.composite
def terms(draw: st.DrawFn) -> Term:
    field = draw(
        st.sampled_from(["metrics", "params", "tags", "job", "name", "state", "started_at", "ended_at"])
    )
    op = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "LIKE"]))
    if field in {"metrics", "params", "tags"}:
        field = f"{field}.{draw(st.sampled_from([*KEYS, 'unknown']))}"
    if field.startswith("metrics") or field.endswith("_at"):
        op = "=" if op == "LIKE" else op
        return Term(field, op, draw(st.sampled_from([*NUMBERS, 7.0, 7.5, 30.0])))
    if op == "LIKE":
        return Term(
            field, op, draw(st.sampled_from(["%a%", "_dam", "0.1%", "%", "", "finished", "tr%y", "x%x"]))
        )
    if field.startswith(("params", "tags")) and draw(st.booleans()):
        return Term(field, op, draw(st.sampled_from(NUMBERS)))
    return Term(field, op, draw(st.sampled_from([*TEXTS, "never seen", "train.py", "finished"])))


orders = st.builds(
    Order,
    st.sampled_from(
        ["started_at", "ended_at", "job", "name", "state", "metrics.p", "metrics.rare", "metrics.unknown"]
        + ["params.p", "params.rare", "tags.q"]
    ),
    st.booleans(),
)


def value_of(run: dict[str, Any], name: str) -> Any:
    scope, dot, key = name.partition(".")
    if dot:
        return run[scope].get(key)
    return ("running" if run["ended_at"] is None else "finished") if name == "state" else run[name]


def compare(left: Any, op: str, right: Any) -> bool:
    return {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[op]


def fulfils(run: dict[str, Any], term: Term) -> bool:
    value = value_of(run, term.field)
    if value is None:
        return False
    if term.op == "LIKE":
        return matches(str(term.value), value)
    if isinstance(term.value, str):
        return compare(value.encode(), term.op, term.value.encode())
    number = number_of(value) if isinstance(value, str) else value
    return term.op == "!=" if number is None else compare(number, term.op, term.value)


def matches(pattern: str, text: str) -> bool:
    """LIKE, said as a regular expression."""
    parts, rest = [], iter(pattern)
    for char in rest:
        if char == "\\":
            parts.append(re.escape(next(rest, "\\")))
        else:
            parts.append({"%": ".*", "_": "."}.get(char, re.escape(char)))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def ordered(found: list[int], order: Order) -> list[int]:
    runs = population()
    found = sorted(found, key=lambda i: (-runs[i]["started_at"], -i))

    def rank(index: int) -> int:
        value = value_of(runs[index], order.field)
        if value is None:
            return 2
        if isinstance(value, str) and "." in order.field:
            return 0 if number_of(value) is not None else 1
        return 1 if isinstance(value, float) and math.isnan(value) else 0

    answer: list[int] = []
    for stretch in range(3):
        part = [i for i in found if rank(i) == stretch]
        first = value_of(runs[part[0]], order.field) if part else None
        if stretch < 2 and not (isinstance(first, float) and math.isnan(first)):

            def key(index: int, stretch: int = stretch) -> Any:
                value = value_of(runs[index], order.field)
                if isinstance(value, str):
                    return number_of(value) if "." in order.field and stretch == 0 else value.encode()
                return value

            part.sort(key=key, reverse=order.descending)
        answer += part
    return answer


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(terms(), max_size=3), orders, st.sampled_from([1, 5, 1000]), st.booleans())
def test_a_search_finds_what_a_plain_loop_finds(
    wanted: list[Term], order: Order, limit: int, rarest_drives: bool
) -> None:
    found = [i for i, run in enumerate(population()) if all(fulfils(run, term) for term in wanted)]
    answer = ordered(found, order)[:limit]
    for store in stores():
        with store.read() as tx:
            number = {node: i for i, (node,) in enumerate(tx.rows("SELECT node FROM run ORDER BY node"))}
            search = Search(patience=4 if rarest_drives else 0)
            nodes = search.search_runs(tx, wanted, order=order, limit=limit)
        assert [number[node] for node in nodes] == answer, store.engine.url


@settings(max_examples=EXAMPLES, deadline=None)
@given(LETTERS, LETTERS | st.just("%a%"))
def test_like_means_the_same_on_both_engines(text: str, pattern: str) -> None:
    for store in stores():
        with store.read() as tx:
            test, values = like(tx, "x", pattern, "pattern")
            found = tx.value(
                f"SELECT {test} FROM (SELECT CAST(:text AS text) AS x) t", text=keep(text), **values
            )
        assert bool(found) == matches(pattern, text), store.engine.url


@settings(max_examples=20 if not SOAK else 300, deadline=None)
@given(st.lists(TEXT, max_size=20))
def test_text_is_kept_exactly_and_ordered_by_its_bytes_on_both_engines(texts: list[str]) -> None:
    for store in stores():
        with store.write() as tx:
            ids = add_words(tx, texts)
            rows = tx.rows("SELECT id, COALESCE(body, name) FROM word ORDER BY COALESCE(body, name)")
        got = [give(text) for id, text in rows if id in set(ids.values())]
        assert got == sorted(set(texts), key=str.encode)
        assert {text: give(dict(rows)[id]) for text, id in ids.items()} == {text: text for text in texts}


@given(TEXT, TEXT)
def test_the_stored_form_keeps_the_order_of_bytes_and_holds_no_nul(one: str, other: str) -> None:
    assert give(keep(one)) == one
    assert "\x00" not in keep(one)
    assert (keep(one).encode() < keep(other).encode()) == (one.encode() < other.encode())
    assert (name_of(keep(one)) == name_of(keep(other))) == (one == other)
