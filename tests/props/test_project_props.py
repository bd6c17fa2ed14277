"""Names of files: whatever the bytes of a path, it has one name, and no other path has it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.resolve.project import Project, artifact_name, ensure, find

PROJECT = Project("/srv/me/project", "/srv/me/project/.lineal")
PART = st.binary(min_size=1, max_size=12).filter(
    lambda b: b"/" not in b and b"\0" not in b and b not in (b".", b"..")
)
PATHS = st.lists(PART, min_size=1, max_size=4).map(b"/".join)


@given(PATHS, PATHS)
def test_two_paths_never_share_a_name(one: bytes, two: bytes) -> None:
    names = [artifact_name(PROJECT, b"/srv/me/project/" + path) for path in (one, two)]
    assert (names[0] == names[1]) == (one == two)


@given(PATHS)
def test_a_name_is_text_that_prints_and_leads_back_to_the_bytes(path: bytes) -> None:
    _, name = artifact_name(PROJECT, b"/srv/me/project/" + path)
    assert name.isprintable()
    assert name.encode("utf-8").decode("utf-8") == name
    assert unquote_to_bytes(name) == path


@given(
    st.lists(st.text("abcé ü.-_", min_size=1).filter(lambda t: t not in {".", ".."}), min_size=1).map(
        "/".join
    )
)
def test_an_ordinary_path_is_its_own_name(path: str) -> None:
    assert artifact_name(PROJECT, os.fsencode("/srv/me/project/" + path))[1] == path


@given(PATHS)
def test_a_file_outside_is_named_by_its_whole_path(path: bytes) -> None:
    assert artifact_name(PROJECT, b"/srv/me/project2/" + path)[0] == "file"
    assert artifact_name(PROJECT, b"/srv/me/project2/" + path)[1].startswith("/srv/me/project2/")


@given(PATHS)
def test_roundabout_ways_to_a_file_give_the_same_name(path: bytes) -> None:
    plain = artifact_name(PROJECT, b"/srv/me/project/" + path)
    assert artifact_name(PROJECT, b"/srv/me/../me/./project//" + path) == plain


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/org/repo.git", "github.com/org/repo"),
        ("https://user:token@github.com/org/repo", "github.com/org/repo"),
        ("git@github.com:org/repo.git", "github.com/org/repo"),
        ("ssh://git@host:2222/org/repo.git", "host/org/repo"),
    ],
)
def test_a_project_is_named_by_its_remote_without_credentials(url: str, name: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {url}\n')
    assert ensure(str(tmp_path)).name == name


def test_a_project_is_found_from_below_and_begun_at_the_git_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LINEAL_DIR", raising=False)
    (tmp_path / ".git").mkdir()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    made = ensure(str(deep))
    assert (made.root, made.dir) == (str(tmp_path), str(tmp_path / ".lineal"))
    assert find(str(deep)) == made
    assert (tmp_path / ".lineal" / ".gitignore").read_text() == "*\n"
    assert Path(made.journal_dir).is_dir()


def test_the_configuration_names_project_store_and_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LINEAL_DIR", "LINEAL_STORE", "LINEAL_BLOBS"):
        monkeypatch.delenv(name, raising=False)
    project = ensure(str(tmp_path))
    assert project.name == tmp_path.name
    (tmp_path / ".lineal" / "config.toml").write_text(
        '# ours\n[project]\nname = "churn"  # short\n[store]\nurl = "postgresql://h/d?a=b#c"\n[blobs]\nurl = \'s3://b\'\n'
    )
    assert (project.name, project.store_url, project.blobs_url) == (
        "churn",
        "postgresql://h/d?a=b#c",
        "s3://b",
    )


def test_there_is_no_project_where_none_was_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINEAL_DIR", raising=False)
    with tempfile.TemporaryDirectory() as folder:
        assert find(folder) is None
