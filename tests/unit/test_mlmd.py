"""The grammar of filters, values as JSON, and the rules of types and masks, without a store."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.core import mlmd
from lineal.core import mlmd_names as names
from lineal.core.errors import Conflict, Invalid
from lineal.core.mlmd import Kind, Node, Of, Type
from lineal.core.mlmd_filter import Both, Compare, Field, Literal_, Not, parse
from lineal.core.mlmd_struct import any_of, plain, scalars, struct_of

struct_pb2 = pytest.importorskip("google.protobuf.struct_pb2")

# A busy machine takes long for anything.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
KEYS = st.text(max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@PATIENT
@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_a_struct_is_read_as_protobuf_reads_it(document: dict[str, object]) -> None:
    message = struct_pb2.Struct()
    message.update(document)
    assert struct_of(message.SerializeToString()) == document


@PATIENT
@given(st.binary(max_size=60))
def test_bytes_that_are_no_message_are_refused_and_nothing_else_happens(body: bytes) -> None:
    for read in (struct_of, any_of):
        try:
            read(body)
        except Invalid:
            continue


def test_a_struct_nested_without_end_is_refused() -> None:
    value = b""
    for _ in range(90):  # Value.list_value.values, once in another
        value = _field(6, _field(1, value))
    with pytest.raises(Invalid, match=r"google\.protobuf\.Struct"):
        struct_of(_field(1, _field(1, b"a") + _field(2, value)))


def _field(number: int, body: bytes) -> bytes:
    size, count = b"", len(body)
    while count > 0x7F:
        size += bytes([count & 0x7F | 0x80])
        count >>= 7
    return bytes([number << 3 | 2]) + size + bytes([count]) + body


def test_what_json_has_no_number_for_is_text() -> None:
    said = plain(
        {"a": (Of.DOUBLE, math.nan), "b": (Of.DOUBLE, math.inf), "c": (Of.INT, 3), "d": (Of.BOOL, True)}
    )
    assert said == {"a": "nan", "b": "inf", "c": 3, "d": True}


def test_scalars_of_a_struct_are_parameters_under_its_name() -> None:
    body = struct_pb2.Struct()
    body.update({"lr": 0.5, "n": 3, "name": "x", "deep": {"no": 1}, "on": True})
    found = dict(scalars({"inputs": (Of.STRUCT, body.SerializeToString()), "e": (Of.INT, 7)}))
    assert found == {"inputs.lr": "0.5", "inputs.n": "3", "inputs.name": "x", "inputs.on": "true", "e": "7"}


def test_and_binds_closer_than_or_and_not_closer_than_and() -> None:
    found = parse("id = 1 OR NOT id = 2 AND id = 3", Kind.CONTEXT)
    id = Field("", "", "id", "int")
    one, two, three = (Compare("=", id, Literal_(n, "int")) for n in (1, 2, 3))
    assert found == Both("or", (one, Both("and", (Not(two), three))))


@PATIENT
@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_refused_with_the_place(text: str) -> None:
    said = "character"
    try:
        parse(text, Kind.ARTIFACT)
    except Invalid as error:
        said = error.message
    assert "character" in said


@PATIENT
@given(st.text(alphabet=st.characters(exclude_characters="\\", exclude_categories=["Cs"]), max_size=30))
def test_a_text_in_quotes_is_that_text(text: str) -> None:
    quoted = text.replace("'", "\\'")
    found = parse(f"name = '{quoted}'", Kind.ARTIFACT)
    assert isinstance(found, Compare)
    assert found.right == Literal_(text, "text")


@pytest.mark.parametrize(
    ("word", "text"),
    [(r"'a\nb'", "a\nb"), (r'"a\x41"', "aA"), (r"r'a\n'", r"a\n"), (r"'\''", "'"), (r"'\\'", "\\")],
)
def test_escapes_of_a_text_in_quotes(word: str, text: str) -> None:
    found = parse(f"name = {word}", Kind.ARTIFACT)
    assert isinstance(found, Compare)
    assert found.right == Literal_(text, "text")


def test_states_are_words_and_only_where_states_stand() -> None:
    found = parse("last_known_state IN (COMPLETE, FAILED)", Kind.EXECUTION)
    assert isinstance(found, Compare)
    assert [value.value for value in found.values] == [3, 4]
    with pytest.raises(Invalid):
        parse("name = COMPLETE", Kind.EXECUTION)
    with pytest.raises(Invalid):
        parse("state = LIVE", Kind.EXECUTION)


def test_types_grow_and_lose_only_what_is_allowed() -> None:
    stored = Type(kind=Kind.ARTIFACT, name="t", id=1, properties={"a": 1, "b": 3})
    same = Type(kind=Kind.ARTIFACT, name="t", properties={"a": 1, "b": 3})
    assert mlmd.merged(stored, same, can_add=False, can_omit=False) is stored
    grown = mlmd.merged(
        stored, Type(kind=Kind.ARTIFACT, name="t", properties={"c": 2}), can_add=True, can_omit=True
    )
    assert (grown.id, grown.properties) == (1, {"a": 1, "b": 3, "c": 2})
    with pytest.raises(Conflict, match="would change its type"):
        mlmd.merged(
            stored, Type(kind=Kind.ARTIFACT, name="t", properties={"a": 3}), can_add=True, can_omit=True
        )


def test_a_mask_takes_what_it_names_and_clears_what_was_not_sent() -> None:
    stored = Node(
        kind=Kind.ARTIFACT,
        id=1,
        type_id=2,
        uri="u",
        properties={"a": (1, 1)},
        custom={"x": (1, 1), "y": (1, 2)},
    )
    given_one = Node(kind=Kind.ARTIFACT, id=1, uri="v", custom={"x": (1, 5)})
    after, looked_at = mlmd.masked(stored, given_one, ["custom_properties.x", "custom_properties.y"])
    assert (after.uri, after.properties, after.custom) == ("u", {"a": (1, 1)}, {"x": (1, 5)})
    assert looked_at == frozenset()
    assert stored.custom == {"x": (1, 1), "y": (1, 2)}, "what stood is not touched"


def test_a_step_is_called_after_its_pipeline() -> None:
    step = Node(kind=Kind.EXECUTION, type="system.ContainerExecution", custom={"task_name": (3, "train")})
    assert names.job_of(step, ()) == "train"
    assert names.job_of(step, [("system.PipelineRun", "r"), ("system.Pipeline", "churn")]) == "churn.train"
    assert names.job_of(step, [("pipeline", "p"), ("node", "p.Trainer")]) == "p.Trainer"
