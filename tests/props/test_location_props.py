"""Locations: every path is a URI that leads back to it, and every URL has a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.resolve.location import file_path, file_uri, url_name

PATHS = st.binary(max_size=40).filter(lambda b: b"\0" not in b).map(lambda b: b"/" + b.lstrip(b"/"))


@given(PATHS)
def test_every_path_comes_back_from_its_uri(path: bytes) -> None:
    uri = file_uri(path)
    assert file_path(uri) == path
    assert uri.isascii()
    assert uri.isprintable()
    assert " " not in uri


@given(PATHS, PATHS)
def test_two_paths_never_share_a_uri(one: bytes, two: bytes) -> None:
    assert (file_uri(one) == file_uri(two)) == (one == two)


@given(st.text(max_size=60))
def test_any_text_at_all_has_a_name(text: str) -> None:
    namespace, name = url_name(text)
    assert isinstance(name, str)
    assert namespace


@pytest.mark.parametrize(
    ("url", "namespace", "name"),
    [
        ("s3://bucket/a/b.csv", "s3://bucket", "a/b.csv"),
        ("https://Host:8080/p?x=1#part", "https://host:8080", "p?x=1"),
        ("https://host", "https://host", ""),
        ("http://[", "http://[", ""),
        ("hf://datasets/a/b/c.parquet", "hf://datasets", "a/b/c.parquet"),
    ],
)
def test_a_url_is_named_by_its_host_and_path(url: str, namespace: str, name: str) -> None:
    assert url_name(url) == (namespace, name)


@pytest.mark.parametrize("uri", ["s3://b/k", "/a", "file://other/a"])
def test_what_is_no_file_here_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="file"):
        file_path(uri)


def test_the_usual_forms_of_a_file_uri_are_understood() -> None:
    assert (
        file_path("file:///a%20b") == file_path("file:/a%20b") == file_path("file://localhost/a b") == b"/a b"
    )
