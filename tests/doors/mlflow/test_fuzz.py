"""Odd requests to every route of the door: whatever is sent, the answer is one JSON object and never a server's failure."""

from __future__ import annotations

import http.client
import json
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.doors.mlflow.app import paths_of, verbs
from lineal.doors.mlflow.wire import Verb
from tests.doors.mlflow.asking import Asking
from tests.doors.mlflow.serving_doors import door as door

SOAK = bool(os.environ.get("LINEAL_SOAK"))
EXAMPLES = 40 if SOAK else 4
VERBS = [verb for verb in verbs() if verb.base == "mlflow"]
NAMES = sorted(
    {name for verb in VERBS for name in verb.fields} | {"run_uuid", "value", "tags", "metrics", "models"}
)

texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "",
            "0",
            "1",
            "Default",
            "m",
            "NaN",
            "Infinity",
            "../../etc/passwd",
            "a/b",
            "\x00",
            "\ud800",
            "\u202e",
            "x" * 600,
        ]
        + [
            "metrics.m > 0",
            "params.p = '1' OR NOT tags.t LIKE '%'",
            "lineage.upstream = 'x'",
            "name DESC",
            "FINISHED",
            "ALL",
        ]
        + [
            "eyJvZmZzZXQiOjF9",
            "runs:/x/y",
            "models:/m-1",
            "file:///etc/passwd",
            "'; DROP TABLE run; --",
            "{t}",
            ":value0",
        ]
    ),
)
numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([0, 1, -1, 2**31, 2**53, 2**63 - 1, -(2**63), 1e400]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
pairs = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("key", "value", "timestamp", "step", "model_id"), scalars)
)
values = st.recursive(
    st.one_of(scalars, pairs),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=8,
)


def documents(verb: Verb) -> st.SearchStrategy[dict[str, Any]]:
    """Requests that often are nearly right: known names, values of any kind, those of the right kind among them."""
    likely = {
        "text": texts, "int": numbers, "float": numbers, "bool": st.booleans(), "texts": st.lists(texts, max_size=3),
        "items": st.lists(pairs, max_size=3), "object": pairs, "any": scalars,
    }  # fmt: skip
    known = {
        name: st.one_of(likely[field.kind], likely[field.kind], values) for name, field in verb.fields.items()
    }
    extra = dict.fromkeys(("run_id", "experiment_id", "metrics", "params", "tags"), values)
    return st.fixed_dictionaries({}, optional=extra | known)


class Wire:
    """One connection that is kept, and opened again where the server closed it."""

    def __init__(self, door: Asking) -> None:
        self._door = door
        self._connection = door.serving.connection()

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        for _ in range(2):
            try:
                headers = {} if body is None else {"Content-Type": "application/json"}
                self._connection.request(method, path, body, headers)
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, ConnectionError):
                self._connection.close()
                self._connection = self._door.serving.connection()
        raise AssertionError(f"the server hung up on {method} {path}")


@pytest.fixture(scope="module")
def wire(door: Asking) -> Iterator[Wire]:
    run = door.run()["run_id"]
    door.post("/runs/log-metric", run_id=run, key="m", value=1, timestamp=1)
    opened = Wire(door)
    yield opened
    opened.close()


def spelled(verb: Verb, document: dict[str, Any]) -> tuple[str, bytes | None]:
    """Path with query, and body, of a request."""
    path = paths_of(verb)[0]
    for name in re.findall(r"\{(\w+)(?::path)?\}", path):
        part = str(document.get(name, "x")) or "x"
        path = re.sub(
            r"\{" + name + r"(:path)?\}",
            lambda _, part=part: quote(part.encode("utf-8", "replace"), safe=""),
            path,
        )
    if verb.method == "GET":
        given = [(k, v) for k, vs in document.items() for v in (vs if isinstance(vs, list) else [vs])]
        query = urlencode([(k, str(v).encode("utf-8", "replace")) for k, v in given])
        return f"{path}?{query}"[:60_000], None
    return path, json.dumps(document).encode()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: f"{verb.method} {verb.path}")
def test_no_request_makes_the_server_fail(wire: Wire, door: Asking, verb: Verb) -> None:
    @settings(
        max_examples=EXAMPLES * 10,
        deadline=None,
        database=None,
        derandomize=not SOAK,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(documents(verb))
    def hold(document: dict[str, Any]) -> None:
        path, body = spelled(verb, document)
        status, said = wire.ask(verb.method, path, body)
        assert status < 500, (status, said[:500])
        found = json.loads(said)
        assert isinstance(found, dict)
        if status != 200:
            assert found.get("error_code") or found.get("error"), found

    hold()
    assert door.serving.get("/health").status == 200
