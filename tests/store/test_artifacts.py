from __future__ import annotations

import pytest

from lineal.core.errors import Invalid
from lineal.core.events import Level, Member, Reference
from lineal.store.open import Store
from tests.store.making import add_run, add_version


def test_a_version_is_the_artifact_and_the_digest_and_is_numbered_by_arrival(store: Store) -> None:
    with store.write() as tx:
        first, existed = add_version(store, tx, "a\n.csv", digest="sha256:1")
        assert not existed
        second, _ = add_version(store, tx, "a\n.csv", digest="sha256:2")
        other, _ = add_version(store, tx, "b.csv", digest="sha256:1")
        assert add_version(store, tx, "a\n.csv", digest="sha256:1") == (first, True)
        elsewhere, _ = add_version(store, tx, "a\n.csv", digest="sha256:1", namespace="other")
    assert len({first, second, other, elsewhere}) == 4
    with store.read() as tx:
        got = store.artifacts.get_versions(tx, [first, second, other, 999])
        assert {node: (v.name, v.number) for node, v in got.items()} == {
            first: ("a\n.csv", 1),
            second: ("a\n.csv", 2),
            other: ("b.csv", 1),
        }
        assert [v.node for v in store.artifacts.list_versions(tx, "shop", "a\n.csv")] == [second, first]
        assert [v.node for v in store.artifacts.list_versions(tx, None, "a\n.csv")] == [
            elsewhere,
            second,
            first,
        ]
        assert [v.node for v in store.artifacts.list_versions(tx, None, "a\n.csv", limit=1)] == [elsewhere]
        assert store.artifacts.list_versions(tx, "nowhere", "a\n.csv") == []
        assert store.artifacts.list_versions(tx, None, "unknown") == []
        assert store.artifacts.list_artifacts(tx, limit=2) == [
            ("shop", "a\n.csv", "dataset"),
            ("shop", "b.csv", "dataset"),
        ]


def test_without_a_digest_every_version_is_a_new_one(store: Store) -> None:
    with store.write() as tx:
        nodes = [
            add_version(
                store, tx, "big", digest=None, level=Level.NONE, reason="over 64 MiB, changed meanwhile"
            )[0]
            for _ in range(3)
        ]
    with store.read() as tx:
        versions = store.artifacts.get_versions(tx, nodes)
    assert [versions[node].number for node in nodes] == [1, 2, 3]
    assert {(v.digest, v.level, v.reason) for v in versions.values()} == {
        (None, Level.NONE, "over 64 MiB, changed meanwhile")
    }


def test_a_known_version_takes_over_what_it_lacked_and_nothing_else(store: Store) -> None:
    with store.write() as tx:
        node, _ = add_version(store, tx, "m.pkl", digest="d", size=None, location="")
        add_version(store, tx, "m.pkl", digest="d", kind="model", size=7, location="file:///m.pkl")
        add_version(store, tx, "m.pkl", digest="d", kind="report", size=8, location="file:///other")
        add_version(store, tx, "m.pkl", digest="d", kind="dataset")
    with store.read() as tx:
        version = store.artifacts.get_versions(tx, [node])[node]
        assert store.artifacts.list_artifacts(tx, limit=9) == [("shop", "m.pkl", "model")]
    assert (version.kind, version.size, version.location) == ("model", 7, "file:///m.pkl")


def test_versions_are_found_by_the_beginning_of_their_digest(store: Store) -> None:
    digests = ["sha256:ab12", "sha256:ab13", "sha256:ac00", "sha256:\U0010ffff", "frame1:ab", "sha256;"]
    with store.write() as tx:
        for number, digest in enumerate(digests):
            add_version(store, tx, f"f{number}", digest=digest)
        add_version(store, tx, "none", digest=None)

    with store.read() as tx:

        def found(prefix: str, limit: int = 10) -> list[str | None]:
            return [version.digest for version in store.artifacts.list_by_digest(tx, prefix, limit)]

        assert found("sha256:ab") == ["sha256:ab12", "sha256:ab13"]
        assert found("sha256:ab12") == ["sha256:ab12"]
        assert found("sha256:", 3) == ["sha256:ab12", "sha256:ab13", "sha256:ac00"]
        assert found("sha256:\U0010ffff") == ["sha256:\U0010ffff"]
        assert found("%") == found("") == found("sha256:_b") == found("SHA256:ab") == []


def test_a_digest_of_absurd_length_is_refused(store: Store) -> None:
    with store.write() as tx, pytest.raises(Invalid, match="513 characters"):
        add_version(store, tx, digest="x" * 513)


def test_names_of_any_length_are_told_apart(store: Store) -> None:
    base = "/very/long/" + "d/" * 5000
    with store.write() as tx:
        nodes = [add_version(store, tx, base + end, digest="d")[0] for end in ("a", "b")]
        assert add_version(store, tx, base + "a", digest="d") == (nodes[0], True)
    with store.read() as tx:
        assert [v.name for v in store.artifacts.list_versions(tx, None, base + "b")] == [base + "b"]


def test_references_are_history_with_their_level(store: Store) -> None:
    git = Reference(scheme="git", value="abc", level=Level.DECLARED)
    sha = Reference(scheme="sha256", value="1" * 64)
    with store.write() as tx:
        node, _ = add_version(store, tx)
        bare, _ = add_version(store, tx, "b")
        store.artifacts.add_references(tx, node, [git], at=10)
        store.artifacts.add_references(tx, node, [git, sha], at=20)
        store.artifacts.add_references(
            tx, node, [Reference(scheme="git", value="abc", level=Level.NATIVE)], at=30
        )
    with store.read() as tx:

        def levels(as_of: int | None) -> list[tuple[str, Level]]:
            found = store.artifacts.get_references(tx, [node, bare], as_of=as_of)
            assert bare not in found
            return [(item.scheme, item.level) for item in found.get(node, [])]

        assert levels(9) == []
        assert levels(10) == [("git", Level.DECLARED)]
        assert levels(29) == [("git", Level.DECLARED), ("sha256", Level.CONTENT)]
        assert levels(None) == [("sha256", Level.CONTENT), ("git", Level.NATIVE)]


def test_the_members_of_a_directory_come_in_byte_order_of_their_paths(store: Store) -> None:
    names = ["b", "a/z", "Z", "é", "a", "a b", "\U0001f600", "\uffee"]
    members = [Member(path=name, digest=f"sha256:{i}", size=i) for i, name in enumerate(names)]
    with store.write() as tx:
        node, _ = add_version(store, tx, "folder")
        store.artifacts.add_members(tx, node, members)
        store.artifacts.add_members(tx, node, [Member(path="a", digest="sha256:other", size=5)])
        store.artifacts.add_members(tx, node, [])
    with store.read() as tx:
        assert store.artifacts.get_members(tx, node) == sorted(
            members, key=lambda member: member.path.encode()
        )
        assert store.artifacts.get_members(tx, 999) == []


def test_runs_and_versions_share_one_numbering_of_vertices(store: Store) -> None:
    with store.write() as tx:
        nodes = [add_run(store, tx, 1), add_version(store, tx)[0], add_run(store, tx, 2)]
        kinds = store.edges.kinds(tx, [*nodes, 999])
    assert len(set(nodes)) == 3
    assert [kinds[node].name for node in nodes] == ["RUN", "VERSION", "RUN"]
    assert 999 not in kinds


def test_a_version_recorded_before_its_bytes_takes_their_digest_once(store: Store) -> None:
    members = [Member(path="MLmodel", digest="sha256:" + "a" * 64, size=3)]
    said = {"digest": None, "level": Level.NONE, "reason": "not whole yet", "size": None}
    with store.write() as tx:
        early, second = (add_version(store, tx, "model", **said)[0] for _ in range(2))
        complete = store.artifacts.complete_version
        told = {"digest": "sha256:" + "b" * 64, "level": Level.CONTENT, "size": 3, "members": members}
        assert [complete(tx, early, **told), complete(tx, early, **told), complete(tx, second, **told)] == [
            True,
            False,
            False,
        ]
        found = store.artifacts.get_versions(tx, [early, second])
        assert (found[early].digest, found[early].reason, found[early].size) == ("sha256:" + "b" * 64, "", 3)
        assert found[second].digest is None
        assert store.artifacts.get_members(tx, early) == members
        assert add_version(store, tx, "model", digest="sha256:" + "b" * 64) == (early, True)


def test_digests_that_several_versions_have_are_told_from_those_that_one_has(store: Store) -> None:
    with store.write() as tx:
        for name, digest in (("a", "sha256:aa"), ("b", "sha256:aa"), ("c", "sha256:cc")):
            store.artifacts.add_version(
                tx,
                namespace="project",
                name=name,
                kind="dataset",
                digest=digest,
                level=Level.CONTENT,
                reason="",
                size=1,
                location="",
                recorded_at=1,
            )
        assert store.artifacts.list_shared(tx, ["sha256:aa", "sha256:cc", "sha256:dd"]) == ["sha256:aa"]
        assert store.artifacts.list_shared(tx, []) == []
