"""A user's mistake is never the server's: whatever is sent to the native routes, the answer is no 5xx."""

from __future__ import annotations

import enum
import http.client
import json
import os
import types
import typing
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.core import events as ev
from lineal.service import operations
from tests.server.making import API, client, ingest, started
from tests.server.serving import Serving, begun
from tests.store import postgres_server

EXAMPLES = 5000 if os.environ.get("LINEAL_SOAK") else 150
TABLE = operations.table()
KNOWN = [
    "a.csv",
    "a.csv@1",
    "churn",
    "churn@1",
    "churn@champion",
    f"run:{1:032x}",
    "run:0",
    "sha256:00",
    "loss",
    "prod",
]
FILTERS = [
    "metrics.loss > 0",
    "params.a = '1'",
    "tags.x LIKE '%a%'",
    "started_at > 0 AND state = finished",
    "AND",
    "'",
]

texts = st.one_of(
    st.sampled_from([*KNOWN, *FILTERS]),
    st.text(max_size=30),
    st.sampled_from(["", "\x00", "\u202e", "%", "a" * 5000]),
)
numbers = st.one_of(
    st.integers(-5, 5), st.integers(), st.sampled_from([2**31, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30])
)
wrong = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """JSON values that mostly fit a type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(values(part) for part in arguments))
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is list:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(texts, values(arguments[1]), max_size=2)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return structs(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from([member.value for member in kind])
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        int: numbers,
        bool: st.booleans(),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bytes: st.sampled_from(["", "AAAA", "AAAAAAAAAAA=", "!"]),
        type(None): st.none(),
    }
    return plain.get(kind, wrong)


def structs(kind: Any) -> st.SearchStrategy[dict[str, Any]]:
    fields = msgspec.structs.fields(kind)
    given_always = {
        field.encode_name: st.one_of(values(field.type), values(field.type), values(field.type), wrong)
        for field in fields
        if field.required
    }
    optional = {
        field.encode_name: st.one_of(values(field.type), wrong) for field in fields if not field.required
    }
    tag = kind.__struct_config__.tag
    if tag is not None:
        given_always[kind.__struct_config__.tag_field] = st.just(tag)
    return st.fixed_dictionaries(given_always, optional=optional)


BODIES = {name: structs(row.request) for name, row in TABLE.items()}
asked = st.sampled_from(sorted(TABLE)).flatmap(lambda name: st.tuples(st.just(name), BODIES[name]))


@pytest.fixture(
    scope="module", params=[pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]
)
def stocked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    store = ""
    if request.param == "postgres":
        if reason := postgres_server.absent():
            pytest.skip(f"PostgreSQL is not installed: {reason}")
        store = postgres_server.server().schema()
    server = Serving(begun(tmp_path_factory.mktemp("fuzzed")), store=store).start()
    run = f"{1:032x}"
    data = ev.VersionState(namespace="shop", name="a.csv", digest="sha256:" + "0" * 64, size=70)
    with client(server) as remote:
        remote.call(
            "ingest",
            ingest(
                started(1),
                ev.VersionGenerated(run=run, version=data, at=5),
                ev.ParamSet(run=run, key="a", value="1", at=3),
            ),
        )
    yield server
    server.close()


def tried(server: Serving, method: str, path: str, body: bytes | None, **headers: str) -> int:
    connection: http.client.HTTPConnection = server.connection()
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    assert answer.status < 500, (method, path[:500], body and body[:2000], said, server.log[-3000:])
    if answer.status >= 400:
        assert json.loads(said)["error"]["message"], (method, path, said)
    return answer.status


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(question=asked)
def test_no_body_makes_the_server_fail(stocked: Serving, question: tuple[str, dict[str, Any]]) -> None:
    name, body = question
    row = TABLE[name]
    tried(stocked, "POST", API + row.path, json.dumps(body).encode())
    if not row.write:
        pairs = [(key, value) for key, value in body.items() if isinstance(value, (str, int, float, bool))]
        query = "&".join(f"{quote(str(key))}={quote(str(value))}" for key, value in pairs)
        tried(stocked, "GET", f"{API}{row.path}?{query}", None)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]),
    path=st.one_of(
        st.sampled_from([API + row.path for row in TABLE.values()]),
        st.text(st.characters(max_codepoint=255), max_size=20).map(lambda text: f"{API}/{quote(text)}"),
        st.sampled_from(["..", "%2e%2e", "%00", "%ff", ";x", "\\", "//", "%252e"]).map(
            lambda part: f"{API}/blobs/{part}/x"
        ),
    ),
    query=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=20),
    body=st.one_of(st.binary(max_size=40), wrong.map(lambda value: json.dumps(value).encode())),
    key=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300),
)
def test_no_request_makes_the_server_fail(
    stocked: Serving, method: str, path: str, query: str, body: bytes, key: str
) -> None:
    connection = stocked.connection()
    try:
        connection.putrequest(method, f"{path}?{query}")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Idempotency-Key", key.strip() or "k")
        connection.endheaders(body)
        assert connection.getresponse().status < 500
    finally:
        connection.close()


def test_the_server_lives_and_its_store_is_whole_after_all_that(stocked: Serving) -> None:
    assert stocked.healthy()
    assert stocked.get(f"{API}/fsck").json["problems"] == []


def test_every_operation_is_in_the_document_that_describes_the_api(stocked: Serving) -> None:
    document = stocked.get(f"{API}/openapi.json").json
    assert document["openapi"] == "3.1.0"
    for row in TABLE.values():
        item = document["paths"][API + row.path]
        assert item["post"]["operationId"] == row.name
        assert ("get" in item) is not row.write
        if not row.write:
            parameters = {each["name"] for each in item["get"]["parameters"]}
            assert parameters == {field.encode_name for field in msgspec.structs.fields(row.request)}
    named = json.dumps(document)
    for reference in set(
        typing.cast("list[str]", __import__("re").findall(r'"#/components/schemas/([^"]+)"', named))
    ):
        assert reference in document["components"]["schemas"], reference
