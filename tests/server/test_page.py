"""The built page is served carefully; where it was not built, the API works and one page says how to build it."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from lineal.server import page


class Answer:
    """What the application sent for one request."""

    def __init__(self, sent: list[dict[str, Any]]) -> None:
        self.status = sent[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        body = b"".join(message.get("body", b"") for message in sent[1:])
        self.text = (
            gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        ).decode()


class Client:
    """Asks the page's routes, without a server around them."""

    def __init__(self, folder: Path) -> None:
        self._app = Starlette(routes=page.routes(folder))

    def get(self, path: str, **headers: str) -> Answer:
        sent: list[Any] = []
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [(k.lower().replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        }

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        asyncio.run(self._app(scope, receive, send))
        return Answer(sent)


@pytest.fixture
def built(tmp_path: Path) -> Client:
    (tmp_path / "ui").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>built</title>")
    (tmp_path / "ui" / "app-1.js").write_text("export {}")
    (tmp_path / "ui" / "app-1.js.gz").write_bytes(gzip.compress(b"export {}"))
    return Client(tmp_path)


def test_a_checkout_without_the_built_page_says_how_to_build_it(tmp_path: Path) -> None:
    client = Client(tmp_path / "nothing")
    answer = client.get("/")
    assert answer.status == 200
    assert "make ui" in answer.text
    assert client.get("/ui/app-1.js").status == 404


def test_the_page_may_load_and_ask_only_its_own_server(built: Client) -> None:
    answer = built.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_page_that_the_browser_has_keeps_its_policy(built: Client) -> None:
    first = built.get("/")
    again = built.get("/", If_None_Match=first.headers["etag"])
    assert again.status == 304
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]


def test_parts_are_kept_for_long_and_the_page_never_without_asking(built: Client) -> None:
    assert built.get("/").headers["cache-control"] == "no-cache"
    assert "immutable" in built.get("/ui/app-1.js").headers["cache-control"]


def test_a_part_comes_compressed_to_those_who_take_it(built: Client) -> None:
    packed = built.get("/ui/app-1.js", Accept_Encoding="gzip")
    plain = built.get("/ui/app-1.js", Accept_Encoding="identity")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text == "export {}"
    assert packed.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize(
    "path",
    [
        "/ui/..",
        "/ui/../index.html",
        "/ui/%2e%2e",
        "/ui/index.html",
        "/ui/app-1.js.gz",
        "/ui/",
        "/ui//etc/passwd",
    ],
)
def test_nothing_but_the_built_parts_is_served(built: Client, path: str) -> None:
    assert built.get(path).status == 404
