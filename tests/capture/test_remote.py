"""Data of other hosts is recorded by its URL, without what gives access to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.capture.remote import clean, scheme
from tests.capture.injected import run


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A server on this machine with `data.csv`."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "data.csv").write_text("a,b\n1,2\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "www"))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("needs", "read", "lib"),
    [
        ("pandas", "import pandas; print(len(pandas.read_csv({url!r})))", "pandas.read_csv"),
        ("fsspec", "import fsspec\nwith fsspec.open({url!r}) as f: print(len(f.read()))", "fsspec.open"),
        ("polars", "import polars; print(len(polars.read_csv({url!r})))", "polars.read_csv"),
        ("urllib", "import urllib.request as r; print(len(r.urlopen({url!r}).read()))", "urllib"),
    ],
)
def test_what_is_read_by_url_is_recorded(
    needs: str, read: str, lib: str, server: str, tmp_path: Path
) -> None:
    pytest.importorskip(needs)
    if needs == "fsspec":
        pytest.importorskip("aiohttp")
    url = f"http://{server}/data.csv"
    # Polars asks for ranges, which this server does not know; it was asked to read the URL all the same.
    code = read.format(url=url + "?part=1&sig=aBcD1234")
    got = run(tmp_path, code)
    assert got.code == run(tmp_path, code, recorded=False).code, got.stderr
    assert (f"{url}?part=1&sig=[REDACTED:signature]", "read", lib) in {
        (r["url"], r["op"], r["lib"]) for r in got.records("url")
    }
    data = b"".join(path.read_bytes() for path in (tmp_path / ".lineal" / "journal").iterdir())
    assert b"aBcD1234" not in data


@pytest.mark.peer("fsspec")
def test_what_a_file_system_that_is_awaited_inside_fetches_at_once_is_recorded(tmp_path: Path) -> None:
    code = (
        "import fsspec.asyn\n"
        "class Made(fsspec.asyn.AsyncFileSystem):\n"
        "    protocol = 'made'\n"
        "    async def _cat_file(self, path, **more): return b'x'\n"
        "    async def _pipe_file(self, path, value, **more): pass\n"
        "made = Made()\n"
        "assert made.cat_file('a/b') == b'x'\n"
        "made.pipe_file('a/c', b'y')"
    )
    got = run(tmp_path, code)
    assert got.code == 0, got.stderr
    assert {(r["url"], r["op"]) for r in got.records("url")} == {
        ("made://a/b", "read"),
        ("made://a/c", "write"),
    }


@pytest.mark.peer("fsspec")
def test_stores_that_are_not_remote_are_no_urls(tmp_path: Path) -> None:
    code = (
        "import fsspec\nwith fsspec.open('memory://a', 'w') as f: f.write('x')\n"
        "with fsspec.open('local://' + __import__('os').getcwd() + '/b', 'w') as f: f.write('x')"
    )
    got = run(tmp_path, code)
    assert (got.code, got.records("url"), got.paths(2)) == (0, [], {"b"})


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://host/a.csv?x=1", "https://host/a.csv?x=1"),
        ("https://me:pa%40ss@host:8080/a", "https://host:8080/a"),
        ("https://token@host/a", "https://host/a"),
        ("s3://AKIAIOSFODNN7EXAMPLE:secret@bucket/k@y", "s3://bucket/k@y"),
        (
            "https://b.s3.amazonaws.com/k?X-Amz-Credential=c&X-Amz-Signature=s&versionId=v",
            "https://b.s3.amazonaws.com/k?X-Amz-Credential=[REDACTED:signature]&X-Amz-Signature=[REDACTED:signature]&versionId=v",
        ),
        (
            "https://b/k?AWSAccessKeyId=a&Signature=b&Expires=1#part",
            "https://b/k?AWSAccessKeyId=[REDACTED:signature]&Signature=[REDACTED:signature]&Expires=[REDACTED:signature]#part",
        ),
        (
            "https://a.blob.core.windows.net/c/b?sv=1&sig=abc%3D",
            "https://a.blob.core.windows.net/c/b?sv=1&sig=[REDACTED:signature]",
        ),
        ("https://host?token=t", "https://host?token=[REDACTED:signature]"),
        ("data.csv", "data.csv"),
    ],
)
def test_urls_lose_what_gives_access(url: str, kept: str) -> None:
    assert clean(url) == kept


@given(st.text(max_size=60))
def test_cleaning_is_done_once_and_for_all(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert (
        clean("https://user:" + text.replace("/", "").replace("?", "").replace("#", "") + "@host/p")
        == "https://host/p"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("s3://b/k", "s3"),
        ("HTTPS://h", "https"),
        ("simplecache::s3://b/k", "s3"),
        ("file:///a", ""),
        ("local://a", ""),
        ("/a/b", ""),
        ("a b://c", ""),
        ("://", ""),
        ("C:\\x", ""),
    ],
)
def test_a_scheme_is_what_stands_before_the_slashes(text: str, wanted: str) -> None:
    assert scheme(text) == wanted
