"""What attackers sent to servers of this protocol: answered with a 4xx, without any effect, and the server lives.

Each test is named by the promise; the numbers of published weaknesses stand beside the requests that showed them elsewhere.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.doors.mlflow.asking import API, FILES, Asking, fresh
from tests.doors.mlflow.serving_doors import door as door

SECRET = b"root:x:0:0 or whatever a server must not tell"

CLIMBING = [
    "..",
    "../..",
    "../../etc/passwd",
    "a/../../b",
    "a/..",
    "./a",
    "a/./b",
    "%2e%2e/%2e%2e/etc/passwd",
    "%2e%2e%2fetc%2fpasswd",
    "..%2f..%2fetc%2fpasswd",
    "%252e%252e%252fetc%252fpasswd",
    "%25252e%25252e%25252fetc",
    "..%5c..%5cwindows",
    "..\\..\\windows\\win.ini",
    "a\\..\\..\\b",
    "%5c%5chost%5cshare",
    "//etc/passwd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "a//b",
    "file:///etc/passwd",
    "FILE:/etc/passwd",
    "file:etc",
    "C:/Windows/win.ini",
    "C:\\Windows",
    "s3://bucket/key",
    "a\x00.txt",
    "a%00.txt",
    "a%2500",
    "x#/../../etc",
    "#",
    "a?b",
    "%3f/../..",
    " .. /x",
    ".. /etc",
    "a/ ../b",
    "a\nb",
    "a\r\nX: y",
    "a\u202etxt.exe",
    "a\u200fb",
    "\u2028",
    "a\x7f",
]

LOCAL_SOURCES = [
    "/etc/passwd",
    "/etc",
    "//etc/passwd",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "file://localhost/etc/passwd",
    "FILE:///etc/passwd",
    "./models",
    "../models",
    "models",
    "~/models",
    "C:/models",
    "C:\\models",
    "\\\\host\\share",
    " /etc/passwd",
    "%2Fetc%2Fpasswd",
    "file%3A///etc/passwd",
    "f%69le:///etc/passwd",
    "",
    "runs:/../../etc",
    "runs:/abc/../../etc",
    "runs:/abc/%2e%2e/%2e%2e/etc",
    "runs://host/abc/model",
    "runs:/",
    "models:/../../etc",
    "models:/m-0/../../etc",
    "models://host/churn/1",
    "models:/",
    "mlflow-artifacts:/../../etc",
    "mlflow-artifacts://host:80/../../etc",
    "mlflow-artifacts:/%2e%2e/%2e%2e/etc",
    "mlflow-artifacts:/",
    "http://host/api/2.0/mlflow-artifacts/artifacts/../../../etc",
    "http://host/api/2.0/mlflow-artifacts/artifacts/%2e%2e/etc",
    "http://host/api/2.0/mlflow-artifacts/artifacts%00",
    "s3:/bucket/../../etc",
    "s3://bucket/a/%2e%2e/b",
    "http:///#/../../etc",
    "s3://bucket/\x00",
    "s3://bucket/\u202ecod",
]

NAMES = [
    "../x",
    "..",
    ".",
    "a/b",
    "a:b",
    "a\\b",
    "%2e%2e%2fx",
    "a%2fb",
    "a%252fb",
    "a%3ab",
    "a\x00b",
    "a\nb",
    "a\u202eb",
    "a\u200eb",
    "a\u2066b",
    "\ud800",
    " a",
    "a ",
    "",
    "   ",
    "x" * 10_000,
    "a@b",
]


def ours(folder: Path) -> set[Path]:
    """The files beside the folder in which the server keeps everything."""
    return {path for path in folder.rglob("*") if not {".lineal", ".git"} & set(path.parts)}


@pytest.fixture(autouse=True)
def nothing_happened(door: Asking) -> Iterator[None]:
    """The server lives, no answer was a 5xx, and nothing was written beside the project's own folder."""
    folder = door.serving.folder
    (folder / "secret.txt").write_bytes(SECRET)
    before = ours(folder)
    start = len(door.serving.log)
    yield
    assert ours(folder) == before
    assert door.serving.get("/health").status == 200
    failed = [line for line in door.serving.log[start:].splitlines() if re.search(r'"status":5\d\d', line)]
    assert failed == []


@pytest.fixture
def run(door: Asking) -> dict[str, Any]:
    return door.run()


def raw(door: Asking, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """A request whose address nobody has put in order; status and body."""
    host = door.serving.connection()
    with socket.create_connection((host.host, host.port), timeout=30) as plain:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host.host}:{host.port}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        plain.sendall("\r\n".join(lines).encode("utf-8", "surrogatepass") + body)
        said = b""
        while piece := plain.recv(65_536):
            said += piece
    return int(said.split(b" ", 2)[1]), said.partition(b"\r\n\r\n")[2]


def spellings(path: str) -> list[str]:
    """How a path may stand in an address: as it is where that can be, quoted once, and twice."""
    once = quote(path, safe="", errors="surrogatepass")
    plain = [path] if path.isascii() and path.isprintable() and not set(path) & set(" #?") else []
    return [*plain, once, quote(once, safe="")]


# ---- A01 to A06: paths ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CLIMBING)
def test_no_path_leads_out_of_the_files_that_are_read(door: Asking, run: dict[str, Any], path: str) -> None:
    # CVE-2023-30172, CVE-2024-1558, CVE-2024-2928
    root = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    for spelled in spellings(path):
        for target in (
            f"{FILES}/{spelled}",
            f"{FILES}/{root}/{spelled}",
            f"{FILES}?path={spelled}",
            f"{FILES}?path={root}/{spelled}",
            f"{API}/artifacts/list?run_id={run['run_id']}&path={spelled}",
            f"/get-artifact?run_uuid={run['run_id']}&path={spelled}",
            f"/model-versions/get-artifact?name=a&version=1&path={spelled}",
        ):
            status, body = raw(door, "GET", target)
            assert 400 <= status < 500, (target, status)
            assert SECRET not in body
            assert b"root:" not in body


@pytest.mark.parametrize("path", CLIMBING)
def test_no_path_leads_out_of_the_files_that_are_written_or_deleted(
    door: Asking, run: dict[str, Any], path: str
) -> None:
    # CVE-2023-6015, CVE-2023-6018, CVE-2023-6831, CVE-2024-1560, CVE-2026-2651
    root = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    for spelled in spellings(path):
        for method, target, body in (
            ("PUT", f"{FILES}/{spelled}", b"x"),
            ("PUT", f"{FILES}/{root}/{spelled}", b"x"),
            ("DELETE", f"{FILES}/{spelled}", b""),
            ("DELETE", f"{FILES}/{root}/{spelled}", b""),
            ("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run['run_id']}&path={spelled}", b"x"),
            ("POST", f"/api/2.0/mlflow-artifacts/mpu/create/{spelled}", b'{"path": "x", "num_parts": 1}'),
            ("POST", f"/api/2.0/mlflow-artifacts/mpu/complete/{spelled}", b'{"path": "x", "parts": []}'),
            ("POST", f"/api/2.0/mlflow-artifacts/mpu/abort/{spelled}", b'{"path": "x"}'),
        ):
            status, _ = raw(door, method, target, body, Content_Type="application/json")
            assert 400 <= status < 500, (method, target, status)
    assert door.get("/artifacts/list", run_id=run["run_id"])["files"] == []


@pytest.mark.parametrize("path", ["../x", "a/../../x", "..%2fx", "/etc/passwd", "\x00"])
def test_a_multipart_upload_names_no_other_file(door: Asking, path: str) -> None:
    # CVE-2026-2651
    for verb, more in (("create", {"num_parts": 1}), ("complete", {"parts": []}), ("abort", {})):
        said = {"path": path, "upload_id": "../../x", **more}
        assert (
            door.refused("POST", f"/api/2.0/mlflow-artifacts/mpu/{verb}/{quote(path, safe='')}", said)[0]
            == 400
        )
        assert 400 <= door.refused("POST", f"/api/2.0/mlflow-artifacts/mpu/{verb}/0/x", said)[0] < 500


# ---- A07, A08: sources ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", LOCAL_SOURCES)
def test_no_version_comes_from_a_place_on_a_disk(door: Asking, run: dict[str, Any], source: str) -> None:
    # CVE-2023-1176, CVE-2023-1177, CVE-2023-2356, CVE-2023-2780, CVE-2023-6909, CVE-2023-6977, CVE-2024-1483, CVE-2024-3848
    name = fresh("source")
    door.post("/registered-models/create", name=name)
    for more in ({}, {"run_id": run["run_id"]}, {"model_id": "m-" + "0" * 32}):
        said = {"name": name, "source": source, **more}
        assert door.refused("POST", "/model-versions/create", said)[:2] in {
            (400, "INVALID_PARAMETER_VALUE"),
            (404, "RESOURCE_DOES_NOT_EXIST"),
        }
    assert door.get("/model-versions/search", filter=f"name='{name}'").get("model_versions", []) == []


@pytest.mark.parametrize("source", ["/etc", "file:///etc", "s3://bucket/x", "../x"])
def test_a_prompt_has_no_place_of_its_own(door: Asking, source: str) -> None:
    # CVE-2026-2614
    name = fresh("prompt")
    tag = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    door.post("/registered-models/create", name=name, tags=tag)
    said = {"name": name, "source": source, "tags": tag}
    assert door.refused("POST", "/model-versions/create", said)[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_a_version_does_not_show_the_files_of_another_run(door: Asking, run: dict[str, Any]) -> None:
    other, name = door.run(), fresh("other")
    door.put(other["artifact_uri"], "model/secret", b"s")
    door.post("/registered-models/create", name=name)
    for source in (f"runs:/{other['run_id']}/model", other["artifact_uri"] + "/model"):
        said = {"name": name, "source": source, "run_id": run["run_id"]}
        assert door.refused("POST", "/model-versions/create", said)[:2] == (400, "INVALID_PARAMETER_VALUE")


# ---- A09, A10: artifact locations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    [
        "http:///#/../../etc",
        "http://host/#/../..",
        "http://host/?/../../etc",
        "http://host/;..%2f..%2f",
        "/tmp",
        "/",
        "file:///tmp",
        "file:/tmp",
        "FILE:///tmp",
        "../x",
        "C:\\x",
        "\\\\host\\x",
        "s3://b/../../x",
        "s3://b/%2e%2e/x",
        "runs:/abc",
        "~/x",
        "s3://b/\x00",
    ],
)
def test_no_experiment_keeps_its_files_on_a_disk_of_the_server(door: Asking, location: str) -> None:
    # CVE-2024-1483, CVE-2024-3848
    said = {"name": fresh("location"), "artifact_location": location}
    assert door.refused("POST", "/experiments/create", said)[:2] == (400, "INVALID_PARAMETER_VALUE")


# ---- A11, A12: names and ids ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_a_path_or_looks_like_another_is_refused(door: Asking, name: str) -> None:
    # CVE-2025-11201, CVE-2024-3099
    body = json.dumps({"name": name, "source": "s3://b/m", "version": "1", "new_name": name}).encode()
    for path in ("/registered-models/create", "/model-versions/create", "/registered-models/rename"):
        status, _ = raw(door, "POST", API + path, body, Content_Type="application/json")
        assert 400 <= status < 500
    asked = quote(name, safe="", errors="surrogatepass")
    for path in ("/registered-models/get", "/model-versions/get"):
        status, _ = raw(door, "GET", f"{API}{path}?name={asked}&version=1")
        assert 400 <= status < 500


@pytest.mark.parametrize(
    "id", ["../x", "..", "%2e%2e", "m-../../x", "a\x00", "\u202e", "x" * 5000, "*", "m-" + "0" * 32]
)
def test_an_id_is_no_path(door: Asking, id: str) -> None:
    spelled = quote(id, safe="")
    for target in (
        f"{API}/logged-models/{spelled}",
        f"{API}/logged-models/{spelled}/artifacts/directories",
        f"{API}/webhooks/{spelled}",
        f"/api/3.0/mlflow/traces/{spelled}",
        f"{API}/runs/get?run_id={spelled}",
        f"{API}/artifacts/list?run_id={spelled}",
        f"/ajax-api/2.0/mlflow/logged-models/{spelled}/artifacts/files?artifact_file_path=x",
        f"/get-artifact?run_uuid={spelled}&path=x",
    ):
        assert 400 <= raw(door, "GET", target)[0] < 500, target


def test_a_planted_link_is_not_followed(door: Asking, run: dict[str, Any]) -> None:
    # CVE-2024-8859
    folder = door.serving.folder / ".lineal" / "blobs"
    folder.mkdir(exist_ok=True)
    root = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    link = folder / root.split("/")[0]
    os.symlink(door.serving.folder, link)
    try:
        for target in (
            f"{FILES}/{root.split('/')[0]}/secret.txt",
            f"{FILES}/blobs/secret.txt",
            f"{FILES}/secret.txt",
        ):
            status, body = raw(door, "GET", target)
            assert status == 404
            assert SECRET not in body
    finally:
        link.unlink()


# ---- B: requests that make the server ask others -------------------------------------------------------------------------


class Canary:
    """Listens, and notes who comes."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        canary = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                canary.seen.append(self.path)
                self.send_response(200)
                self.end_headers()

            do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 - the names the library calls

            def log_message(self, *words: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    found = Canary()
    yield found
    found.close()


def test_no_address_of_a_client_is_asked(door: Asking, canary: Canary, run: dict[str, Any]) -> None:
    url, name = f"http://127.0.0.1:{canary.port}", fresh("ssrf")
    door.post("/registered-models/create", name=name)
    door.answer(
        "POST", "/experiments/create", {"name": fresh("ssrf"), "artifact_location": f"{url}/location"}
    )
    for source in (
        f"{url}/model",
        f"http://[::ffff:127.0.0.1]:{canary.port}/m",
        f"ftp://127.0.0.1:{canary.port}/m",
    ):
        door.answer("POST", "/model-versions/create", {"name": name, "source": source})
    found = door.get("/model-versions/search", filter=f"name='{name}'").get("model_versions", [])
    for version in found:
        said = f"name={name}&version={version['version']}"
        door.answer("GET", f"{API}/model-versions/get-download-uri?{said}")
        assert raw(door, "GET", f"/model-versions/get-artifact?{said}&path=x")[0] == 404
    dataset = {
        "name": "d",
        "digest": "1",
        "source_type": "http",
        "source": json.dumps({"url": f"{url}/data"}),
    }
    door.post("/runs/log-inputs", run_id=run["run_id"], datasets=[{"dataset": dataset}])
    assert canary.seen == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST.",
        "x.localhost",
        "169.254.169.254",
        "[fe80::1]",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "[fd00::1]",
        "metadata.google.internal",
        "intranet",
        "224.0.0.1",
    ],
)
def test_no_webhook_leads_into_the_servers_own_network(door: Asking, canary: Canary, host: str) -> None:
    event = [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]
    for url in (f"https://{host}:{canary.port}/x", f"https://{host}/x"):
        said = {"name": fresh("hook"), "url": url, "events": event}
        assert door.refused("POST", "/webhooks", said)[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert canary.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://user:pw@example.com/",
        "https://",
        "//example.com",
        "https://exa mple.com",
        "https://example.com\\@127.0.0.1/",
        "https://example.com:99999/",
        "https://example.com/\r\nX: y",
        "https://[::1",
        "",
    ],
)
def test_a_webhook_has_a_plain_https_address(door: Asking, url: str) -> None:
    said = {
        "name": fresh("hook"),
        "url": url,
        "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
    }
    assert door.refused("POST", "/webhooks", said)[:2] == (400, "INVALID_PARAMETER_VALUE")


# ---- C: what browsers run ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.html", "x.svg", "x.xhtml", "x.xml", "x.js", "x.htm", "x.unknown", "x"])
def test_a_file_is_never_a_page_of_this_server(door: Asking, run: dict[str, Any], name: str) -> None:
    # CVE-2024-27132, CVE-2024-27133, CVE-2023-6568
    door.put(run["artifact_uri"], name, b"<script>fetch('/api/2.0/mlflow/runs/search')</script>")
    root = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    for target in (f"{FILES}/{root}/{name}", f"/get-artifact?run_uuid={run['run_id']}&path={name}"):
        found = door.serving.get(target)
        assert found.status == 200
        assert found.headers["content-disposition"].startswith("attachment")
        assert found.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in found.headers["content-security-policy"]


def test_a_refusal_is_json_whatever_it_repeats(door: Asking) -> None:
    found = door.serving.get(f"{API}/registered-models/get?name=<script>alert(1)</script>x")
    assert found.status == 400
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-content-type-options"] == "nosniff"


# ---- D: who asks, from where ---------------------------------------------------------------------------------------------


def test_another_page_or_name_of_the_host_changes_nothing(door: Asking) -> None:
    # CVE-2025-14279
    name = fresh("csrf")
    for headers in (
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost@evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9"},
        {"Sec_Fetch_Site": "cross-site"},
    ):
        for kind in ("application/json", "text/plain"):
            found = door.answer(
                "POST", "/registered-models/create", {"name": name}, Content_Type=kind, **headers
            )
            assert found.status in {400, 403, 415, 421}, headers
    assert door.refused("GET", f"/registered-models/get?name={name}")[0] == 404


# ---- E: too much, too deep, too odd --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "filter",
    [
        "name = 'a' OR 1=1",
        "name = 'a'; DELETE FROM run",
        "name = 'a' UNION SELECT * FROM word",
        "name = 'a'/**/AND/**/1=1",
        "tags.`a` = 'x' AND (SELECT 1)",
        "name LIKE 'a' ESCAPE '\\'",
        "1=1",
        "name = 0x41",
    ],
)
def test_a_filter_is_never_a_statement_of_the_database(door: Asking, filter: str) -> None:
    for target in (
        f"{API}/registered-models/search?filter={quote(filter)}",
        f"{API}/model-versions/search?filter={quote(filter)}",
    ):
        assert raw(door, "GET", target)[0] == 400
    said = {"experiment_ids": ["0"], "filter": filter}
    assert door.refused("POST", "/logged-models/search", said)[0] == 400


@pytest.mark.parametrize(
    "order", ["name; DROP TABLE run", "(SELECT 1)", "name ASC, version_number", "1", "x" * 10_000]
)
def test_an_order_is_one_of_those_that_are_known(door: Asking, order: str) -> None:
    for path in ("registered-models", "model-versions"):
        assert raw(door, "GET", f"{API}/{path}/search?order_by={quote(order)}")[0] == 400
    said = {"experiment_ids": ["0"], "order_by": [{"field_name": order}]}
    assert door.refused("POST", "/logged-models/search", said)[0] == 400


@pytest.mark.parametrize(
    "token", ["x", "eyJvZmZzZXQiOi0xfQ==", "eyJvZmZzZXQiOjFlMzA5fQ==", "bnVsbA==", "W10=", "' OR 1=1", "%00"]
)
def test_a_page_token_is_one_that_was_given(door: Asking, token: str) -> None:
    for path in ("registered-models/search", "model-versions/search", "webhooks"):
        assert raw(door, "GET", f"{API}/{path}?page_token={quote(token)}")[0] == 400
    assert (
        door.refused("POST", "/logged-models/search", {"experiment_ids": ["0"], "page_token": token})[0]
        == 400
    )


@pytest.mark.parametrize(
    "filter",
    [
        "name LIKE '" + "%a" * 20 + "b'",
        "name LIKE '" + "%" * 5000 + "x'",
        "name LIKE '" + "%_a" * 1000 + "'",
        " AND ".join(["name != 'x'"] * 2000),
        "(" * 5000 + "name = 'x'" + ")" * 5000,
        "NOT " * 5000 + "name = 'x'",
        "name = '" + "x" * 1_000_000 + "'",
        "name IN (" + ",".join(["'x'"] * 20_000) + ")",
        "`" * 50_000,
        "a." * 30_000,
    ],
    ids=lambda text: f"{text[:12]}{len(text)}",
)
def test_a_filter_made_to_take_long_is_answered_at_once(door: Asking, filter: str) -> None:
    name = "a" * 200
    if door.answer("GET", f"{API}/registered-models/get?name={name}").status == 404:
        door.post("/registered-models/create", name=name)
    began = time.monotonic()
    found = door.answer("POST", "/logged-models/search", {"experiment_ids": ["0"], "filter": filter})
    assert found.status in {200, 400}
    assert raw(door, "GET", f"{API}/registered-models/search?filter={quote(filter)}")[0] in {
        200,
        400,
        414,
        431,
    }
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"x"',
        b"1",
        b"null",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"name": ["a"]}',
        b'{"name": {"a": 1}}',
        b'{"name": 1e999}',
        b'{"name": NaN}',
        b'{"name": "\\ud800"}',
        b'{"name": "\\ud800", "x": NaN}',
        b'{"name": "a", "tags": [1, "x", null]}',
        b'{"name": "a", "tags": {"key": "x"}}',
        b'{"name": "a", "tags": [{"key": {}, "value": []}]}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_of_another_shape_is_refused(door: Asking, body: bytes) -> None:
    for method, path in (
        ("POST", "/registered-models/create"),
        ("POST", "/model-versions/create"),
        ("POST", "/logged-models"),
        ("PATCH", "/logged-models/m-1"),
        ("PATCH", "/logged-models/m-1/tags"),
        ("POST", "/webhooks"),
        ("DELETE", "/registered-models/delete"),
        ("POST", "/registered-models/alias"),
    ):
        status, _ = raw(door, method, API + path, body, Content_Type="application/json")
        assert 400 <= status < 500, (path, status)


def test_what_is_too_long_is_refused_with_its_limit(door: Asking) -> None:
    name = fresh("long")
    door.post("/registered-models/create", name=name)
    tag = {"name": name, "key": "k", "value": "x" * 100_001}
    assert "maximum length of 100000" in door.refused("POST", "/registered-models/set-tag", tag)[2]
    assert (
        door.refused("POST", "/registered-models/set-tag", {**tag, "key": "k" * 251, "value": "v"})[0] == 400
    )
    source = {"name": name, "source": "s3://b/" + "x" * 3000}
    assert door.refused("POST", "/model-versions/create", source)[0] == 400
    assert door.refused("POST", "/logged-models", {"experiment_id": "0", "name": "x" * 501})[0] == 400


def test_a_body_that_is_announced_too_large_is_not_received(door: Asking) -> None:
    host = door.serving.connection()
    for path, length in ((f"{API}/registered-models/create", 10 << 30), (f"{FILES}/x", 10 << 40)):
        with socket.create_connection((host.host, host.port), timeout=10) as plain:
            method = "PUT" if path.startswith(FILES) else "POST"
            head = f"{method} {path} HTTP/1.1\r\nHost: {host.host}:{host.port}\r\nContent-Length: {length}\r\n\r\n"
            plain.sendall(head.encode())
            assert plain.recv(64).split(b" ")[1] == b"413"


# ---- G: files that run ---------------------------------------------------------------------------------------------------


def test_no_model_is_ever_loaded_by_the_server(door: Asking, tmp_path: Path) -> None:
    # CVE-2024-37052 to 37061, CVE-2024-24590
    mark = tmp_path / "ran"
    trap = f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode()
    told = f"!!python/object/apply:os.system ['touch {mark}']\n".encode()
    model = door.model(name=fresh("trap"))
    for name, content in (
        ("model.pkl", trap),
        ("MLmodel", told),
        ("conda.yaml", told),
        ("python_env.yaml", told),
    ):
        door.put(model["artifact_uri"], name, content)
    door.finalize(model["model_id"])
    name = door.registered(model)
    door.get("/model-versions/get", name=name, version="1")
    door.serving.get(f"/api/lineal/v1/show?ref={name}@1")
    assert not mark.exists()
