"""Times as people write them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core.errors import Invalid
from lineal.sdk.times import parse

NOW = 1_763_900_000_000_000
S = 1_000_000


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("now", NOW),
        ("2h ago", NOW - 7200 * S),
        ("2 hours ago", NOW - 7200 * S),
        ("90s", NOW - 90 * S),
        ("1.5 days ago", NOW - 129_600 * S),
        ("3w ago", NOW - 3 * 604_800 * S),
        ("10 min ago", NOW - 600 * S),
        ("2025-11-23T12:13:20Z", 1_763_900_000 * S),
        ("2025-11-23T12:13:20.000001+00:00", 1_763_900_000 * S + 1),
        ("2025-11-23T14:13:20+02:00", 1_763_900_000 * S),
        ("@1763900000", 1_763_900_000 * S),
    ],
)
def test_a_time_is_read_as_people_write_it(text: str, at: int) -> None:
    assert parse(text, NOW) == at


def test_a_date_is_its_first_moment_here() -> None:
    assert parse("2025-11-23", NOW) == int(datetime(2025, 11, 23).timestamp()) * S


@pytest.mark.parametrize(
    "text", ["", "soon", "3 fortnights ago", "2025-13-40", "@x", "-1h", "@1e400", "99999999-01-01"]
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Invalid, match="2h ago"):
        parse(text, NOW)


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1)))
def test_every_iso_time_is_read_to_the_microsecond(moment: datetime) -> None:
    assert parse(moment.isoformat() + "+00:00", NOW) % S == moment.microsecond
