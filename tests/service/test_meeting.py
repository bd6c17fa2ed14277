"""How reports of different sources meet: by rules, by hand, and how that is undone."""

from __future__ import annotations

import msgspec
import pytest

from lineal.core import events as ev
from lineal.core.errors import Conflict, Invalid
from lineal.core.meeting import RULES, mentioned_in_facet, mentioned_in_tag
from lineal.service.meeting import meet_names
from lineal.service.operations import Scope
from tests.service.conftest import Desk, digest, made, run_id, started, used

TABLE = ev.Reference(scheme="delta", value="s3://lake/orders@17", level=ev.Level.NATIVE)


def table(name: str, reference: ev.Reference, content: str | None = None) -> ev.VersionState:
    return ev.VersionState(
        namespace="project",
        name=name,
        digest=digest(content) if content else f"native:{name}",
        level=ev.Level.CONTENT if content else ev.Level.NATIVE,
        size=1000,
        references=[reference],
    )


def facet(number: int, name: str, body: object) -> ev.Event:
    return ev.FacetSet(run=run_id(number), name=name, body=msgspec.Raw(msgspec.json.encode(body)), at=1)


def upstream(desk: Desk, ref: str, **more: object) -> set[str]:
    return {node.ref for node in desk.call("trace", ref=ref, **more).nodes}


def test_two_names_of_one_table_version_are_one_vertex_by_their_native_reference(desk: Desk) -> None:
    desk.ingest(
        started(1, "write.py", 10),
        ev.VersionGenerated(run=run_id(1), version=table("lake/orders", TABLE), at=11),
    )
    desk.ingest(
        started(2, "train.py", 20), ev.VersionUsed(run=run_id(2), version=table("orders", TABLE), at=21)
    )
    desk.ingest(made(2, "m.pkl", "m", 22, kind="model"))
    reply = desk.call("trace", ref="m.pkl")
    assert f"run:{run_id(1)}" in {node.ref for node in reply.nodes}
    (join,) = reply.joins
    assert (join.rule, join.said) == ("native-reference", "delta:s3://lake/orders@17")
    assert join.means == RULES["native-reference"]
    assert {join.a, join.b} == {"lake/orders@1", "orders@1"}
    assert join.message > 0
    desk.call("split", a="orders", b="lake/orders", reason="two lakes")
    assert f"run:{run_id(1)}" not in upstream(desk, "m.pkl")


def test_equal_bytes_and_sampled_or_declared_references_join_nothing(desk: Desk) -> None:
    same = ev.Reference(scheme="sha256", value="ab" * 32, level=ev.Level.NATIVE)
    sampled = ev.Reference(scheme="delta", value="x@1", level=ev.Level.SAMPLED)
    for number, (name, reference) in enumerate([("a", same), ("b", same), ("c", sampled), ("d", sampled)], 1):
        desk.ingest(
            started(number, "j", number),
            ev.VersionGenerated(run=run_id(number), version=table(name, reference, name), at=number),
        )
    for name in "abcd":
        assert desk.call("joins", ref=name).members == [f"{name}@1"]


@pytest.mark.parametrize("late", [False, True])
def test_a_facet_that_names_an_mlflow_run_joins_the_two_whichever_comes_first(desk: Desk, late: bool) -> None:
    says = [
        started(1, "dag.train", 10),
        used(1, "raw.csv", "raw", 10),
        facet(1, "mlflow", {"run_id": run_id(2), "experiment": "churn"}),
    ]
    tracked = [
        started(2, "train", 11),
        made(2, "m.pkl", "m", 12, kind="model"),
        ev.ParamSet(run=run_id(2), key="lr", value="1", at=1),
    ]
    for events in (says, tracked) if late else (tracked, says):
        desk.ingest(*events)
    reply = desk.call("trace", ref="m.pkl")
    assert {node.label for node in reply.nodes} >= {"m.pkl", "raw.csv"}
    assert [join.rule for join in reply.joins] == ["mlflow-run-id"]
    shown = desk.call("show", ref=f"run:{run_id(1)}")
    assert [param.key for param in shown.params] == ["lr"]
    assert [file.path for file in shown.inputs] == ["raw.csv"]
    assert [file.path for file in shown.outputs] == ["m.pkl"]


def test_a_tag_of_an_mlflow_run_that_names_an_openlineage_run_joins_them_too(desk: Desk) -> None:
    desk.ingest(started(1, "dag.train", 10), started(2, "train", 11))
    desk.ingest(ev.TagSet(run=run_id(2), key="openlineage.run_id", value=run_id(1), at=1))
    assert desk.call("joins", ref=f"run:{run_id(2)}").members == [f"run:{run_id(1)}", f"run:{run_id(2)}"]


def test_a_parent_that_is_mentioned_is_no_join() -> None:
    assert list(mentioned_in_tag("mlflow.parentRunId", run_id(1))) == []
    assert list(mentioned_in_facet("parent", {"run": {"runId": run_id(1)}, "mlflow": {}})) == []
    assert list(mentioned_in_facet("mlflow", {"parent": {"run_id": run_id(1)}})) == []


def test_kubeflow_names_the_mlflow_run_deep_inside_its_output() -> None:
    body = {"mlflow": {"entries": {"root_run_id": {"value": run_id(7)}}}}
    ((rule, run, where),) = mentioned_in_facet("plugins_output", body)
    assert (rule, run) == ("mlflow-run-id", run_id(7))
    assert where == "plugins_output.mlflow.entries.root_run_id.value"


def test_by_hand_two_are_one_and_split_again_and_the_history_stays(desk: Desk) -> None:
    desk.ingest(started(1, "a.py", 10), made(1, "x.csv", "1", 11))
    desk.ingest(started(2, "b.py", 20), used(2, "copy/x.csv", "2", 21), made(2, "m.pkl", "m", 22))
    before = desk.at
    joined = desk.call("same", a="copy/x.csv", b="x.csv", reason="exported by hand")
    assert joined.members == ["x.csv@1", "copy/x.csv@1"]
    between = desk.at
    assert "x.csv@1" in upstream(desk, "m.pkl")
    desk.call("split", a="x.csv", reason="it was another export")
    assert "x.csv@1" not in upstream(desk, "m.pkl")
    assert "x.csv@1" not in upstream(desk, "m.pkl", as_of=before)
    assert "x.csv@1" in upstream(desk, "m.pkl", as_of=between)
    story = desk.call("joins", ref="x.csv", history=True).joins
    assert [(entry.apart, entry.said, entry.retracted_at is None) for entry in story] == [
        (False, "exported by hand", False),
        (True, "it was another export", True),
    ]


def test_what_was_held_apart_is_not_joined_by_a_rule_again_but_by_hand(desk: Desk) -> None:
    for number, name in ((1, "a"), (2, "b")):
        desk.ingest(
            started(number, "j", 1), ev.VersionUsed(run=run_id(number), version=table(name, TABLE), at=1)
        )
    desk.call("split", a="a", b="b")
    desk.ingest(started(3, "j", 2), ev.VersionUsed(run=run_id(3), version=table("a", TABLE), at=2))
    assert desk.call("joins", ref="a").members == ["a@1"]
    assert desk.call("same", a="a", b="b").members == ["a@1", "b@1"]


def test_what_cannot_be_joined_or_split_is_refused(desk: Desk) -> None:
    desk.ingest(started(1, "j", 1), used(1, "a", "a", 1), used(1, "b", "b", 1), used(1, "c", "c", 1))
    with pytest.raises(Conflict, match="a run and a version"):
        desk.call("same", a="a", b=f"run:{run_id(1)}")
    with pytest.raises(Invalid, match="the very same"):
        desk.call("same", a="a", b="a")
    with pytest.raises(Conflict, match="joined with nothing"):
        desk.call("split", a="a")
    desk.call("same", a="a", b="b")
    desk.call("same", a="b", b="c")
    with pytest.raises(Conflict, match="only through b@1"):
        desk.call("split", a="a", b="c")


def test_a_query_finds_what_lies_behind_a_join(desk: Desk) -> None:
    desk.ingest(started(1, "a.py", 10), made(1, "x.csv", "1", 11))
    desk.ingest(started(2, "b.py", 20), used(2, "y.csv", "2", 21), made(2, "m.pkl", "m", 22))
    desk.call("same", a="x.csv", b="y.csv")
    for ref in ("y.csv", "x.csv"):
        found = desk.call("runs", where=f"from {ref}").runs
        assert [run.job for run in found] == ["b.py"]
    assert [v.ref for v in desk.call("versions", where="upstream(job = a.py)").versions] == [
        "m.pkl@1",
        "y.csv@1",
        "x.csv@1",
    ]


def declare(desk: Desk, one: str, other: str, message: int) -> int:
    """Let one name be declared another name of the other; how many pairs were new."""
    with desk.store.write() as tx:
        scope = Scope(tx=tx, store=desk.store, blobs=None, namespace="project", actor="t", at=desk.at)
        names = [desk.store.name_joins.find_artifacts(tx, "project", name)[0] for name in (one, other)]
        return len(meet_names(scope, [(names[0], names[1])], message))


def test_versions_of_one_digest_under_two_declared_names_are_one(desk: Desk) -> None:
    desk.ingest(started(1, "j", 1), used(1, "a", "x", 1), used(1, "b", "x", 1), used(1, "b", "y", 1))
    assert [declare(desk, "a", "b", message) for message in (7, 8)] == [1, 0]
    reply = desk.call("joins", ref="a")
    assert (reply.members, reply.names) == (["a@1", "b@1"], ["a", "b"])
    assert [(join.a, join.b, join.rule, join.message) for join in reply.joins] == [
        ("a@1", "b@1", "symlink", 7),
        ("a", "b", "symlink", 7),
    ]
    assert {join.said for join in desk.call("trace", ref="a").joins} == {join.said for join in reply.joins}


def test_declared_names_are_split_with_their_versions_until_somebody_joins_them_again(desk: Desk) -> None:
    desk.ingest(started(1, "j", 1), used(1, "a", "x", 1), used(1, "b", "x", 1))
    declare(desk, "a", "b", 7)
    before = desk.at
    assert desk.call("split", a="a", b="b", reason="a copy").names == []
    assert declare(desk, "b", "a", 9) == 0
    reply = desk.call("joins", ref="a")
    assert (reply.members, reply.names) == (["a@1"], [])
    assert [(join.apart, join.rule, join.said) for join in reply.joins if join.a == "a"] == [
        (True, "by-hand", "a copy")
    ]
    assert desk.call("joins", ref="a", as_of=before).names == ["a", "b"]
    again = desk.call("same", a="a", b="b", reason="checked")
    assert (again.names, again.members) == (["a", "b"], ["a@1", "b@1"])
    assert not [join for join in again.joins if join.apart]


def test_a_tag_set_by_hand_joins_a_run_and_never_a_version(desk: Desk) -> None:
    desk.ingest(started(1, "dag", 1), started(2, "train", 1), made(2, "m", "m", 2))
    desk.call("tag", ref="m", key="mlflow.run_id", value=run_id(1))
    assert desk.call("joins", ref="m").members == ["m@1"]
    desk.call("tag", ref=f"run:{run_id(2)}", key="mlflow.run_id", value=run_id(1))
    assert len(desk.call("joins", ref=f"run:{run_id(2)}").members) == 2
