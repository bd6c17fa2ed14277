"""The native API on a real server, on both engines."""

from __future__ import annotations

import hashlib

import pytest

from lineal.core.errors import Invalid, NotFound
from lineal.service.runs import RunsRequest
from lineal.service.show import ShowRequest
from tests.server.making import API, client, ingest, started
from tests.server.serving import Serving


def test_what_was_written_is_read_again(anywhere: Serving) -> None:
    with client(anywhere) as remote:
        assert remote.call("ingest", ingest(started(1), started(2))).events == 2
        listed = remote.call("runs", RunsRequest(order="started_at asc")).runs
    assert [run.run_id for run in listed] == [f"{1:032x}", f"{2:032x}"]
    assert anywhere.get(f"{API}/runs?limit=1").json["cut"] is True


def test_a_refusal_arrives_as_the_same_error(serving: Serving) -> None:
    with client(serving) as remote:
        with pytest.raises(NotFound, match="nothing is recorded under 'churn'"):
            remote.call("show", ShowRequest(ref="churn"))
        with pytest.raises(Invalid, match="a limit of 0"):
            remote.call("runs", RunsRequest(limit=0))


def test_kept_bytes_come_back_whole(serving: Serving) -> None:
    content = b"model" * 1_000_000
    with client(serving) as remote:
        digest = remote.blobs.put(content)
        assert digest == "sha256:" + hashlib.sha256(content).hexdigest()
        assert remote.blobs.get(digest) == content
        assert remote.blobs.has(digest)
        assert not remote.blobs.has("sha256:" + "0" * 64)


def test_an_unknown_path_is_a_404_and_an_unknown_method_a_405(serving: Serving) -> None:
    assert serving.get(f"{API}/nothing").status == 404
    assert serving.ask("DELETE", f"{API}/runs").status == 405
    assert serving.get(f"{API}/runs?limits=1").json["error"]["message"] == "runs has no parameter 'limits'"
