"""Conditions within conditions, lists, missing keys and several ordering keys find what a plain loop finds, on both engines."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.store.conditions import Condition, Every, Order, Some, Term, Without
from lineal.store.search import Search
from lineal.store.text import number_of
from tests.props.test_search_agrees import (
    EXAMPLES,
    KEYS,
    TEXTS,
    fulfils,
    matches,
    population,
    stores,
    terms,
    value_of,
)

FIELDS = ["job", "name", "state", *(f"{scope}.{key}" for scope in ("params", "tags") for key in KEYS)]
LISTS = st.lists(st.sampled_from([*TEXTS, "train.py", "finished", "never seen"]), min_size=1, max_size=3).map(
    tuple
)
more_terms = st.one_of(
    terms(),
    st.builds(Term, st.sampled_from(FIELDS), st.sampled_from(["IN", "NOT IN"]), LISTS),
    st.builds(Term, st.sampled_from(FIELDS), st.just("ILIKE"), st.sampled_from(["%A%", "_DAM", "adam", "%"])),
    st.builds(
        Term,
        st.sampled_from(
            [f"{scope}.{key}" for scope in ("params", "tags", "metrics") for key in [*KEYS, "none"]]
        ),
        st.sampled_from(["IS NULL", "IS NOT NULL"]),
    ),
)
conditions = st.recursive(
    more_terms,
    lambda inner: st.one_of(
        st.builds(Without, inner),
        st.builds(Every, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Some, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
orders = st.lists(
    st.builds(
        Order,
        st.sampled_from(
            [
                "started_at",
                "ended_at",
                "job",
                "state",
                "run_id",
                "metrics.p",
                "metrics.rare",
                "params.p",
                "tags.q",
            ]
        ),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda order: order.field,
)


def holds(run: dict[str, Any], condition: Condition) -> bool:
    if isinstance(condition, Without):
        return not holds(run, condition.part)
    if isinstance(condition, Every):
        return all(holds(run, part) for part in condition.parts)
    if isinstance(condition, Some):
        return any(holds(run, part) for part in condition.parts)
    value = value_of(run, condition.field)
    if condition.op in {"IS NULL", "IS NOT NULL"}:
        return (value is None) == (condition.op == "IS NULL")
    if value is None:
        return False
    if isinstance(condition.value, tuple):
        return (value in condition.value) == (condition.op == "IN")
    if condition.op == "ILIKE":
        return matches(lower(str(condition.value)), lower(value))
    return fulfils(run, condition)


def lower(text: str) -> str:
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def ordered(found: list[int], wanted: list[Order]) -> list[int]:
    runs = population()
    found = sorted(found, key=lambda i: (-runs[i]["started_at"], -i))
    for order in reversed(wanted):
        ranked: dict[tuple[int, ...], list[int]] = {}
        for index in found:
            ranked.setdefault(rank(index, order), []).append(index)
        found = []
        for stretch in sorted(ranked):
            part = ranked[stretch]
            if stretch[0] < 2:
                part = sorted(part, key=lambda i, o=order, s=stretch: key(i, o, s), reverse=order.descending)
            found += part
    return found


def rank(index: int, order: Order) -> tuple[int, ...]:
    value = index if order.field == "run_id" else value_of(population()[index], order.field)
    if value is None or value != value:
        return (2 if value is not None else 3,)
    texts = isinstance(value, str) and "." in order.field and not order.as_text
    return (1 if texts and number_of(value) is None else 0,)


def key(index: int, order: Order, stretch: tuple[int, ...]) -> Any:
    value = index if order.field == "run_id" else value_of(population()[index], order.field)
    if isinstance(value, str):
        return (
            number_of(value)
            if stretch == (0,) and "." in order.field and not order.as_text
            else value.encode()
        )
    return value


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(conditions, max_size=3),
    orders,
    st.sampled_from([0, 1, 7]),
    st.sampled_from([3, 1000]),
    st.booleans(),
)
def test_conditions_and_orders_find_what_a_plain_loop_finds(
    wanted: list[Condition], order: list[Order], offset: int, limit: int, rarest_drives: bool
) -> None:
    found = [i for i, run in enumerate(population()) if all(holds(run, condition) for condition in wanted)]
    answer = ordered(found, order)[offset : offset + limit]
    for store in stores():
        with store.read() as tx:
            number = {node: i for i, (node,) in enumerate(tx.rows("SELECT node FROM run ORDER BY node"))}
            search = Search(patience=4 if rarest_drives else 0)
            nodes = search.search_runs(tx, wanted, order=order, limit=limit, offset=offset)
        assert [number[node] for node in nodes] == answer, store.engine.url
