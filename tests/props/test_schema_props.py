"""A schema that is not narrowed takes every facet that fitted before."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lineal.core.schema import Schema, narrowed

NAMES = ["a", "b"]
scalars: st.SearchStrategy[Any] = st.sampled_from([None, True, -1, 0, 1, 2, 4, 0.5, 2.0, "", "x", "xyz"])
values: st.SearchStrategy[Any] = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.dictionaries(st.sampled_from(NAMES), st.one_of(scalars, st.lists(scalars, max_size=2)), max_size=2),
)
WORDS: dict[str, list[Any]] = {
    "type": ["object", "string", "integer", "number", ["string", "null"], ["integer", "object"]],
    "enum": [[1, 2], ["x", None], [True, 1, "x"]],
    "minimum": [-1, 1, 3],
    "maximum": [0, 2, 5],
    "minLength": [0, 2],
    "maxItems": [1, 3],
    "required": [["a"], ["a", "b"]],
    "additionalProperties": [True, False],
}
plain = st.lists(
    st.sampled_from([(word, said) for word, all in WORDS.items() for said in all]), max_size=3
).map(dict)
schemas: st.SearchStrategy[Any] = st.builds(
    lambda base, properties, items: {
        **base,
        **({"properties": properties} if properties else {}),
        **({} if items is None else {"items": items}),
    },
    plain,
    st.dictionaries(st.sampled_from(NAMES), plain, max_size=2),
    st.none() | plain,
)


def new_fields(old: Any, new: Any) -> bool:
    """Whether a field is described that was free before: it may have stood there in any form, and is held to be new."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return False
    before, after = old.get("properties", {}), new.get("properties", {})
    return (
        bool(set(after) - set(before))
        or any(new_fields(before[name], after[name]) for name in set(before) & set(after))
        or ("items" in old and "items" in new and new_fields(old["items"], new["items"]))
    )


@settings(max_examples=200)
@given(schemas, schemas, values)
def test_what_fitted_before_fits_a_schema_that_is_not_narrowed(old: Any, new: Any, value: Any) -> None:
    assume(not new_fields(old, new))
    if not narrowed(old, new) and not Schema(old).faults(value):
        assert Schema(new).faults(value) == []


@given(schemas, values)
def test_a_schema_is_never_narrower_than_itself(schema: Any, value: Any) -> None:
    assert narrowed(schema, schema) == []
    assert isinstance(Schema(schema).faults(value), list)
