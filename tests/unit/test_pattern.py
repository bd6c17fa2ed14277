"""Regular expressions: they find what Python's find, in time proportional to text and pattern."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lineal.core.errors import Invalid
from lineal.core.pattern import Pattern

atoms = st.sampled_from(
    ["a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\w", r"\s", r"\.", "1", " ", r"\W"]
)


def patterns() -> st.SearchStrategy[str]:
    def wrap(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
            st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "{0}"])).map(
                lambda two: f"({two[0]}){two[1]}"
            ),
            inner.map(lambda one: f"^{one}"),
            inner.map(lambda one: f"{one}$"),
        )

    return st.recursive(atoms, wrap, max_leaves=8)


@settings(max_examples=500)
@given(patterns(), st.text("abc1 .\t_", max_size=12))
@example("^$", "")
@example("a|", "b")
@example("(a{0}){2}b", "b")
def test_a_pattern_finds_what_pythons_finds(pattern: str, text: str) -> None:
    expected = re.search(pattern.replace("$", r"\Z"), text, re.ASCII) is not None
    assert Pattern(pattern).search(text) == expected


def test_a_pattern_that_makes_others_take_for_ever_is_answered_at_once() -> None:
    assert not Pattern("(a+)+$").search("a" * 20_000 + "b")


@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        ("a(b", 4),
        ("a)", 2),
        ("*a", 1),
        ("[a", 3),
        (r"\q", 2),
        ("a{2", 2),
        ("a**", 3),
        ("(?=a)", 2),
        ("[c-a]", 3),
    ],
)
def test_a_pattern_that_cannot_be_read_says_where(pattern: str, where: int) -> None:
    with pytest.raises(Invalid, match=f"at character {where}:"):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", ["a" * 1001, "((a{100}){100}){100}", "a{1001}"])
def test_a_pattern_that_is_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid):
        Pattern(pattern)
