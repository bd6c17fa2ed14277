"""MLflow's filters of experiments, registered models and model versions are read by the query language as MLflow reads them, and
find the same model versions."""

from __future__ import annotations

import functools
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core import query as q
from lineal.core.query_text import parse
from lineal.doors.mlflow import experiment_search, filters, grammar, registry, registry_search, version_verbs
from lineal.doors.mlflow.errors import MlflowError
from lineal.service.operations import Scope
from lineal.service.query import search
from lineal.store.open import Store
from tests.props.both import open_both
from tests.store.making import add_run

NAMES = ["churn", "Churn", "delay", "it's"]
KEYS = ["stage", "my key", "a.b", "é"]
TEXTS = ["prod", "Prod", "0.1", "", "it's", "50%", "a_b"]
PATTERNS = ["p%", "%o%", "_rod", "P%", "%", "", "churn", "%'%", "50%"]
RUNS = [f"{number:032x}" for number in range(1, 7)]
SOURCES = ["s3://models/a", "s3://models/B", "runs:/"]
SIGNS = ["=", "!=", "<", "<=", ">", ">=", "==", "<>"]


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def one_of(*options: str) -> st.SearchStrategy[str]:
    return st.sampled_from(options)


@st.composite
def comparisons(draw: Any, kinds: tuple[str, ...]) -> str:
    """One comparison that MLflow takes, of one of these kinds."""
    text = quoted(draw(st.sampled_from([*NAMES, *TEXTS, *PATTERNS])))
    listed = ", ".join(quoted(t) for t in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)))
    plain, listing = draw(one_of("=", "!=", "LIKE", "ilike", "<>")), draw(one_of("IN", "not in"))
    kind = draw(st.sampled_from(kinds))
    head = draw(one_of("", "attribute.", "attributes."))
    if kind == "tag":
        key = draw(st.sampled_from(KEYS))
        key = key if key.isalnum() and key.isascii() else draw(one_of(f"`{key}`", f'"{key}"'))
        said = f"{draw(one_of('tag', 'tags'))}.{key}"
        return draw(one_of(f"{said} {plain} {text}", f"{said} {plain} {text}", f"{said} IS NULL"))
    if kind == "name":
        return f"{head}name {draw(one_of(f'{plain} {text}', f'{listing} ({listed})'))}"
    if kind == "number":
        number = draw(one_of("1", "2", "'3'", "-1", "1.5", "9"))
        return f"{head}version_number {draw(st.sampled_from(SIGNS))} {number}"
    if kind == "run":
        ids = draw(st.lists(st.sampled_from([*RUNS, "none"]), min_size=1, max_size=3))
        return f"{head}run_id " + draw(
            one_of(f"{plain} {quoted(ids[0])}", f"{listing} ({', '.join(map(quoted, ids))})")
        )
    if kind == "source":
        return (
            f"source_path {plain} {quoted(draw(st.sampled_from([*SOURCES, 's3%', '%models/b', 'S3://%'])))}"
        )
    if kind == "experiment":
        return f"{head}experiment_id " + draw(one_of("= '1'", "!= '2'", "IN ('1', '3')", "not in ('0')"))
    name = draw(one_of("creation_time", "last_update_time"))
    return f"{head}{name} {draw(st.sampled_from(SIGNS))} {draw(one_of('0', '1700000000000', '-5'))}"


def filters_of(*kinds: str) -> st.SearchStrategy[str]:
    """Filters of such comparisons."""
    return st.recursive(
        comparisons(kinds),
        lambda inner: st.one_of(
            st.tuples(inner, one_of("and", "AND", "or", "OR"), inner).map(" ".join),
            inner.map(lambda one: f"({one})"),
            inner.map(lambda one: f"not ({one})"),
        ),
        max_leaves=5,
    )


OF_VERSIONS = filters_of("tag", "name", "number", "run", "source")


# ---- how they are read -----------------------------------------------------------------------------------------------------


def same(here: q.Node | None, there: filters.Expression | None) -> bool:
    """Whether both say the same."""
    if isinstance(here, q.Compare) and isinstance(there, filters.Compare):
        return (here.entity, here.key, here.op, here.value) == there[:4]
    if isinstance(here, q.Not) and isinstance(there, filters.Not):
        return same(here.part, there.part)
    for mine, other in ((q.All, filters.And), (q.Any, filters.Or)):
        if isinstance(here, mine) and isinstance(there, other):
            return len(here.parts) == len(there.parts) and all(map(same, here.parts, there.parts))
    return here is there is None


def holds(node: q.Node, look: grammar.Look) -> bool:
    """Whether what the query language reads holds, by MLflow's own comparisons."""
    if isinstance(node, q.Not):
        return not holds(node.part, look)
    if isinstance(node, q.All | q.Any):
        return (all if isinstance(node, q.All) else any)(holds(part, look) for part in node.parts)
    assert isinstance(node, q.Compare)
    entity = {"tag": "tag", "tags": "tag"}.get(node.entity, "attribute")
    value: Any = node.value
    if node.key == "version_number" and isinstance(value, str):
        value = int(value)
    found = look(entity, node.key)
    return grammar.holds(grammar.Comparison(entity, node.key, node.op, value), found)


@settings(max_examples=150, deadline=None)
@given(filters_of("tag", "name", "experiment", "time"))
def test_a_filter_of_experiments_says_the_same_in_the_query_language(text: str) -> None:
    try:
        there = filters.parse(text)
        for said in filters.comparisons(there):
            experiment_search._check(said)
    except MlflowError:
        return
    assert same(parse(text).condition, there), text


@settings(max_examples=150, deadline=None)
@given(OF_VERSIONS, st.randoms(use_true_random=False))
def test_a_filter_of_registered_models_and_versions_says_the_same_in_the_query_language(
    text: str, dice: random.Random
) -> None:
    for rules in (registry_search._MODEL_RULES, registry_search._VERSION_RULES):
        try:
            match, _ = grammar.parse(text, rules)
        except MlflowError:
            continue
        here = parse(text).condition
        assert here is not None
        for _ in range(5):
            values = {
                "name": dice.choice(NAMES),
                "run_id": dice.choice([*RUNS, None]),
                "source_path": dice.choice(SOURCES),
                "version_number": dice.randrange(1, 4),
            }
            tags = {key: dice.choice(TEXTS) for key in KEYS if dice.random() < 0.7}

            def look(
                entity: str, key: str, values: dict[str, Any] = values, tags: dict[str, str] = tags
            ) -> grammar.Found:
                return tags.get(key) if entity == "tag" else values[key]  # type: ignore[no-any-return]

            assert match(look) == holds(here, look), text


# ---- what they find --------------------------------------------------------------------------------------------------------


def scope_of(store: Store, tx: Any, at: int = 1_000_000) -> Scope:
    return Scope(tx=tx, store=store, blobs=None, namespace="p", actor="t", at=at)


@functools.cache
def stores() -> tuple[Store, ...]:
    """40 model versions, registered as MLflow's clients do it, in a store of each engine."""
    opened = open_both()
    for store in opened:
        dice = random.Random(5)
        with store.write() as tx:
            scope = scope_of(store, tx)
            for number, run in enumerate(RUNS):
                add_run(store, tx, number + 1, job="train.py")
                assert store.runs.find_run(tx, run) is not None
            for name in NAMES:
                registry.create(scope, {"name": name})
            for _ in range(40):
                source, run = dice.choice(SOURCES), dice.choice(RUNS)
                tags = [{"key": k, "value": dice.choice(TEXTS)} for k in KEYS if dice.random() < 0.6]
                said = {"name": dice.choice(NAMES), "source": source, "tags": tags}
                if source == "runs:/":
                    said |= {"source": f"runs:/{run}/model", "run_id": run}
                elif dice.random() < 0.5:
                    said["run_id"] = run
                made = version_verbs.create(scope, said)["model_version"]
                which = {"name": made["name"], "version": made["version"]}
                key = dice.choice(KEYS)
                if dice.random() < 0.3:
                    version_verbs.set_tag(scope, {**which, "key": key, "value": dice.choice(TEXTS)})
                elif dice.random() < 0.3:
                    version_verbs.delete_tag(scope, {**which, "key": key})
    return opened


@settings(max_examples=80, deadline=None)
@given(OF_VERSIONS)
def test_every_filter_of_model_versions_finds_the_same(text: str) -> None:
    for store in stores():
        with store.read() as tx:
            scope = scope_of(store, tx)
            try:
                found = registry_search.search_versions(scope, {"filter": text})["model_versions"]
            except MlflowError:
                return
            nodes, _ = search(scope, "models", text, limit=100)
            named = store.registry.list_names_of(tx, nodes)
            here = sorted((entry.name, str(entry.number)) for entry in named)
        assert here == sorted((one["name"], one["version"]) for one in found), store.engine.url
