"""Bytes in a bucket: with a real server of buckets, through the native API, MLflow's proxy, and around the server."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.doors.mlflow.asking import Asking, file_url
from tests.server.buckets import BUCKET, Buckets
from tests.server.making import API, client
from tests.server.serving import Serving, begun

pytestmark = pytest.mark.timeout(180)
LARGE = os.urandom(1 << 20) * 20  # more than is sent to a bucket at once
MPU = "/api/2.0/mlflow-artifacts/mpu"


@pytest.fixture(scope="module")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buckets]:
    found = Buckets(tmp_path_factory.mktemp("buckets")).start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def door(buckets: Buckets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    folder = begun(tmp_path_factory.mktemp("shop"))
    serving = Serving(folder, "--blobs", f"s3://{BUCKET}/team", **buckets.settings).start()
    yield Asking(serving)
    serving.close()


def key(content: bytes) -> str:
    hexes = hashlib.sha256(content).hexdigest()
    return f"team/sha256/{hexes[:2]}/{hexes[2:]}"


def test_bytes_of_the_native_api_are_objects_named_by_their_digest(door: Asking, buckets: Buckets) -> None:
    assert door.serving.get("/ready").json == {"status": "ready"}
    with client(door.serving) as remote:
        for content in (b"", b"small", LARGE):
            digest = remote.blobs.put(content)
            assert remote.blobs.put(content) == digest
            assert remote.blobs.get(digest) == content
            assert key(content) in buckets.names()
    wrong = "sha256:" + "0" * 64
    assert door.serving.ask("PUT", f"{API}/blobs/{wrong}", b"other").status == 400
    assert not any(wrong[9:] in name for name in buckets.names())


def test_files_of_runs_are_put_listed_fetched_and_deleted(door: Asking, buckets: Buckets) -> None:
    run = door.run()
    at = run["artifact_uri"]
    for path, content in (("a/large.bin", LARGE), ("a/small.txt", b"x" * 10), ("b", b"")):
        door.put(at, path, content)
        assert door.fetch(at, path).body == content
    part = door.serving.get(file_url(at, "a/large.bin"), Range="bytes=100-199")
    assert part.body in (LARGE, LARGE[100:200])
    listed = door.get("/artifacts/list", run_id=run["run_id"], path="a")["files"]
    assert [(file["path"], file["file_size"]) for file in listed] == [
        ("a/large.bin", len(LARGE)),
        ("a/small.txt", 10),
    ]
    assert door.serving.ask("DELETE", file_url(at, "a")).status == 200
    assert door.fetch(at, "a/small.txt").status == 404
    assert [file["path"] for file in door.get("/artifacts/list", run_id=run["run_id"])["files"]] == ["b"]


def test_a_file_sent_in_parts_around_the_server_is_whole_or_not_there(door: Asking, buckets: Buckets) -> None:
    at = door.run()["artifact_uri"]
    root = at.removeprefix("mlflow-artifacts:/")
    begun = door.post(f"{MPU}/create/{root}", path="/srv/me/model.bin", num_parts=3)
    parts = [LARGE[: 8 << 20], LARGE[8 << 20 : 16 << 20], LARGE[16 << 20 :]]
    for told, part in list(zip(begun["credentials"], parts, strict=True))[:2]:
        assert sent(told["url"], part, told["headers"]) == 200
    said = {"path": "model.bin", "upload_id": begun["upload_id"], "parts": []}
    assert door.refused("POST", f"{MPU}/complete/{root}", said)[0] == 404
    assert door.fetch(at, "model.bin").status == 404
    assert sent(begun["credentials"][2]["url"], parts[2], {}) == 200
    assert door.fetch(at, "model.bin").status == 404
    door.post(f"{MPU}/complete/{root}", **said)
    assert door.fetch(at, "model.bin").body == LARGE
    assert [name for name in buckets.names() if "incoming" in name] == []


def test_an_upload_in_parts_that_is_given_up_leaves_nothing(door: Asking, buckets: Buckets) -> None:
    at = door.run()["artifact_uri"]
    root = at.removeprefix("mlflow-artifacts:/")
    begun = door.post(f"{MPU}/create/{root}", path="model.bin", num_parts=2)
    assert sent(begun["credentials"][0]["url"], b"half", {}) == 200
    assert any("incoming" in name for name in buckets.names())
    door.post(f"{MPU}/abort/{root}", path="model.bin", upload_id=begun["upload_id"])
    assert [name for name in buckets.names() if "incoming" in name] == []
    assert door.fetch(at, "model.bin").status == 404


def test_a_file_is_fetched_around_the_server_by_a_signed_address(door: Asking, buckets: Buckets) -> None:
    run = door.run()
    door.put(run["artifact_uri"], "m/large.bin", LARGE)
    root = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    for told in (
        door.get(f"/api/2.0/mlflow-artifacts/presigned/{root}/m/large.bin")["url"],
        door.post("/artifacts/presigned-download-url", run_id=run["run_id"], path="m/large.bin")[
            "presigned_url"
        ],
    ):
        parts = urlsplit(told)
        assert (parts.hostname, parts.port, "X-Amz-Signature" in parts.query) == (
            "127.0.0.1",
            buckets.port,
            True,
        )
        assert buckets.ask("GET", f"{parts.path}?{parts.query}") == (200, LARGE)


def test_an_upload_cut_in_the_middle_leaves_no_object(door: Asking, buckets: Buckets) -> None:
    at, before = door.run()["artifact_uri"], set(buckets.names())
    host = door.serving.connection()
    with socket.create_connection((host.host, host.port)) as plain:
        head = f"PUT {file_url(at, 'half')} HTTP/1.1\r\nHost: {host.host}:{host.port}\r\n"
        plain.sendall(
            head.encode() + f"Content-Length: {len(LARGE)}\r\n\r\n".encode() + LARGE[::-1][: 12 << 20]
        )
    assert door.fetch(at, "half").status == 404
    assert set(buckets.names()) == before


def test_a_bucket_that_is_away_is_a_503_and_the_record_goes_on(tmp_path: Path) -> None:
    buckets = Buckets(tmp_path).start()
    folder = tmp_path / "shop"
    folder.mkdir()
    serving = Serving(begun(folder), "--blobs", f"s3://{BUCKET}", **buckets.settings).start()
    door = Asking(serving)
    try:
        run = door.run()
        door.put(run["artifact_uri"], "a", b"before")
        buckets.stop()
        began = time.monotonic()
        for answer in (
            serving.ask("PUT", file_url(run["artifact_uri"], "b"), b"while away"),
            door.fetch(run["artifact_uri"], "a"),
            serving.get("/ready"),
        ):
            assert answer.status == 503, answer
            assert int(answer.headers["retry-after"]) >= 1
        assert time.monotonic() - began < 60
        door.post("/runs/log-metric", run_id=run["run_id"], key="loss", value=1.0, timestamp=1)
        assert serving.get("/health").status == 200
        buckets.start()
        door.put(run["artifact_uri"], "b", b"again there")
        assert door.fetch(run["artifact_uri"], "b").body == b"again there"
        assert door.fetch(run["artifact_uri"], "a").status == 404, "what a bucket lost is told as lost"
    finally:
        serving.close()
        buckets.stop()


def sent(url: str, content: bytes, headers: dict[str, str]) -> int:
    """Status of a PUT to an address that was given."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=30)
    try:
        connection.request("PUT", f"{parts.path}?{parts.query}", content, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()
