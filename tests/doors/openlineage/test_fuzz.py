"""Whatever stands where in an event: it is taken in or refused in our words, and what is taken in can be asked for."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.json import encode

from lineal.core.errors import Invalid
from lineal.doors.openlineage import shapes
from lineal.service import openlineage_catalog as catalog
from lineal.service import openlineage_search as searching
from lineal.service.openlineage_lineage import column_lineage, lineage
from lineal.service.operations import ALL_PERMISSIONS, Scope
from lineal.store.open import Store, open_store
from tests.doors.openlineage.making import data, event, facet, record, recorded, take

_COLUMN = {"namespace": "pg://db:1", "name": "a", "field": "x"}
_RICH = event(
    "COMPLETE",
    "rich",
    5,
    inputs=(data("a", version="1", symlinks=("b",), schema=facet(fields=[{"name": "x", "type": "INT"}])),),
    outputs=(
        data(
            "c",
            columnLineage=facet(fields={"x": {"inputFields": [_COLUMN]}}),
            lifecycleStateChange=facet(lifecycleStateChange="RENAME", previousIdentifier=_COLUMN),
            tags=facet(tags=[{"key": "pii", "value": "true"}]),
            lineage=facet(inputs=[{**_COLUMN, "type": "DATASET"}]),
        ),
    ),
    parent="p",
    job_type="TASK",
    run_facets={
        "errorMessage": facet(message="no"),
        "nominalTime": facet(nominalStartTime="x"),
        "mlflow": facet(run_id="1" * 32),
    },
    job_facets={
        "dbt_node": facet(unique_id="model.x"),
        "lineage": facet(entries=[{**_COLUMN, "type": "DATASET"}]),
    },
)
_EVENTS: list[Any] = [_RICH, *(json.loads(line) for line in recorded("dbt_duckdb_build_file.jsonl"))]
_HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "\x00",
            "\x01\x02",
            "\ud800",
            "x" * 5000,
            "é" * 4096,
            "../../etc/passwd",
            "'; DROP TABLE run; --",
            "%s%n{}",
            "9999-12-31T23:59:59.999999Z",
            "0001-01-01T00:00:00+23:59",
            "2026-03-03T12:00:00",
            "STREAMING",
            "TEST",
            "SQL",
            "FAIL",
            "11111111-1111-1111-1111-111111111111",
            [],
            {},
            [[[[[]]]]],
            {"facets": {"facets": {}}},
        ]
    ),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything within a value."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        found += places(part, (*path, key))
    return found


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """An event of which up to three parts are something else, or are called so, or are gone."""
    found = json.loads(json.dumps(draw(st.sampled_from(_EVENTS))))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(found)))
        holder = found
        for step in way:
            holder = holder[step]
        kind = draw(st.sampled_from(["value", "value", "key", "gone"]))
        if kind == "gone":
            del holder[last]
        elif kind == "key" and isinstance(holder, dict):
            holder[
                draw(
                    st.sampled_from(
                        ["", "\x00", "\ud800", "x" * 3000, "a.b.c", "job.sql", "openlineage.gaps", "_deleted"]
                    )
                )
            ] = holder.pop(last)
        else:
            holder[last] = draw(_HOSTILE)
        if not places(found):
            break
    return found


def ask_everything(store: Store) -> None:
    with store.read() as tx:
        scope = Scope(tx=tx, store=store, blobs=None, namespace="p", actor="a", at=1, grants=ALL_PERMISSIONS)
        jobs, _ = store.linked.list_linked_jobs(tx, limit=20)
        datasets, _ = store.linked.list_linked_datasets(tx, limit=20)
        for job in jobs:
            encode(shapes.graph(lineage(scope, job=job, depth=3)))
        for dataset in datasets:
            encode(shapes.columns(column_lineage(scope, [dataset], None, depth=3, downstream=True)))
            encode([shapes.dataset_version(view) for view in catalog.version_views(scope, dataset)[0]])
        searching.tags(scope)
        searching.namespaces(scope)
        searching.search(scope, "%a_")


@settings(
    max_examples=2000 if os.environ.get("LINEAL_SOAK") else 120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(spoilt())
def test_a_spoilt_event_is_taken_in_or_refused_in_our_words(tmp_path: Path, said: Any) -> None:
    store = open_store(str(tmp_path / f"{os.urandom(4).hex()}.db"))
    with contextlib.closing(store):
        refused = ""
        try:
            take(store, [json.dumps(said).encode()])
        except Invalid as error:
            refused = error.message
        take(store, [json.dumps(_RICH).encode()])
        ask_everything(store)
        assert refused or record(store)["runs"]
