"""Names, aliases, deployments and deletion: what is refused, what is kept, what it says."""

from __future__ import annotations

import pytest

from lineal.core.errors import Conflict, Invalid, NotFound

from .conftest import Desk, digest, ended, made, run_id, started, used
from .test_ingest import PIPELINE


@pytest.fixture
def stocked(desk: Desk) -> Desk:
    desk.ingest(*PIPELINE)
    desk.call("register", ref="model.pkl", name="churn")
    return desk


def test_registering_again_gives_the_same_number(stocked: Desk) -> None:
    again = stocked.call("register", ref="model.pkl", name="churn")
    assert (again.name, again.number, again.new) == ("churn", 1, False)


def test_a_path_names_what_was_written_last_even_when_its_bytes_are_older(desk: Desk) -> None:
    desk.ingest(started(1, "a", 1), made(1, "m.pkl", "one", 2), ended(1, 3))
    desk.ingest(started(2, "a", 4), made(2, "m.pkl", "two", 5), ended(2, 6))
    desk.ingest(started(3, "a", 7), made(3, "m.pkl", "one", 8), ended(3, 9))
    assert desk.call("show", ref="m.pkl").digest == digest("one")
    assert desk.call("show", ref="m.pkl@2").digest == digest("two")


def test_an_alias_moves_with_a_revision_and_keeps_its_history(stocked: Desk) -> None:
    stocked.ingest(
        started(9, "train", 200), made(9, "model.pkl", "model two", 210, kind="model"), ended(9, 220)
    )
    stocked.call("register", ref="model.pkl", name="churn")
    assert stocked.call("alias", name="churn", alias="champion", version="1", reason="first").revision == 1
    assert stocked.call("alias", name="churn", alias="champion", version="2", expect=1).revision == 2
    with pytest.raises(Conflict, match="revision 2, not 1"):
        stocked.call("alias", name="churn", alias="champion", version="1", expect=1)
    assert stocked.call("alias", name="churn", alias="champion", version="1", reason="back").revision == 3
    history = stocked.call("aliases", name="churn", history=True).aliases
    assert [(a.number, a.revision) for a in sorted(history, key=lambda a: a.revision)] == [
        (1, 1),
        (2, 2),
        (1, 3),
    ]
    assert stocked.call("show", ref="churn@champion").names == ["churn@1"]


def test_a_name_cannot_be_mistaken_for_another_reference(stocked: Desk) -> None:
    for name in ("a@b", "run:abc", " x", "", "a\nb", "sha256:00ff"):
        with pytest.raises(Invalid):
            stocked.call("register", ref="model.pkl", name=name)


def test_a_version_of_another_name_cannot_be_aliased(stocked: Desk) -> None:
    with pytest.raises(NotFound, match="is not a version of"):
        stocked.call("alias", name="churn", alias="champion", version="raw.csv@1")


def test_deploying_what_is_live_changes_nothing_and_another_version_replaces_it(stocked: Desk) -> None:
    first = stocked.call("deploy", ref="churn@1", target="prod", url="https://x/")
    assert stocked.call("deploy", ref="churn@1", target="prod").run_id == first.run_id
    stocked.ingest(
        started(9, "train", 200), made(9, "model.pkl", "model two", 210, kind="model"), ended(9, 220)
    )
    stocked.call("register", ref="model.pkl", name="churn")
    second = stocked.call("deploy", ref="churn@2", target="prod")
    assert second.replaced == ["churn@1"]
    assert stocked.call("show", ref=f"run:{first.run_id}").state == "finished"
    trace = stocked.call("trace", ref=f"run:{second.run_id}")
    assert "raw.csv" not in {node.label for node in trace.nodes}
    down = stocked.call("trace", ref="raw.csv", direction="down")
    assert {node.kind for node in down.nodes} >= {"deployment", "model"}


def test_what_something_living_descends_from_cannot_be_deleted(stocked: Desk) -> None:
    stocked.call("alias", name="churn", alias="champion", version="1")
    stocked.call("deploy", ref="churn@1", target="prod")
    for ref in ("raw.csv", "model.pkl", f"run:{run_id(2)}"):
        with pytest.raises(Conflict, match=r"registered churn@1 \(champion\)(.|\n)*deployed at prod"):
            stocked.call("delete", ref=ref)
    told = stocked.call("dependants", refs=["raw.csv", f"run:{run_id(2)}"]).found
    assert [one.ref for one in told] == ["raw.csv", f"run:{run_id(2)}"]
    assert [line.split(" ")[0] for line in told[0].living] == ["registered", "deployed"]
    assert told[0].count == 2
    with pytest.raises(Invalid):
        stocked.call("dependants", refs=["raw.csv"] * 101)


def test_a_forced_deletion_leaves_a_tombstone_in_the_lineage(stocked: Desk) -> None:
    gone = stocked.call("delete", ref="clean.csv", force=True, reason="licence")
    assert gone.dependants
    assert stocked.call("show", ref="clean.csv").deleted_at is not None
    assert "clean.csv" in {node.label for node in stocked.call("trace", ref="churn@1").nodes}
    with pytest.raises(Conflict, match="deleted already"):
        stocked.call("delete", ref="clean.csv")


def test_what_nothing_depends_on_is_deleted(stocked: Desk) -> None:
    stocked.ingest(
        started(7, "plot", 300), used(7, "raw.csv", "raw", 310), made(7, "plot.png", "p", 320), ended(7, 330)
    )
    assert stocked.call("delete", ref="plot.png").dependants == []


def test_unknown_names_suggest_near_ones_and_ambiguous_ones_list_candidates(stocked: Desk) -> None:
    with pytest.raises(NotFound) as unknown:
        stocked.call("show", ref="chrun")
    assert "churn" in unknown.value.hint
    with pytest.raises(NotFound) as number:
        stocked.call("show", ref="churn@7")
    assert "1" in number.value.hint
    with pytest.raises(Conflict) as ambiguous:
        stocked.call("show", ref="run:0000")
    assert str(ambiguous.value).count("run:") >= 3
    with pytest.raises(Conflict) as twice:
        stocked.call("show", ref=digest("clean")[:20])
    assert "copy/clean.csv@1" in str(twice.value)


def test_nobody_without_the_permission_may_change_anything(stocked: Desk) -> None:
    from lineal.service import operations

    for name, found in stocked.table.items():
        with pytest.raises(Conflict, match="may not"):
            operations.call(
                found,
                None,
                store=stocked.store,
                blobs=None,
                caller=operations.Caller("nobody", frozenset()),
                namespace="project",
                now=lambda: 0,
            )
        assert found.summary, name


def test_every_change_leaves_an_audit_leaf(stocked: Desk) -> None:
    with stocked.store.read() as tx:
        before = len(stocked.store.audit.list_leaves(tx, after=0, limit=1000))
    stocked.call("tag", ref="churn@1", key="owner", value="me")
    stocked.call("show", ref="churn@1")
    with stocked.store.read() as tx:
        assert len(stocked.store.audit.list_leaves(tx, after=0, limit=1000)) == before + 1
        assert stocked.store.audit.verify(tx) == []
