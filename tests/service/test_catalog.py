"""Lists of what is recorded, finding by a word, and the state of things at a glance."""

from __future__ import annotations

import numpy as np
import pytest

from lineal.core import events as ev
from lineal.core.errors import Invalid, NotFound
from tests.service.conftest import Desk, digest, made, run_id, started, state

T = 1_000_000_000_000


def trained(desk: Desk) -> None:
    """One table, read by a run that failed and by one that made a model, which is registered and live."""
    table, model = state("data/rows.csv", "a"), state("models/m.bin", "b", kind="model")
    again = state("models/m.bin", "c", kind="model")
    desk.ingest(
        started(1, "prepare.py", T),
        ev.VersionGenerated(run=run_id(1), version=table, at=T + 1),
        ev.RunEnded(run=run_id(1), state=ev.State.FINISHED, at=T + 2, exit_code=0),
        started(2, "train.py", T + 10),
        ev.VersionUsed(run=run_id(2), version=table, at=T + 11),
        ev.RunEnded(run=run_id(2), state=ev.State.FAILED, at=T + 12, exit_code=1),
        started(3, "train.py", T + 20),
        ev.VersionUsed(run=run_id(3), version=table, at=T + 21),
        ev.VersionGenerated(run=run_id(3), version=model, at=T + 22),
        ev.RunEnded(run=run_id(3), state=ev.State.FINISHED, at=T + 23, exit_code=0),
        started(4, "train.py", T + 30),
        ev.VersionGenerated(run=run_id(4), version=again, at=T + 31),
    )
    desk.call("register", ref="models/m.bin@1", name="m")
    desk.call("register", ref="models/m.bin@2", name="m")
    desk.call("alias", name="m", alias="champion", version="1", reason="first")
    desk.call("deploy", ref="m@1", target="prod", url="https://m.example")


def test_models_are_listed_with_their_newest_version_and_where_they_are_live(desk: Desk) -> None:
    trained(desk)
    (row,) = desk.call("models").models
    assert (row.name, row.versions, row.newest) == ("m", 2, "m@2")
    assert (row.aliases, row.targets) == ({"champion": 1}, ["prod"])
    assert row.run.run_id == run_id(4)


def test_a_model_shows_each_version_with_the_run_that_made_it(desk: Desk) -> None:
    trained(desk)
    versions = desk.call("model", name="m").versions
    assert [(v.number, v.aliases, v.targets, v.run.run_id) for v in versions] == [
        (2, [], [], run_id(4)),
        (1, ["champion"], ["prod"], run_id(3)),
    ]
    with pytest.raises(NotFound, match="nothing is registered"):
        desk.call("model", name="other")


def test_artifacts_are_found_by_kind_and_by_part_of_their_name(desk: Desk) -> None:
    trained(desk)
    assert [a.name for a in desk.call("artifacts").artifacts] == ["models/m.bin", "data/rows.csv"]
    assert [a.newest for a in desk.call("artifacts", kinds=["model"]).artifacts] == ["models/m.bin@2"]
    assert [a.name for a in desk.call("artifacts", text="ROWS").artifacts] == ["data/rows.csv"]
    assert desk.call("artifacts", kinds=["no such kind"]).artifacts == []
    first = desk.call("artifacts", limit=1)
    assert (len(first.artifacts), first.cut) == (1, True)
    assert [a.name for a in desk.call("artifacts", limit=1, offset=1).artifacts] == ["data/rows.csv"]


def test_an_artifact_shows_its_versions_newest_first_with_makers_and_uses(desk: Desk) -> None:
    trained(desk)
    shown = desk.call("artifact", ref="models/m.bin")
    assert [(v.number, v.made_by) for v in shown.versions] == [(2, [run_id(4)]), (1, [run_id(3)])]
    (rows,) = desk.call("artifact", ref="data/rows.csv@1").versions
    assert (rows.used, rows.columns, rows.rows) == (2, None, None)


def test_jobs_are_listed_with_how_their_runs_went(desk: Desk) -> None:
    trained(desk)
    jobs = desk.call("jobs").jobs
    assert [(job.name, job.runs, job.failed) for job in jobs] == [("train.py", 3, 1), ("prepare.py", 1, 0)]
    assert [run.run_id for run in jobs[0].last] == [run_id(4), run_id(3), run_id(2)]


def test_deployments_name_the_version_that_is_live(desk: Desk) -> None:
    trained(desk)
    (live,) = desk.call("deployments").deployments
    assert (live.target, live.version, live.url, live.ended_at) == ("prod", "m@1", "https://m.example", None)
    desk.call("deploy", ref="m@2", target="prod")
    newest, earlier = desk.call("deployments").deployments
    assert (newest.version, newest.ended_at) == ("m@2", None)
    assert earlier.ended_at is not None


def test_keys_of_runs_are_listed(desk: Desk) -> None:
    desk.ingest(
        started(1, "train.py", T),
        ev.ParamSet(run=run_id(1), key="lr", value="0.1", at=T + 1),
    )
    fields = desk.call("fields")
    assert (fields.params, fields.metrics, fields.tags) == (["lr"], [], [])


def test_the_overview_counts_and_names_what_runs_failed_and_moved(desk: Desk) -> None:
    trained(desk)
    desk.call("alias", name="m", alias="champion", version="2")
    seen = desk.call("overview")
    assert (seen.runs, seen.running, seen.jobs, seen.models, seen.datasets, seen.live) == (5, 1, 2, 1, 1, 1)
    assert [run.run_id for run in seen.now] == [run_id(4)]
    assert [run.run_id for run in seen.failed] == [run_id(2)]
    assert [(move.number, move.before) for move in seen.moves] == [(2, 1), (1, None)]
    assert (len(seen.days), seen.days[-1]) == (60, 5)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("m", {("model", "m"), ("job", "train.py"), ("artifact", "models/m.bin@2")}),
        ("train", {("job", "train.py")}),
        ("rows", {("artifact", "data/rows.csv@1")}),
        (run_id(3), {("run", f"run:{run_id(3)}")}),
    ],
)
def test_anything_is_found_by_a_part_of_its_name_or_the_beginning_of_its_id(
    desk: Desk, text: str, found: set[tuple[str, str]]
) -> None:
    trained(desk)
    hits = {(hit.sort, hit.ref) for hit in desk.call("find", text=text).hits}
    expected = {hit for hit in found if hit[0] != "job" or text in hit[1]}
    assert expected <= hits


def test_finding_takes_signs_of_a_pattern_as_they_are(desk: Desk) -> None:
    trained(desk)
    assert desk.call("find", text="100%").hits == []
    assert desk.call("find", text="_").hits == []
    assert desk.call("find", text="  ").hits == []
    with pytest.raises(Invalid, match="limit"):
        desk.call("find", text="m", limit=0)


def test_who_asks_is_told_what_they_may_do(desk: Desk) -> None:
    who = desk.call("whoami")
    assert (who.actor, who.namespace) == ("tester@here", "project")
    assert "record:read" in who.permissions


def test_pages_of_runs_join_into_the_whole_and_are_counted(desk: Desk) -> None:
    desk.ingest(*(started(n, "train.py", T + n) for n in range(1, 8)))
    pages = [desk.call("runs", limit=3, offset=offset, counted=True) for offset in (0, 3, 6)]
    assert [page.total for page in pages] == [7, 7, 7]
    assert [page.cut for page in pages] == [True, True, False]
    assert [run.run_id for page in pages for run in page.runs] == [run_id(n) for n in range(7, 0, -1)]
    assert desk.call("runs", limit=3).total is None


def test_charts_of_several_runs_come_in_one_answer(desk: Desk) -> None:
    def points(number: int, keys: list[str]) -> ev.Event:
        count = len(keys)
        return ev.MetricPoints(
            run=run_id(number),
            keys=keys,
            key=np.arange(count, dtype="<u4").tobytes(),
            step=np.ones(count, dtype="<i8").tobytes(),
            at=np.full(count, T, dtype="<i8").tobytes(),
            value=np.array([0.5, np.nan][:count], dtype="<f8").tobytes(),
        )

    desk.ingest(
        started(1, "train.py", T), started(2, "train.py", T), points(1, ["auc", "loss"]), points(2, ["auc"])
    )
    runs = [f"run:{run_id(1)}", f"run:{run_id(2)}"]
    found = desk.call("charts", runs=runs).charts
    assert [(c.run_id, c.key, c.value) for c in found] == [
        (run_id(1), "auc", [0.5]),
        (run_id(1), "loss", ["NaN"]),
        (run_id(2), "auc", [0.5]),
    ]
    assert [c.key for c in desk.call("charts", runs=runs, keys=["loss"]).charts] == ["loss"]
    with pytest.raises(Invalid, match="points"):
        desk.call("charts", runs=runs, points=1)


def test_an_early_version_of_an_artifact_with_thousands_is_found_by_its_number(desk: Desk) -> None:
    desk.ingest(started(1, "j", 1), *(made(1, "t.csv", f"c{number}", number) for number in range(1, 1102)))
    assert desk.call("show", ref="t.csv@2").digest == digest("c2")
    for ref in ("t.csv@0", "t.csv@1102", "t.csv@02", f"t.csv@{10**30}"):
        with pytest.raises(NotFound):
            desk.call("show", ref=ref)


def test_the_overview_counts_what_the_list_of_runs_counts_and_says_how_many_are_deployments(
    desk: Desk,
) -> None:
    trained(desk)
    desk.call("delete", ref=f"run:{run_id(2)}")
    listed = desk.call("runs", counted=True)
    seen = desk.call("overview")
    assert seen.runs == listed.total == len(listed.runs) == 4
    assert seen.deployments == 1
    assert desk.call("runs", counted=True, where="job != ''").total == 4


def test_models_whose_inputs_moved_on_are_named_those_that_are_live_first(desk: Desk) -> None:
    trained(desk)
    desk.ingest(
        started(5, "prepare.py", T + 40),
        ev.VersionGenerated(run=run_id(5), version=state("data/rows.csv", "d"), at=T + 41),
        source="later",
    )
    first = desk.call("attention").versions[0]
    assert (first.ref, first.targets, first.aliases) == ("m@1", ["prod"], ["champion"])
    (mark,) = [mark for mark in first.marks if mark.kind == "stale"]
    assert mark.ref == "data/rows.csv@2"
    assert desk.call("attention", models=1).looked == 1


def test_runs_are_grouped_and_views_are_named(desk: Desk) -> None:
    trained(desk)
    reply = desk.call("run-groups", by="job", where="kind = run")
    assert {(group.value, group.runs, group.failed) for group in reply.groups} == {
        ("train.py", 3, 1),
        ("prepare.py", 1, 0),
    }
    assert desk.call("run-groups", by="job", limit=1).cut
    desk.call("view-save", name=" mine ", address="/runs?where=a%20b")
    assert [view.name for view in desk.call("views").views] == ["mine"]
    for wrong in ("javascript:alert(1)", "//evil.example", "/runs?a b", "https://evil.example", ""):
        with pytest.raises(Invalid, match="no address of the page"):
            desk.call("view-save", name="x", address=wrong)
    with pytest.raises(NotFound):
        desk.call("view-drop", name="nothing")
    assert desk.call("view-drop", name="mine").views == []
