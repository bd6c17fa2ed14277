"""The artifact proxy: what is put comes back the same, whole or not at all, and is never run by a browser."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
from pathlib import Path

import pytest

from tests.doors.mlflow.asking import FILES, Asking, file_url, fresh
from tests.doors.mlflow.serving_doors import door as door

CONTENT = os.urandom(3_000_000)


def uri(door: Asking) -> str:
    return str(door.run()["artifact_uri"])


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
def test_a_file_comes_back_as_it_was_put(door: Asking, size: int) -> None:
    at = uri(door)
    door.put(at, "dir/data.bin", CONTENT[:size])
    found = door.fetch(at, "dir/data.bin")
    assert (found.status, found.body) == (200, CONTENT[:size])
    assert found.headers["content-length"] == str(size)
    door.put(at, "dir/data.bin", b"another")
    assert door.fetch(at, "dir/data.bin").body == b"another"


@pytest.mark.parametrize(
    "name",
    ["a b.txt", "ünïcode.txt", "日本/語.csv", "100%.txt", "a&b=c;d.txt", "a+b.txt", "...", "-", "x" * 200],
)
def test_any_ordinary_name_is_a_files_name(door: Asking, name: str) -> None:
    run = door.run()
    door.put(run["artifact_uri"], name, b"x")
    assert door.fetch(run["artifact_uri"], name).body == b"x"
    first, _, rest = name.partition("/")
    listed = door.get("/artifacts/list", run_id=run["run_id"])["files"]
    assert listed == [{"path": first, "is_dir": bool(rest), **({} if rest else {"file_size": 1})}]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html"),
        ("a.svg", "image/svg+xml"),
        ("a.xhtml", "application/xhtml+xml"),
        ("a.js", "text/javascript"),
        ("a.txt", "text/plain"),
        ("a.json", "application/json"),
        ("a.py", "text/x-python"),
        ("MLmodel", "text/plain"),
        ("a.pkl", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
    ],
)
def test_a_browser_saves_a_file_and_runs_nothing_in_it(door: Asking, name: str, kind: str) -> None:
    at = uri(door)
    door.put(at, name, b"<script>alert(1)</script>")
    found = door.fetch(at, name).headers
    assert found["content-type"] == kind
    assert found["x-content-type-options"] == "nosniff"
    assert found["content-disposition"] == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
    assert found["content-security-policy"].startswith("sandbox")


def test_a_name_cannot_add_a_header(door: Asking) -> None:
    at = uri(door)
    door.put(at, "a\";b'é.txt", b"x")
    said = door.fetch(at, "a\";b'é.txt").headers["content-disposition"]
    assert said == "attachment; filename=\"a_;b'_.txt\"; filename*=UTF-8''a%22%3Bb%27%C3%A9.txt"


def test_part_of_a_file_is_sent_when_it_is_asked_for(door: Asking) -> None:
    at = uri(door)
    door.put(at, "f", CONTENT)
    path = file_url(at, "f")
    for said, start, end in (
        ("bytes=0-9", 0, 10),
        ("bytes=2999990-", 2_999_990, 3_000_000),
        ("bytes=-5", 2_999_995, 3_000_000),
        ("bytes=10-99999999", 10, 3_000_000),
        ("bytes=1000000-2999999", 1_000_000, 3_000_000),
    ):
        found = door.serving.get(path, Range=said)
        assert (found.status, found.body) == (206, CONTENT[start:end])
        assert found.headers["content-range"] == f"bytes {start}-{end - 1}/3000000"
    none = door.serving.get(path, Range="bytes=3000000-")
    assert (none.status, none.headers["content-range"]) == (416, "bytes */3000000")
    for odd in ("bytes=5-2", "bytes=a-b", "bytes=0-1,4-5", "lines=0-1", "bytes=-"):
        whole = door.serving.get(path, Range=odd)
        assert (whole.status, whole.body) == (200, CONTENT)
    tag = door.serving.get(path).headers["etag"]
    assert tag == f'"sha256:{hashlib.sha256(CONTENT).hexdigest()}"'
    assert door.serving.get(path, Range="bytes=0-1", If_Range=tag).status == 206
    assert door.serving.get(path, Range="bytes=0-1", If_Range='"other"').status == 200


def test_only_the_head_is_sent_when_only_that_is_asked_for(door: Asking) -> None:
    at = uri(door)
    door.put(at, "f", b"12345")
    found = door.serving.ask("HEAD", file_url(at, "f"))
    assert (found.status, found.body, found.headers["content-length"]) == (200, b"", "5")


def test_folders_are_listed_as_they_were_made_by_the_files_in_them(door: Asking) -> None:
    run = door.run()
    at = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    for path in ("b.txt", "a/1.txt", "a/2.txt", "a/deep/3.txt", "ab/4.txt"):
        door.put(run["artifact_uri"], path, b"x")
    assert door.get("/artifacts/list", run_id=run["run_id"], path="a") == {
        "root_uri": run["artifact_uri"],
        "files": [
            {"path": "a/1.txt", "is_dir": False, "file_size": 1},
            {"path": "a/2.txt", "is_dir": False, "file_size": 1},
            {"path": "a/deep", "is_dir": True},
        ],
    }
    assert door.get(FILES, path=f"{at}/a")["files"] == [
        {"path": "1.txt", "is_dir": False, "file_size": 1},
        {"path": "2.txt", "is_dir": False, "file_size": 1},
        {"path": "deep", "is_dir": True},
    ]
    assert [one["path"] for one in door.get(FILES, path=at)["files"]] == ["a", "ab", "b.txt"]
    assert door.get("/artifacts/list", run_id=run["run_id"], path="b.txt")["files"] == []
    assert door.get("/artifacts/list", run_id=run["run_id"], path="none")["files"] == []


def test_a_folder_is_no_file_and_what_is_not_there_is_missing(door: Asking) -> None:
    at = uri(door)
    door.put(at, "a/b", b"x")
    for path, wanted in (
        ("a", (400, "INVALID_PARAMETER_VALUE")),
        ("none", (404, "RESOURCE_DOES_NOT_EXIST")),
        ("a/b/c", (404, "RESOURCE_DOES_NOT_EXIST")),
    ):
        found = door.fetch(at, path)
        assert (found.status, found.json["error_code"]) == wanted
    missing = door.serving.get(f"{FILES}/0/{'0' * 32}/artifacts/x")
    assert (missing.status, missing.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_files_and_folders_are_deleted(door: Asking) -> None:
    run = door.run()
    at = run["artifact_uri"]
    for path in ("a/1", "a/2", "b", "c"):
        door.put(at, path, b"x")
    for path in ("a", "b"):
        door.ask("DELETE", file_url(at, path))
    assert [one["path"] for one in door.get("/artifacts/list", run_id=run["run_id"])["files"]] == ["c"]
    assert door.refused("DELETE", file_url(at, "b"))[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_deleted_run_takes_no_files(door: Asking) -> None:
    run = door.run()
    door.post("/runs/delete", run_id=run["run_id"])
    found = door.serving.ask("PUT", file_url(run["artifact_uri"], "f"), b"x")
    assert (found.status, found.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_files_that_belong_to_no_run_are_kept_too(door: Asking) -> None:
    name = fresh("loose")
    root = f"mlflow-artifacts:/{name}"
    for path in ("a/1.txt", "2.txt"):
        door.put(root, path, path.encode())
    assert door.fetch(root, "a/1.txt").body == b"a/1.txt"
    assert [one["path"] for one in door.get(FILES, path=name)["files"]] == ["2.txt", "a"]
    door.ask("DELETE", f"{FILES}/{name}/a")
    assert door.fetch(root, "a/1.txt").status == 404
    assert door.fetch(root, "2.txt").status == 200


def test_an_upload_cut_in_the_middle_leaves_nothing(door: Asking) -> None:
    run = door.run()
    host = door.serving.connection()
    with socket.create_connection((host.host, host.port)) as plain:
        head = f"PUT {file_url(run['artifact_uri'], 'half')} HTTP/1.1\r\nHost: {host.host}:{host.port}\r\n"
        plain.sendall(head.encode() + b"Content-Length: 3000000\r\n\r\n" + CONTENT[:2_000_000])
    assert door.fetch(run["artifact_uri"], "half").status == 404
    assert door.get("/artifacts/list", run_id=run["run_id"])["files"] == []
    left = [
        path
        for path in (door.serving.folder / ".lineal").rglob("*")
        if "incoming" in str(path) and path.is_file()
    ]
    assert left == []


def test_the_pages_own_addresses_lead_to_the_same_files(door: Asking) -> None:
    run = door.run()
    door.put(run["artifact_uri"], "a/b.txt", b"x")
    id = run["run_id"]
    assert door.serving.get(f"/get-artifact?run_uuid={id}&path=a/b.txt").body == b"x"
    posted = door.serving.ask("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={id}&path=up.txt", b"y")
    assert posted.status == 200
    assert door.fetch(run["artifact_uri"], "up.txt").body == b"y"
    model = door.ready_model(name=fresh("pages"))
    name = door.registered(model)
    found = door.serving.get(f"/model-versions/get-artifact?name={name}&version=1&path=model.pkl")
    assert found.body == b"weights"
    page = f"/ajax-api/2.0/mlflow/logged-models/{model['model_id']}/artifacts/files"
    assert door.serving.get(f"{page}?artifact_file_path=model.pkl").body == b"weights"


def memory_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def test_a_large_file_is_streamed_in_memory_that_does_not_grow(door: Asking) -> None:
    at, size, piece = uri(door), 300 << 20, os.urandom(1 << 20)
    door.put(at, "warm", CONTENT)
    door.fetch(at, "warm")
    process = door.serving.process
    assert process is not None
    before = memory_kb(process.pid)
    connection = door.serving.connection()
    seen = hashlib.sha256()
    connection.putrequest("PUT", file_url(at, "large"))
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    for _ in range(size // len(piece)):
        connection.send(piece)
        seen.update(piece)
    put = connection.getresponse()
    assert (put.status, put.read()) == (200, b"{}")
    connection.request("GET", file_url(at, "large"))
    answer: http.client.HTTPResponse = connection.getresponse()
    back, length = hashlib.sha256(), 0
    while part := answer.read(1 << 20):
        back.update(part)
        length += len(part)
    connection.close()
    assert (length, back.hexdigest()) == (size, seen.hexdigest())
    assert memory_kb(process.pid) - before < 100_000


@pytest.mark.parametrize(
    ("query", "body", "words"),
    [
        ("", b"x", "Request must specify run_uuid."),
        ("run_uuid={run}", b"x", "Request must specify path."),
        ("run_uuid={run}&path=", b"x", "Request must specify path."),
        ("run_uuid={run}&path=../up.txt", b"", "Invalid path"),
        ("run_uuid={run}&path=up.txt", b"", "Request must specify data."),
    ],
)
def test_an_upload_of_the_page_that_lacks_something_is_told_what(
    door: Asking, query: str, body: bytes, words: str
) -> None:
    path = f"/ajax-api/2.0/mlflow/upload-artifact?{query.format(run=door.run()['run_id'])}"
    found = door.serving.ask("POST", path, body)
    assert (found.status, found.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert words in found.json["message"]
