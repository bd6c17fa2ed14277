"""Profiles of tables and their drift, and the first rows of kept tables."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineal.core import events as ev
from lineal.core.errors import Invalid, NotFound
from lineal.service import operations
from lineal.service.preview import PreviewReply, PreviewRequest
from lineal.store.blobs import Blobs
from tests.service.conftest import Desk, run_id, started

T = 1_000_000_000_000


def column(low: float, *, top: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    spread = (
        {"edges": [low + n for n in range(6)], "counts": [100] * 5}
        if top is None
        else {"top": top, "other": 0}
    )
    return {"name": "x", "type": "Float64", "nulls": 0, **spread, **more}


def put(desk: Desk, number: int, profile: Any) -> None:
    state = ev.VersionState(
        namespace="project",
        name="rows.csv",
        kind="dataset",
        digest=f"sha256:{number:064x}",
        facets={} if profile is None else {"lineal.profile/1": msgspec.Raw(json.dumps(profile).encode())},
    )
    desk.ingest(
        started(number, "make.py", T + number),
        ev.VersionGenerated(run=run_id(number), version=state, at=T + number + 1),
        source=f"s{number}",
    )


def test_a_profile_is_held_against_the_last_version_before_it_that_has_one(desk: Desk) -> None:
    put(desk, 1, {"rows": 500, "rows_read": 500, "by": "test", "columns": [column(0)]})
    put(desk, 2, None)
    put(desk, 3, {"rows": 500, "rows_read": 500, "by": "test", "columns": [column(3)]})
    reply = desk.call("profile", ref="rows.csv")
    assert (reply.profile.ref, reply.before.ref) == ("rows.csv@3", "rows.csv@1")
    (moved,) = reply.drift
    assert (moved.name, moved.drifted) == ("x", True)
    assert moved.psi > reply.limits.psi
    assert moved.ks > reply.limits.ks
    assert reply.profile.columns[0].n == 500
    assert desk.call("profile", ref="rows.csv@1").before is None
    assert desk.call("profile", ref="rows.csv@2").profile is None
    assert desk.call("profile", ref="rows.csv@1", against="rows.csv@3").drift[0].drifted


@pytest.mark.parametrize(
    "profile",
    [
        {"columns": "many"},
        {"rows": "1e999", "columns": [None, 3, {}]},
        {"rows": -1, "columns": [{"name": 3, "edges": [2, 1], "counts": [1]}]},
        {"columns": [{"name": "x", "edges": [1, 2], "counts": ["1"], "top": [[1], "a", [1, "2"]]}]},
        {"columns": [{"name": "x", "edges": [1, 10**400], "counts": [1], "mean": True}]},
        {"columns": [{"name": "x", "top": {"a": 1}, "other": [], "min": {"a": [1]}}]},
    ],
)
def test_what_only_looks_like_a_profile_is_answered_with_what_can_be_told(desk: Desk, profile: Any) -> None:
    put(desk, 1, {"rows": 500, "columns": [column(0)]})
    put(desk, 2, profile)
    reply = desk.call("profile", ref="rows.csv")
    assert reply.profile is not None
    assert all(not one.edges and not one.counts for one in reply.profile.columns)
    msgspec.json.encode(reply)


def asked(desk: Desk, blobs: Blobs | None, **fields: Any) -> PreviewReply:
    reply = operations.call(
        desk.table["preview"],
        PreviewRequest(**fields),
        store=desk.store,
        blobs=blobs,
        caller=operations.Caller("tester", operations.ALL_PERMISSIONS),
        namespace="project",
        now=lambda: T,
    )
    assert isinstance(reply, PreviewReply)
    return reply


@pytest.fixture(params=["folder", "memory:"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "blobs") if request.param == "folder" else request.param)


def test_the_first_rows_of_csv_are_told_with_quotes_and_gaps_kept(desk: Desk, blobs: Blobs) -> None:
    digest = blobs.put('\ufeffa,b\n"x, ""y""",1\n\n2\n'.encode())
    reply = asked(desk, blobs, digest=digest, format="csv")
    assert (reply.columns, reply.rows) == (["a", "b"], [['x, "y"', "1"], ["2"]])
    assert (reply.total, reply.cut, reply.reason) == (2, False, "")
    few = asked(desk, blobs, digest=digest, format="csv", rows=1)
    assert (few.rows, few.total, few.cut) == ([['x, "y"', "1"]], None, True)
    large = blobs.put(b"a\n" + b"1\n" * 2_000_000)
    assert asked(desk, blobs, digest=large, format="csv").cut
    assert (
        len(asked(desk, blobs, digest=blobs.put(b"a\n" + b"9" * 5000), format="csv").rows[0][0] or "") < 400
    )


def test_the_first_rows_of_parquet_are_told_with_types_and_nulls(desk: Desk, blobs: Blobs) -> None:
    pl = pytest.importorskip("polars")
    file = io.BytesIO()
    pl.DataFrame({"n": range(1000), "l": [[1, 2]] * 1000, "t": [None, "é"] * 500}).write_parquet(file)
    reply = asked(desk, blobs, digest=blobs.put(file.getvalue()), format="parquet", rows=2)
    assert reply.rows == [["0", "[1, 2]", None], ["1", "[1, 2]", "é"]]
    assert (reply.columns, reply.types[0], reply.total, reply.cut) == (["n", "l", "t"], "Int64", 1000, True)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + bytes(200) + b"PAR1", b"no such thing"])
def test_what_is_no_parquet_is_said_to_be_none(desk: Desk, blobs: Blobs, data: bytes) -> None:
    pytest.importorskip("polars")
    reply = asked(desk, blobs, digest=blobs.put(data), format="parquet")
    assert reply.reason.startswith("it cannot be read as Parquet")


def test_without_the_extra_it_is_said_what_to_install(
    desk: Desk, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineal.service.preview.find_spec", lambda name: None)
    assert "pip install 'lineal[data]'" in asked(desk, blobs, digest=blobs.put(b"x"), format="parquet").reason


def test_a_preview_is_asked_by_digest_and_within_bounds(desk: Desk, blobs: Blobs) -> None:
    digest = blobs.put(b"a\n")
    with pytest.raises(NotFound, match="no bytes with digest"):
        asked(desk, blobs, digest="sha256:" + "0" * 64, format="csv")
    for wrong in ({"digest": "../../etc/passwd"}, {"rows": 0}, {"rows": 501}, {"format": "exe"}):
        with pytest.raises(Invalid):
            asked(desk, blobs, **{"digest": digest, "format": "csv", **wrong})
