"""The outer layer: who may ask, from where, and how much."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from starlette.routing import BaseRoute, Route

from lineal.server.app import create_app, every_route
from lineal.server.config import Config
from lineal.server.guard import OPEN_PATHS
from lineal.server.log import Log
from lineal.service import access
from tests.e2e.cli import LINEAL, environment
from tests.server.making import API, client, ingest, started
from tests.server.serving import Answer, Serving, begun

# What may be seen without a token. It grows only here, by a decision.
OPEN = {
    "/",
    "/health",
    "/ready",
    "/version",
    "/api/3.0/mlflow/server-info",
    "/ajax-api/3.0/mlflow/server-info",
}


# Parts of the application whose routes cannot be walked (a folder of files, an application of its own), each with an address in it
# and what is answered there without a token. It grows only here, by a decision.
OPAQUE: dict[str, tuple[str, int]] = {}


def token(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [LINEAL, "token", "create", *words, "--json"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done
    return str(json.loads(done.stdout)["token"])


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One server for all tests here that leave nothing behind."""
    server = Serving(begun(tmp_path_factory.mktemp("open"))).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, str]]:
    """A server that wants tokens, and a token that may do everything."""
    folder = begun(tmp_path_factory.mktemp("closed"))
    admin = token(folder, "ana", "--scope", "admin")
    server = Serving(folder).start()
    yield server, admin
    server.close()


# ---- from where ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil-localhost",
        "localhost@evil.example",
        "[::1].evil.example",
        "0x7f000001",
        "2130706433",
        "127.1",
        "10.0.0.7",
        "169.254.169.254",
        "localhost:7070:1",
        "localhost:99999",
        "local host",
        "",
    ],
)
def test_another_host_is_not_answered(serving: Serving, host: str) -> None:
    answer = serving.get("/health", Host=host)
    assert answer.status in (400, 421)
    assert b"ok" not in answer.body


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8888", "[::1]:7070", "127.0.0.2", "localhost."]
)
def test_names_of_this_machine_are_answered_on_any_port(serving: Serving, host: str) -> None:
    assert serving.get("/health", Host=host).status == 200


def test_two_hosts_in_one_request_are_refused(serving: Serving) -> None:
    with socket.create_connection(("127.0.0.1", serving.port)) as raw:
        raw.sendall(
            b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        )
        assert b" 400 " in raw.makefile("rb").readline()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "file://"},
        {"Origin": "http://[broken"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_a_page_of_another_site_may_not_ask(serving: Serving, headers: dict[str, str]) -> None:
    for method, path in (("POST", f"{API}/ingest"), ("GET", f"{API}/runs"), ("OPTIONS", f"{API}/runs")):
        answer = serving.ask(method, path, b"{}" if method == "POST" else None, **headers)
        assert (answer.status, answer.code) == (403, "denied")
        assert not any(name.startswith("access-control") for name in answer.headers)


def test_a_page_of_this_server_may_ask_and_a_link_may_be_followed(serving: Serving) -> None:
    own = {
        "Origin": serving.url,
        "Sec-Fetch-Site": "same-origin",
        "Host": serving.url.removeprefix("http://"),
    }
    assert serving.get(f"{API}/runs", **own).status == 200
    assert serving.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200


# ---- how much ------------------------------------------------------------------------------------------------------------


def test_a_huge_body_is_refused_by_its_announcement(serving: Serving) -> None:
    with socket.create_connection(("127.0.0.1", serving.port)) as raw:
        raw.sendall(
            f"POST {API}/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Content-Length: 10000000000\r\n\r\n".encode()
        )
        assert b" 413 " in raw.makefile("rb").readline()


def test_a_body_that_never_ends_is_cut_off(serving: Serving) -> None:
    connection = serving.connection()
    connection.putrequest("POST", f"{API}/runs")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    sent = 0
    try:
        while sent < 200:
            connection.send(piece)
            sent += 1
    except OSError:
        pass
    finally:
        connection.close()
    assert sent < 200
    assert serving.healthy()


def test_a_packed_bomb_is_refused_and_an_honest_packed_body_is_read(serving: Serving) -> None:
    bomb = gzip.compress(b"0" * 200_000_000)
    assert len(bomb) < 300_000
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert serving.ask("POST", f"{API}/runs", bomb, **headers).status == 413
    assert serving.ask("POST", f"{API}/runs", gzip.compress(b'{"limit":1}'), **headers).status == 200
    assert serving.ask("POST", f"{API}/runs", gzip.compress(b'{"limit":1}')[:-4], **headers).status == 400
    assert serving.ask("POST", f"{API}/runs", b"{}", **headers).status == 400
    headers["Content-Encoding"] = "br"
    assert serving.ask("POST", f"{API}/runs", b"{}", **headers).status == 415


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[]",
        b'"x"',
        b"NaN",
        b"\xff\xfe",
        b'{"limit":"many"}',
        b'{"limit":1e400}',
        b'{"limit":99999999999999999999999999}',
        b'{"where":"\\ud800"}',
        b"{",
        b'{"where":' + b'"' + b"%a" * 500_000 + b'"}',
    ],
)
def test_a_malformed_body_is_a_400(serving: Serving, body: bytes) -> None:
    answer = serving.ask("POST", f"{API}/runs", body, Content_Type="application/json")
    assert (answer.status, answer.code) == (400, "invalid")


def test_a_long_address_is_refused(serving: Serving) -> None:
    assert serving.get(f"{API}/show?ref=" + "a" * 40_000).status == 414


def test_every_answer_carries_the_headers_of_a_careful_server(serving: Serving) -> None:
    for answer in (
        serving.get("/"),
        serving.get("/health"),
        serving.get("/nothing"),
        serving.get(f"{API}/runs?x"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert len(answer.headers["x-request-id"]) == 16
        assert "server" not in answer.headers


def test_kept_bytes_are_never_shown_as_a_page(serving: Serving) -> None:
    with client(serving) as remote:
        digest = remote.blobs.put(b"<script>alert(1)</script>")
    answer = serving.get(f"{API}/blobs/{digest}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "digest",
    [
        "x",
        "sha256:",
        "sha256:" + "0" * 63,
        "sha256:" + "G" * 64,
        "..",
        "%2e%2e%2f%2e%2e",
        "sha256:..%2f..%2fetc",
        "%00",
    ],
)
def test_bytes_are_named_by_a_digest_only(serving: Serving, digest: str) -> None:
    assert serving.get(f"{API}/blobs/{digest}").status in (400, 404)
    assert serving.ask("PUT", f"{API}/blobs/{digest}", b"x").status in (400, 404)


def test_an_upload_cut_in_the_middle_leaves_nothing(serving: Serving) -> None:
    digest = "sha256:" + "5" * 64
    with socket.create_connection(("127.0.0.1", serving.port)) as raw:
        raw.sendall(
            f"PUT {API}/blobs/{digest} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n".encode()
            + b"x" * 2_000_000
        )
    assert serving.get(f"{API}/blobs/{digest}").status == 404
    assert serving.ask("PUT", f"{API}/blobs/{digest}", b"other bytes").code == "invalid"
    kept = {path.name for path in (serving.folder / ".lineal" / "blobs").rglob("*") if path.is_file()}
    assert kept <= {hashlib.sha256(b"<script>alert(1)</script>").hexdigest()[2:]}


# ---- who -----------------------------------------------------------------------------------------------------------------


def test_no_route_answers_without_a_token_but_the_written_ones(closed: tuple[Serving, str]) -> None:
    server, _ = closed
    app = create_app(Config(store=":memory:", blobs="memory:", namespace="n"), log=Log()).routes
    seen = 0
    for route in every_route(app):
        path = re.sub(r"\{\w+(:path)?\}", "x", route.path)
        for method in sorted(route.methods or ()):
            answer = server.ask(method, path)
            seen += 1
            if route.path in OPEN or route.path == "/metrics":
                assert answer.status == 200, (method, route.path)
            elif route.path == "/ui/{name}":  # parts of the page, which tell nothing of the record
                assert answer.status == 404, (method, route.path)
            else:
                assert answer.status == 401, (method, route.path)
    assert seen > 40
    refused = server.get("/api/2.0/mlflow/experiments/search")
    assert (refused.status, refused.json["error_code"]) == (401, "UNAUTHENTICATED")
    for path in ("/nothing", "//health", "/health/", "/api/../health", "/health;x", "/%68ealth/"):
        assert server.get(path).status == 401, path


def opaque(routes: Iterable[BaseRoute]) -> list[str]:
    """The paths of what is mounted without routes that could be walked."""
    found: list[str] = []
    for route in routes:
        inner = list(getattr(route, "routes", None) or ())
        if inner:
            found += opaque(inner)
        elif not isinstance(route, Route):
            found.append(str(getattr(route, "path", route)))
    return found


def test_nothing_is_mounted_out_of_sight_but_the_written_parts(closed: tuple[Serving, str]) -> None:
    server, _ = closed
    app = create_app(Config(store=":memory:", blobs="memory:", namespace="n"), log=Log()).routes
    assert sorted(opaque(app)) == sorted(OPAQUE)
    for address, status in OPAQUE.values():
        assert server.get(address).status == status


def test_the_list_of_open_paths_is_the_written_one() -> None:
    assert set(OPEN_PATHS) == OPEN


def test_a_token_opens_as_bearer_and_as_basic_password(closed: tuple[Serving, str]) -> None:
    server, admin = closed
    basic = base64.b64encode(f"anybody:{admin}".encode()).decode()
    assert server.get(f"{API}/runs", **bearer(admin)).status == 200
    assert server.get(f"{API}/runs", Authorization=f"Basic {basic}").status == 200
    assert server.get(f"{API}/runs", Authorization=f"bearer {admin}").status == 200


@pytest.mark.parametrize(
    "shown",
    ["Bearer", "Bearer x", "Basic !!", "Basic eDp5", "Digest x", "Bearer lin_", "Bearer lin_a_" + "b" * 43],
)
def test_what_is_no_token_does_not_open(closed: tuple[Serving, str], shown: str) -> None:
    answer = closed[0].get(f"{API}/runs", Authorization=shown)
    assert (answer.status, answer.code) == (401, "denied")
    assert "bearer" in answer.headers["www-authenticate"].lower()


def test_a_token_with_another_secret_does_not_open(closed: tuple[Serving, str]) -> None:
    server, admin = closed
    wrong = admin[:-1] + ("a" if admin[-1] != "a" else "b")
    assert server.get(f"{API}/runs", **bearer(wrong)).status == 401


def test_a_scope_is_all_that_a_token_opens(closed: tuple[Serving, str]) -> None:
    server, _ = closed
    viewer, writer = (
        token(server.folder, "eva", "--scope", "viewer"),
        token(server.folder, "ci", "--scope", "ingest"),
    )
    assert server.get(f"{API}/runs", **bearer(viewer)).status == 200
    refused = server.post(f"{API}/tag", {"ref": "x", "key": "a", "value": "b"}, **bearer(viewer))
    assert (refused.status, refused.code) == (403, "denied")
    with client(server, token=writer) as remote:
        remote.call("ingest", ingest(started(1)))
    assert server.get(f"{API}/runs", **bearer(writer)).status == 403
    assert server.ask("PUT", f"{API}/blobs/sha256:{'0' * 64}", b"", **bearer(viewer)).status == 403
    assert server.get(f"{API}/tokens", **bearer(viewer)).status == 403


def test_a_change_is_signed_with_the_tokens_name_whatever_else_is_said(closed: tuple[Serving, str]) -> None:
    server, admin = closed
    with client(server, token=admin, actor="somebody else") as remote:
        text, id, digest = access.new_token()
        made = remote.call(
            "token-create", access.TokenCreateRequest(name="x", id=id, digest=digest, scopes=["viewer"])
        )
    assert made.actor == "ana"
    assert server.get(f"{API}/runs", **bearer(text)).status == 200


def test_a_revoked_and_an_expired_token_open_nothing(closed: tuple[Serving, str]) -> None:
    server, admin = closed
    revoked = token(server.folder, "guest")
    assert server.get(f"{API}/runs", **bearer(revoked)).status == 200
    id = access.split(revoked)[0]  # type: ignore[index]
    assert server.post(f"{API}/token-revoke", {"id": id}, **bearer(admin)).status == 200
    assert eventually_401(server, revoked).json["error"]["message"] == f"the token {id} (guest) is revoked"
    text, id, digest = access.new_token()
    soon = server.post(
        f"{API}/token-create",
        {
            "name": "short",
            "id": id,
            "digest": digest,
            "scopes": ["viewer"],
            "expires_at": now_us() + 1_000_000,
        },
        **bearer(admin),
    )
    assert soon.status == 200
    assert "is expired" in eventually_401(server, text).json["error"]["message"]


def test_the_store_knows_no_secret(closed: tuple[Serving, str]) -> None:
    server, admin = closed
    secret = access.split(admin)[1]  # type: ignore[index]
    for path in (server.folder / ".lineal").rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    assert secret not in server.log


def test_wrong_tokens_are_answered_only_so_often(project: Path) -> None:
    admin = token(project, "ana", "--scope", "admin")
    other = Serving(project).start()
    try:
        answers = [other.get(f"{API}/runs", Authorization=f"Bearer {n}").status for n in range(80)]
        assert set(answers) == {401, 429}
        late = other.get(f"{API}/runs", Authorization="Bearer x")
        assert int(late.headers["retry-after"]) >= 1
        assert other.get(f"{API}/runs", **bearer(admin)).status == 200
    finally:
        other.close()


def test_a_server_for_others_does_not_start_without_a_token(project: Path) -> None:
    done = subprocess.run(
        [LINEAL, "server", "--host", "0.0.0.0", "--port", "0"],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert "no token was made yet" in done.stderr
    assert "lineal token create NAME --scope admin" in done.stderr


def test_a_server_for_others_wants_tokens_also_for_its_figures(project: Path) -> None:
    admin = token(project, "ana", "--scope", "admin")
    server = Serving(project, "--host", "0.0.0.0").start()
    try:
        assert server.get("/metrics").status == 401
        assert b"lineal_changes_total" in server.get("/metrics", **bearer(admin)).body
        assert server.get("/health", Host="10.1.2.3").status == 200
        assert server.get("/health", Host="evil.example").status == 421
    finally:
        server.close()


def test_a_caller_that_asks_too_often_is_told_when_to_come_again(project: Path) -> None:
    server = Serving(project, "--rate", "5").start()
    try:
        answers: list[Answer] = [server.get(f"{API}/runs") for _ in range(40)]
        assert {answer.status for answer in answers} == {200, 429}
        assert all("retry-after" in answer.headers for answer in answers if answer.status == 429)
    finally:
        server.close()


def eventually_401(server: Serving, text: str) -> Answer:
    deadline = time.monotonic() + 5
    while (answer := server.get(f"{API}/runs", **bearer(text))).status == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert answer.status == 401
    return answer


def now_us() -> int:
    return time.time_ns() // 1000
