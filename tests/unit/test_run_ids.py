from __future__ import annotations

import time

import pytest

from lineal.journal.ids import new_run_id, run_id


def test_ids_are_time_ordered_and_never_equal() -> None:
    ids = [new_run_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(len(i) == 32 and i[12] == "7" and i[16] in "89ab" for i in ids)
    assert abs(int(ids[0][:12], 16) / 1000 - time.time()) < 5


@pytest.mark.parametrize("text", ["run:" + "AB" * 16, "ab" * 16, "abababab-abab-abab-abab-abababababab"])
def test_an_id_may_be_written_in_three_ways(text: str) -> None:
    assert run_id(text) == "ab" * 16


@pytest.mark.parametrize("text", ["", "run:", "ab", "g" * 32, "ab" * 17])
def test_what_is_no_whole_id_is_refused_with_the_text_that_was_found(text: str) -> None:
    with pytest.raises(ValueError, match="32 hex digits"):
        run_id(text)
