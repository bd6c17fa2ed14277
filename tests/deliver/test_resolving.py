"""Resolvers, each held against what it resolves: DVC, git and Delta as the real tools make them, the others as documented."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.resolve import addresses, dvc, iceberg, lakefs, yaml_plain
from lineal.resolve.found import Found
from lineal.resolve.versions import Resolver
from tests.deliver import tables

PIPELINE = """
stages:
  clean:
    cmd: cp data/a.csv clean.csv && cp single.csv score.csv
    deps: [data]
    params: [limit]
    outs:
    - clean.csv
    - score.csv:
        cache: false
"""


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def resolved(path: Path, resolver: Resolver | None = None) -> dict[str, Found]:
    """By kind, what is found of one file or folder."""
    digest = sha256(path) if path.is_file() else ""
    found = (resolver or Resolver()).files([(os.fsencode(path), digest)])
    return {one.kind: one for one in found.get(os.fsencode(path), [])}


def written(found: Found) -> list[str]:
    """What a kind found, as `scheme:value level`."""
    return [f"{name.scheme}:{name.value} {name.level}" for name in found.names]


# ---- git -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with one committed file."""
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "remote", "add", "origin", "https://user:secret@host.example/team/repo.git")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a b.csv").write_text("a\n1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_a_file_as_committed_is_its_blob_and_its_path_in_the_commit(checkout: Path) -> None:
    path = checkout / "data" / "a b.csv"
    found = resolved(path)["git"]
    commit = git(checkout, "rev-parse", "HEAD")
    blob = git(checkout, "rev-parse", "HEAD:data/a b.csv")
    assert written(found) == [f"git:{blob} content", f"git:data/a b.csv@{commit} native"]
    assert found.facts["remote"] == "host.example/team/repo"


def test_a_changed_file_is_no_version_of_git_until_it_is_committed(checkout: Path) -> None:
    path, resolver = checkout / "data" / "a b.csv", Resolver()
    resolved(path, resolver)
    path.write_text("a\n2\n")
    dirty = resolved(path, resolver)["git"]
    assert (dirty.names, dirty.facts["dirty"]) == ((), True)
    git(checkout, "add", ".")
    assert resolved(path, resolver)["git"].names == ()  # staged, in no commit yet
    git(checkout, "commit", "-q", "-m", "two")
    assert len(resolved(path, resolver)["git"].names) == 2
    (checkout / "new.csv").write_text("")
    assert resolved(checkout / "new.csv", resolver) == {}  # not tracked


def test_many_files_of_a_checkout_are_asked_for_at_once(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        (checkout / f"{number}.csv").write_text(f"{number}\n")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "many")
    calls: list[object] = []
    run = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda *words, **more: (calls.append(words), run(*words, **more))[1]
    )
    resolver = Resolver()
    files = [(os.fsencode(checkout / f"{number}.csv"), "") for number in range(300)]
    assert len(resolver.files(files)) == 300
    assert len(calls) == 3
    assert len(resolver.files(files)) == 300
    assert len(calls) == 3  # known as long as index and HEAD stay


def test_a_file_of_git_lfs_is_what_its_pointer_names(checkout: Path) -> None:
    content = b"large\n" * 100
    digest = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"
    (checkout / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (checkout / "weights.bin").write_text(pointer)
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "lfs")
    unfetched = resolved(checkout / "weights.bin")["git-lfs"]
    assert "pointer" in unfetched.gap
    assert unfetched.names[0][:2] == ("lfs", digest)
    (checkout / "weights.bin").write_bytes(content)
    fetched = resolved(checkout / "weights.bin")["git-lfs"]
    assert written(fetched)[0] == f"lfs:{digest} content"
    assert fetched.names[1].level == "native"
    (checkout / "weights.bin").write_bytes(content + b"!")
    assert resolved(checkout / "weights.bin")["git-lfs"].names == ()


def test_a_broken_repository_is_a_gap(checkout: Path) -> None:
    (checkout / ".git" / "index").write_bytes(b"nonsense")
    assert "git could not be asked" in resolved(checkout / "data" / "a b.csv")["git"].gap


# ---- DVC -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real repository of DVC: a folder and a file that are tracked, and a stage that was run."""
    tables.need("dvc")
    root = tmp_path_factory.mktemp("dvc")
    git(root, "init", "-q")
    tables.dvc(root, "init", "-q")
    (root / "data").mkdir()
    (root / "data" / "a.csv").write_text("a\r\n1\r\n")
    (root / "data" / "deep").mkdir()
    (root / "data" / "deep" / "b.csv").write_text("b\n2\n")
    (root / "single.csv").write_text("s\n3\n")
    (root / "params.yaml").write_text("limit: 3\n")
    tables.dvc(root, "add", "-q", "data", "single.csv")
    (root / "dvc.yaml").write_text(PIPELINE)
    tables.dvc(root, "repro", "-q")
    return root


def test_what_dvc_tracks_has_its_md5_and_it_is_verified(repository: Path) -> None:
    single = resolved(repository / "single.csv")["dvc"]
    md5 = hashlib.md5((repository / "single.csv").read_bytes()).hexdigest()
    assert written(single) == [f"dvc-md5:{md5} content"]
    assert single.facts["matches"] is True
    made = resolved(repository / "clean.csv")["dvc"]
    assert (made.facts["stage"], made.facts["declared_by"], made.facts["matches"]) == (
        "clean",
        "dvc.lock",
        True,
    )


def test_a_folder_of_dvc_and_the_files_in_it(repository: Path) -> None:
    folder = resolved(repository / "data")["dvc"]
    assert (repository / "data.dvc").read_text().count(folder.names[0].value) == 1
    assert folder.names[0].value.endswith(".dir")
    assert folder.facts["matches"] is True
    member = resolved(repository / "data" / "deep" / "b.csv")["dvc"]
    assert member.facts["member"] == "deep/b.csv"
    assert written(member) == [
        f"dvc-md5:{hashlib.md5(b'b' + bytes([10]) + b'2' + bytes([10])).hexdigest()} content"
    ]


def test_a_workspace_that_differs_from_what_dvc_declares_is_told_even_when_dvc_does_not_see_it(
    repository: Path,
) -> None:
    path, resolver = repository / "single.csv", Resolver()
    before = resolved(path, resolver)["dvc"]
    was, text = path.stat(), path.read_text()
    path.chmod(0o644)
    path.write_text(text.replace("3", "4"))
    os.utime(
        path, ns=(was.st_atime_ns, was.st_mtime_ns)
    )  # same size, same time: `dvc status` says it is up to date
    changed = resolved(path, resolver)["dvc"]
    assert changed.facts["matches"] is False
    assert changed.names != before.names
    assert changed.gap == "the workspace differs from what DVC declares"
    path.write_text(text)
    assert resolved(path, resolver)["dvc"].facts["matches"] is True


def test_files_of_older_and_of_unknown_versions_of_dvc(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    text = tmp_path / "text.csv"
    text.write_bytes(b"a\r\n1\r\n")
    md5 = hashlib.md5(b"a\n1\n").hexdigest()
    (tmp_path / "text.csv.dvc").write_text(f"outs:\n- md5: {md5}\n  size: 6\n  path: text.csv\n")
    old = resolved(text)["dvc"]
    assert (old.facts["matches"], written(old)) == (True, [f"dvc-md5:{md5} declared"])
    (tmp_path / "text.csv.dvc").write_text("outs:\n- hash: blake9\n  blake9: abc\n  path: text.csv\n")
    unknown = resolved(text)["dvc"]
    assert written(unknown) == ["dvc-blake9:abc declared"]
    assert "'blake9' is no hash that is known here" in unknown.gap
    (tmp_path / "text.csv.dvc").write_text("outs: [&x 1\n")
    assert "is no YAML that DVC writes" in resolved(text)["dvc"].gap
    (tmp_path / "text.csv.dvc").unlink()
    (tmp_path / "dvc.lock").write_text("schema: '9.0'\nstages: {}\n")
    assert "its schema is '9.0', and known are 1.0 and 2.0" in resolved(text)["dvc"].gap


def test_an_entry_of_dvc_that_can_be_no_file_costs_only_itself(tmp_path: Path) -> None:
    odd = "\n".join(
        f"- md5: {'a' * 32}\n  size: {size}\n  path: {path}"
        for path, size in (('"\\ud800"', 3), ('"a\\0b"', 3), ("long.csv", "9" * 5000), ("good.csv", 7))
    )
    file = tmp_path / "odd.dvc"
    file.write_text(f"outs:\n{odd}\n")
    outs = dvc.read(os.fsencode(file)).outs
    assert [(os.path.basename(out.path), out.size) for out in outs] == [(b"long.csv", None), (b"good.csv", 7)]
    file.write_text(f'wdir: "\\ud800"\nouts:\n{odd}\n')
    assert dvc.read(os.fsencode(file)) == ((), "its wdir is no path")


def test_a_folders_list_is_looked_for_in_dvcs_cache_alone(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("x")
    (tmp_path / "else.dir").write_text(json.dumps([{"relpath": "a", "md5": "0" * 32}]))
    (tmp_path / "data.dvc").write_text(f"outs:\n- md5: xx{tmp_path}/else.dir\n  hash: md5\n  path: data\n")
    assert "is not in DVC's cache here" in resolved(tmp_path / "data" / "a")["dvc"].gap


@pytest.mark.parametrize("listed", [5, {"a": 1}, "x"])
def test_metadata_of_iceberg_that_lists_no_snapshots_is_told_to_be_unreadable(
    tmp_path: Path, listed: object
) -> None:
    (tmp_path / "metadata").mkdir()
    said = {"table-uuid": "u", "snapshots": listed}
    (tmp_path / "metadata" / "00001-a.metadata.json").write_text(json.dumps(said))
    with pytest.raises(iceberg.Unreadable):
        iceberg.missing(os.fsencode(tmp_path), "u", 3)


def test_the_list_of_a_folder_that_is_not_in_the_cache_is_a_gap(repository: Path, tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("a")
    (tmp_path / "data.dvc").write_text((repository / "data.dvc").read_text())
    member = resolved(tmp_path / "data" / "a.csv")["dvc"]
    assert (member.names, "is not in DVC's cache here" in member.gap) == ((), True)


def test_the_reader_of_dvcs_yaml_reads_what_a_full_one_reads(repository: Path) -> None:
    yaml = pytest.importorskip("yaml")
    hard = (
        "schema: '2.0'\nstages:\n  train@lr-0.1:\n    cmd: python train.py --rate 0.1 --name 'a:b'\n      --more\n"
        "    deps:\n    - path: a b.csv\n      hash: md5\n      md5: 0a\n      size: 3\n    params:\n      params.yaml:\n"
        "        lr: 0.1\n        names: [a, 'b, c', {d: e}]\n        text: \"x\\n\\u00e9\"\n        none:\n    desc: |\n      one\n"
        "      two\n    meta: {}\n  other: # a comment\n    cmd:\n    - a # b\n    - 'it''s'\n    frozen: true\n"
    )
    for text in (
        hard,
        *((repository / name).read_text() for name in ("dvc.lock", "data.dvc", "single.csv.dvc")),
    ):
        assert yaml_plain.load(text) == yaml.load(text, Loader=yaml.BaseLoader)
    for bad in (
        "a: &x 1",
        "a: *x",
        "a: !!python/object 1",
        "a:\n\t- 1",
        "a: 'open",
        "a: [1",
        "a: 1\n  b: 2\n c: 3\n- d",
    ):
        with pytest.raises(yaml_plain.Unreadable):
            yaml_plain.load(bad)


# ---- kinds without tools here, to their documented layout ------------------------------------------------------------------


def test_a_file_of_the_hugging_face_cache_is_its_commit_and_blob(tmp_path: Path) -> None:
    home, commit = tmp_path / "hub" / "datasets--org--flights", "a" * 40
    (home / "blobs").mkdir(parents=True)
    (home / "snapshots" / commit / "data").mkdir(parents=True)
    large = b"parquet" * 100
    oid = hashlib.sha256(large).hexdigest()
    (home / "blobs" / oid).write_bytes(large)
    link = home / "snapshots" / commit / "data" / "train.parquet"
    link.symlink_to(home / "blobs" / oid)
    found = resolved(link)["hf"]
    assert written(found) == [
        f"hf:datasets/org/flights/data/train.parquet@{commit} native",
        f"hf:datasets/org/flights@{commit} declared",
    ]
    assert found.facts["blob"] == oid
    small = b"# readme\n"
    blob = hashlib.sha1(b"blob 9\0" + small).hexdigest()
    (home / "blobs" / blob).write_bytes(small)
    (home / "snapshots" / commit / "README.md").symlink_to(home / "blobs" / blob)
    assert f"git:{blob} content" in written(resolved(home / "snapshots" / commit / "README.md")["hf"])
    (home / "blobs" / oid).write_bytes(large + b"!")  # somebody wrote through the link
    changed = resolved(link)["hf"]
    assert (changed.gap != "", [name.level for name in changed.names]) == (True, ["declared"])


@pytest.mark.parametrize(
    ("address", "name", "level"),
    [
        (f"lakefs://repo/{'c' * 64}/a/b.parquet", f"lakefs:repo/a/b.parquet@{'c' * 64}", "native"),
        ("lakefs://repo/main/a/b.parquet", "lakefs:repo/a/b.parquet@main", "declared"),
        (f"lakefs://repo/{'c' * 16}/a", f"lakefs:repo/a@{'c' * 16}", "declared"),
        (f"hf://datasets/o/n@{'d' * 40}/f.csv", f"hf:datasets/o/n/f.csv@{'d' * 40}", "native"),
        ("hf://datasets/o/n@main/f.csv", "hf:datasets/o/n/f.csv@main", "declared"),
        ("hf://o/n/f.csv", "hf:o/n/f.csv@main", "declared"),
        (f"pfs://proj/repo@{'a' * 12}4{'b' * 19}:/p", f"pach:proj/repo:/p@{'a' * 12}4{'b' * 19}", "native"),
        (f"pfs://proj/repo@{'a' * 12}4{'b' * 19}", f"pach:proj/repo@{'a' * 12}4{'b' * 19}", "native"),
        ("pfs://repo@master:/p", "pach:default/repo:/p@master", "declared"),
        (f"quilt+s3://b#package=u/n@{'e' * 64}", f"quilt:s3://b/u/n@{'e' * 64}", "native"),
        ("quilt+s3://b#package=u/n:latest&path=x.csv", "quilt:s3://b/u/n/x.csv@latest", "declared"),
        ("s3://bucket/key.csv?versionId=v1", "s3:bucket/key.csv@v1", "native"),
        ("gs://bucket/key.csv#1700000000", "gs:bucket/key.csv@1700000000", "native"),
    ],
)
def test_an_address_pins_a_version_or_is_said_to_move(address: str, name: str, level: str) -> None:
    found = addresses.of(address)
    assert found is not None
    assert written(found) == [f"{name} {level}"]
    assert (level == "declared") == ("moves" in found.gap or "start of a" in found.gap)


@pytest.mark.parametrize(
    "address",
    [
        "lakefs://",
        "lakefs://repo",
        "hf://x",
        "pfs://a",
        "quilt+s3://b",
        "s3://b/k",
        "s3://[b/k?versionId=1",
        "gs://b/k",
        "x",
    ],
)
def test_an_address_without_a_version_is_left(address: str) -> None:
    assert addresses.of(address) is None


def test_an_oxen_repository_tells_its_branch_only(tmp_path: Path) -> None:
    (tmp_path / ".oxen").mkdir()
    (tmp_path / ".oxen" / "HEAD").write_text("main")
    (tmp_path / "a.csv").write_text("a")
    moving = resolved(tmp_path / "a.csv")["oxen"]
    assert (written(moving), "moves" in moving.gap) == (["oxen:a.csv@main declared"], True)
    (tmp_path / ".oxen" / "HEAD").write_text("ab" * 16)
    assert resolved(tmp_path / "a.csv")["oxen"].facts["commit"] == "ab" * 16


def test_a_croissant_description_is_held_against_the_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "a.csv"
    file.write_text("a\n1\n")
    said = {
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "flights",
        "version": "1.2.0",
        "distribution": [
            {"@type": "cr:FileObject", "@id": "a", "contentUrl": "data/a.csv", "sha256": sha256(file)}
        ],
    }
    (tmp_path / "croissant.json").write_text(json.dumps(said))
    assert written(resolved(file)["croissant"]) == ["croissant:flights/a@1.2.0 content"]
    file.write_text("a\n2\n")
    assert resolved(file)["croissant"].facts["matches"] is False


def test_a_worker_of_pachyderm_tells_commits_in_its_environment() -> None:
    resolver = Resolver({"PACH_JOB_ID": "j", "images_COMMIT": "c" * 32})
    path = b"/pfs/images/a.png"
    found = resolver.files([(path, ""), (b"/pfs/other/b.png", "")])
    assert written(found[path][0]) == [f"pach:images:/a.png@{'c' * 32} declared"]
    assert "other_COMMIT is not set" in found[b"/pfs/other/b.png"][0].gap
    assert Resolver().files([(path, "")]) == {}


def test_a_loop_of_links_is_nothing_and_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "a.dvc").write_text("outs:\n- hash: md5\n  md5: 00\n  path: a\n")
    found = Resolver().files([(os.fsencode(tmp_path / "a"), "")])
    assert [name.level for name in found[os.fsencode(tmp_path / "a")][0].names] == ["declared"]
    assert Resolver().roots.of(os.fsencode(tmp_path / "a" / "x.parquet")) is None


def test_several_kinds_know_one_file_and_all_are_given(checkout: Path) -> None:
    path = checkout / "data" / "a b.csv"
    (checkout / ".dvc").mkdir()
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    (checkout / "data" / "a b.csv.dvc").write_text(f"outs:\n- hash: md5\n  md5: {md5}\n  path: a b.csv\n")
    assert set(resolved(path)) == {"git", "dvc"}


def test_what_was_resolved_before_costs_less_than_a_millisecond(checkout: Path, repository: Path) -> None:
    resolver = Resolver()
    for path in (checkout / "data" / "a b.csv", repository / "single.csv", repository / "data" / "a.csv"):
        first = resolved(path, resolver)
        asked = [(os.fsencode(path), sha256(path))]
        spent = []
        for _ in range(50):
            begun = time.thread_time()
            found = resolver.files(asked)
            spent.append(time.thread_time() - begun)
        assert {one.kind: one for one in found[asked[0][0]]} == first
        assert sorted(spent)[25] < 0.001


def test_declarations_of_dvc_are_read_once(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, read = Resolver(), []
    real = dvc.read
    monkeypatch.setattr(dvc, "read", lambda file: (read.append(file), real(file))[1])
    for _ in range(3):
        resolved(repository / "single.csv", resolver)
    assert len(read) == len(set(read)) == 3  # two .dvc files and dvc.lock


# ---- lakeFS, to its documented interface -----------------------------------------------------------------------------------


class LakeFS(http.server.BaseHTTPRequestHandler):
    """Two questions of lakeFS' API 1: the commits of a ref, and what is known of an object."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if self.path == "/api/v1/repositories/repo/refs/main/commits?amount=1":
            body = json.dumps({"results": [{"id": "c" * 64}]}).encode()
        elif self.path.startswith(f"/api/v1/repositories/repo/refs/{'c' * 64}/objects/stat?path=a%2Fb.csv"):
            body = json.dumps({"checksum": "d41d"}).encode()
        elif "/refs/broken/" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"results": [')  # and then the connection is gone
            return
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def lake() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), LakeFS)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def pinned(server: http.server.ThreadingHTTPServer, ref: str, etag: str = "", allowed: str = "1") -> Found:
    variables = {
        "LAKECTL_SERVER_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}/api/v1",
        "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": "k",
        "LINEAL_LAKEFS": allowed,
    }
    found = addresses.of(f"lakefs://repo/{ref}/a/b.csv")
    assert found is not None
    return lakefs.Server(variables).pinned(found, etag)


def test_a_branch_of_lakefs_is_the_commit_that_holds_what_was_read(
    lake: http.server.ThreadingHTTPServer,
) -> None:
    same = pinned(lake, "main", "d41d")
    assert written(same)[0] == f"lakefs:repo/a/b.csv@{'c' * 64} native"
    assert same.gap == ""
    other = pinned(lake, "main", "ffff")
    assert written(other)[0] == f"lakefs:repo/a/b.csv@{'c' * 64} declared"
    assert "after the read" in other.gap


def test_lakefs_is_not_asked_unless_that_is_allowed(lake: http.server.ThreadingHTTPServer) -> None:
    assert "moves" in pinned(lake, "main", allowed="0").gap
    assert written(pinned(lake, "c" * 64)) == [f"lakefs:repo/a/b.csv@{'c' * 64} native"]
    assert lake.asked == []  # type: ignore[attr-defined]


def test_a_lakefs_that_drops_the_connection_leaves_the_branch_unpinned_with_the_reason(
    lake: http.server.ThreadingHTTPServer,
) -> None:
    dropped = pinned(lake, "broken")
    assert [name.level for name in dropped.names] == ["declared"]
    assert "lakeFS dropped the connection in the middle of its answer" in dropped.gap
    assert "lakeFS answered 404" in pinned(lake, "gone").gap
    lake.shutdown()
    lake.server_close()
    assert "could not be asked" in pinned(lake, "main").gap
