"""What contradicts is kept and shown until it is decided; versions that do not go together and gaps are found."""

from __future__ import annotations

from typing import Any

import pytest

from lineal.core import events as ev
from lineal.core.errors import Invalid, NotFound
from tests.service.conftest import Desk, digest, ended, made, run_id, started, state, used


def kinds(desk: Desk, ref: str = "", **more: Any) -> list[str]:
    return [conflict.kind for conflict in desk.call("conflicts", ref=ref, **more).conflicts]


def test_reports_of_one_version_that_claim_different_bytes_stand_until_decided(desk: Desk) -> None:
    desk.ingest(
        started(1, "a", 1),
        made(1, "x.csv", "one", 2),
        started(2, "b", 3),
        used(2, "y.csv", "two", 4),
        made(2, "m", "m", 5),
    )
    desk.call("same", a="x.csv", b="y.csv")
    (conflict,) = desk.call("conflicts", ref="m").conflicts
    assert (conflict.kind, conflict.subject) == ("digest", "x.csv@1")
    assert {claim.value for claim in conflict.claims} == {digest("one"), digest("two")}
    assert [c.kind for c in desk.call("trace", ref="m").conflicts] == ["digest"]
    desk.call("resolve", id=conflict.id, choice=digest("one"), reason="checked by hand")
    assert kinds(desk, "m") == []
    (told,) = desk.call("conflicts", ref="m", resolved=True).conflicts
    assert (told.choice, told.reason, told.actor) == (digest("one"), "checked by hand", "tester@here")
    desk.call("resolve", id=conflict.id, choice="")
    assert kinds(desk, "m") == ["digest"]


def test_two_sources_that_claim_different_inputs_of_one_run_contradict(desk: Desk) -> None:
    desk.ingest(started(1, "dag", 1), used(1, "raw.csv", "old", 2), used(1, "more.csv", "x", 2))
    desk.ingest(started(2, "train", 1), used(2, "raw.csv", "new", 2), made(2, "m", "m", 3))
    desk.call("same", a=f"run:{run_id(1)}", b=f"run:{run_id(2)}")
    (conflict,) = [c for c in desk.call("conflicts", ref="m").conflicts if c.kind == "inputs"]
    assert [(claim.value, claim.by[-1]) for claim in conflict.claims] == [
        ("raw.csv@1", "1"),
        ("raw.csv@2", "2"),
    ]


def test_a_second_parent_is_kept_as_a_contradiction(desk: Desk) -> None:
    desk.ingest(
        started(1, "p", 1), started(2, "q", 1), started(3, "child", 2, parent=run_id(1)), made(3, "m", "m", 3)
    )
    assert kinds(desk, "m") == []
    for _ in range(2):
        desk.ingest(started(3, "child", 2, parent=run_id(2)))
    (conflict,) = desk.call("conflicts", ref="m").conflicts
    assert (conflict.kind, sorted(claim.value for claim in conflict.claims)) == (
        "parent",
        [f"run:{run_id(1)}", f"run:{run_id(2)}"],
    )


def test_a_run_made_from_two_versions_of_one_dataset_by_different_paths_is_found(desk: Desk) -> None:
    desk.ingest(started(1, "features", 1), used(1, "raw.csv", "v1", 1), made(1, "f.csv", "f", 2))
    desk.ingest(
        started(2, "train", 3), used(2, "f.csv", "f", 3), used(2, "raw.csv", "v2", 3), made(2, "m", "m", 4)
    )
    (conflict,) = desk.call("conflicts", ref="m").conflicts
    assert (conflict.kind, conflict.subject) == ("mixed-versions", f"run:{run_id(2)}")
    assert [(claim.value, claim.by) for claim in conflict.claims] == [
        ("raw.csv@1", "f.csv@1"),
        ("raw.csv@2", "raw.csv@2"),
    ]


def test_a_dataset_that_is_carried_on_is_no_conflict(desk: Desk) -> None:
    desk.ingest(started(1, "append", 1), used(1, "log.csv", "v1", 1), made(1, "log.csv", "v2", 2))
    desk.ingest(started(2, "train", 3), used(2, "log.csv", "v2", 3), made(2, "m", "m", 4))
    assert kinds(desk, "m") == []


def live(desk: Desk, number: int, target: str, features: str) -> None:
    desk.ingest(
        started(number, "train", number),
        used(number, "f.csv", features, number, kind="features"),
        made(number, f"m{number}", f"m{number}", number + 1, kind="model"),
        ended(number, number + 2),
    )
    desk.call("register", ref=f"m{number}", name=f"model{number}")
    desk.call("deploy", ref=f"model{number}@1", target=target)


def test_two_live_models_on_different_versions_of_one_component_are_found(desk: Desk) -> None:
    live(desk, 1, "shop", "f1")
    live(desk, 2, "mail", "f1")
    assert kinds(desk) == []
    live(desk, 3, "app", "f2")
    found = [c for c in desk.call("conflicts").conflicts if c.kind == "live-component"]
    assert [(c.subject, sorted(claim.value for claim in c.claims)) for c in found] == [
        ("f.csv", ["f.csv@1", "f.csv@2"])
    ] * 2
    desk.call("undeploy", ref="model3@1", target="app")
    assert kinds(desk) == []


def test_features_built_by_other_code_for_training_than_for_serving_are_found(desk: Desk) -> None:
    def build(number: int, content: str, commit: str) -> list[ev.Event]:
        code = ev.VersionState(namespace="project", name="git", kind="code", digest=f"git:{commit}")
        return [
            started(number, "features", number),
            ev.VersionUsed(run=run_id(number), version=code, at=number, role="code"),
            ev.VersionGenerated(
                run=run_id(number), version=state("f.csv", content, kind="features"), at=number + 1
            ),
        ]

    desk.ingest(*build(1, "f1", "aaa"), *build(5, "f2", "bbb"))
    live(desk, 10, "shop", "f1")
    assert kinds(desk) == []
    deployment = desk.call("runs", where="kind = deployment").runs[0].run_id
    desk.ingest(ev.VersionUsed(run=deployment, version=state("f.csv", "f2", kind="features"), at=20))
    (conflict,) = [c for c in desk.call("conflicts").conflicts if c.kind == "serving-code"]
    assert "other code for training than for serving" in conflict.said
    assert [claim.by for claim in conflict.claims] == ["f.csv@1", "f.csv@2"]


def test_what_nobody_told_is_shown_as_a_gap(desk: Desk) -> None:
    unknown = ev.VersionState(
        namespace="project", name="db", digest=None, level=ev.Level.NONE, reason="a remote table"
    )
    desk.ingest(
        started(1, "train", 1),
        used(1, "raw.csv", "raw", 1),
        ev.VersionUsed(run=run_id(1), version=unknown, at=1),
        made(1, "m", "m", 2, kind="model"),
    )
    desk.ingest(started(2, "other", 1), made(2, "lonely", "l", 2, kind="model"), ended(2, 3))
    told = {(gap.kind, gap.subject) for gap in desk.call("conflicts", ref="m").gaps}
    assert told == {
        ("run-without-end", f"run:{run_id(1)}"),
        ("unknown-origin", "raw.csv@1"),
        ("unknown-origin", "db@1"),
        ("unknown-data", "m@1"),
    }
    assert [gap.kind for gap in desk.call("conflicts", ref="lonely").gaps] == ["unknown-data"]
    desk.ingest(used(3, "found.pkl", "p", 1, kind="model"))
    assert [gap.kind for gap in desk.call("conflicts", ref="found.pkl").gaps] == ["output-without-run"]


def test_what_is_no_conflict_cannot_be_decided(desk: Desk) -> None:
    with pytest.raises(Invalid):
        desk.call("resolve", id="nonsense", choice="x")
    with pytest.raises(NotFound):
        desk.call("resolve", id="digest:x@1", choice="")
