"""The query language: what it finds among runs, versions and models, and where it points when it cannot be read."""

from __future__ import annotations

import pytest

from lineal.core import events as ev
from lineal.core.errors import Invalid
from tests.service.conftest import Desk, ended, made, run_id, started, used

DAY = 86_400_000_000


@pytest.fixture
def story(desk: Desk) -> Desk:
    """raw (pii) -> clean -> two trainings -> models; a third training reads other data."""
    desk.ingest(
        started(1, "clean.py", DAY), used(1, "data/raw.csv", "raw", DAY), made(1, "clean.csv", "c", DAY + 1)
    )
    desk.ingest(ended(1, DAY + 2))
    for number, (data, auc) in enumerate(
        [("clean.csv", "0.9"), ("clean.csv", "0.7"), ("other.csv", "0.8")], 2
    ):
        desk.ingest(
            started(number, "train.py", number * DAY, name=f"try-{number}"),
            ev.ParamSet(run=run_id(number), key="lr", value=auc[-1:], at=1),
            ev.ParamSet(run=run_id(number), key="solver", value="adam" if number < 4 else "sgd", at=1),
            used(number, data, "c" if data == "clean.csv" else "o", number * DAY),
            made(number, f"m{number}.pkl", f"m{number}", number * DAY + 1, kind="model"),
        )
    desk.ingest(ended(2, 9 * DAY), ended(3, 9 * DAY, ev.State.FAILED))
    desk.call("tag", ref="data/raw.csv", key="pii", value="true")
    desk.call("register", ref="m2.pkl", name="churn")
    desk.call("alias", name="churn", alias="champion", version="1")
    return desk


def runs(desk: Desk, where: str) -> list[int]:
    return sorted(int(run.run_id, 16) for run in desk.call("runs", where=where).runs)


def versions(desk: Desk, where: str, **more: object) -> list[str]:
    return sorted(version.ref for version in desk.call("versions", where=where, **more).versions)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("", [1, 2, 3, 4]),
        ("job = train.py and not params.lr = 9", [3, 4]),
        ("(params.solver = sgd or params.lr = '9') and job = 'train.py'", [2, 4]),
        ("params.lr >= 8", [2, 4]),
        ("params.lr in (7, '8')", [3, 4]),
        ("params.lr not in (7, '8')", [2]),
        ("params.solver =~ '^(adam|x)$'", [2, 3]),
        ("params.solver !~ 'd.m'", [4]),
        ("name rlike 'try-[23]'", [2, 3]),
        ("params.solver not like 'a%'", [4]),
        ("params.lr is null", [1]),
        ("state = failed or state in ('running')", [3, 4]),
        ("status = 'FINISHED'", [1, 2]),
        ("ended_at is null", [4]),
        ("started_at >= '1970-01-04'", [3, 4]),
        ("attributes.start_time < 259200000", [1, 2]),
        ("dataset.name = 'clean.csv'", [2, 3]),
        ("namespace = project and job like 'clean%'", [1]),
        ("used(clean.csv)", [2, 3]),
        ("used(name = 'clean.csv' and kind = dataset)", [2, 3]),
        ("generated(kind = model)", [2, 3, 4]),
        ("generated(churn@champion)", [2]),
        ("from dataset:raw", [1, 2, 3]),
        ("from dataset:data/raw.csv and job = train.py", [2, 3]),
        ("into churn", [1, 2]),
        ("upstream(tag = 'pii')", [1, 2, 3]),
        ("upstream(tag = 'pii=true') and not downstream(model = churn)", [3]),
        ("upstream(job = clean.py)", [2, 3]),
        ("not upstream(tag = 'pii')", [4]),
        ("used(generated(job = clean.py))", [2, 3]),
        ("valid at '1970-01-03'", [1, 2]),
        ("state = running valid at '1970-01-06'", [2, 3, 4]),
        ("state != finished and not status = 'FAILED' valid at '1970-01-06'", [2, 3, 4]),
        ("state = failed or ended_at is not null valid at '1970-01-06'", [1]),
        ("state = failed or ended_at < '1970-01-03' valid at '1970-01-11'", [1, 3]),
    ],
)  # fmt: skip
def test_runs_are_found(story: Desk, where: str, found: list[int]) -> None:
    assert runs(story, where) == found


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("kind = model", ["m2.pkl@1", "m3.pkl@1", "m4.pkl@1"]),
        ("kind = model and upstream(tag = 'pii')", ["m2.pkl@1", "m3.pkl@1"]),
        ("kind = model and params.lr > 7 and from dataset:raw", ["m2.pkl@1"]),
        ("name like '%.csv' and not generated(job like '%')", ["data/raw.csv@1", "other.csv@1"]),
        ("tag = pii", ["data/raw.csv@1"]),
        ("tags.pii = 'true'", ["data/raw.csv@1"]),
        ("used(job = train.py and state = failed)", ["clean.csv@1"]),
        ("run.job = 'clean.py'", ["clean.csv@1"]),
        ("alias = champion", ["m2.pkl@1"]),
        ("model = churn and number = 1", ["m2.pkl@1"]),
        ("size > 999 and name =~ '^m[34]'", ["m3.pkl@1", "m4.pkl@1"]),
        ("model is null and kind = model", ["m3.pkl@1", "m4.pkl@1"]),
        ("digest like 'sha256:%' and name = 'clean.csv'", ["clean.csv@1"]),
    ],
)  # fmt: skip
def test_versions_are_found(story: Desk, where: str, found: list[str]) -> None:
    assert versions(story, where) == found


def test_models_are_found_by_their_registered_name(story: Desk) -> None:
    assert versions(story, "name = churn and version >= 1 and upstream(tag = pii)", models=True) == [
        "m2.pkl@1"
    ]
    assert versions(story, "name = other", models=True) == []
    (found,) = story.call("versions", where="", models=True).versions
    assert (found.names, found.aliases, found.run) == (["churn@1"], ["churn@champion"], run_id(2))


def test_versions_are_ordered_by_what_the_run_that_made_them_measured(story: Desk) -> None:
    found = story.call("versions", where="kind = model", order="params.lr desc").versions
    assert [version.name for version in found] == ["m2.pkl", "m4.pkl", "m3.pkl"]


@pytest.mark.parametrize(
    "where",
    [
        "tags.none is null",
        "params.none is null",
        "facet.none.x is null",
        "tag != 'none'",
        "not tags.none is not null",
    ],
)
def test_what_nobody_ever_said_is_lacked_by_every_version_too(story: Desk, where: str) -> None:
    assert versions(story, where) == versions(story, "")
    assert runs(story, where) == runs(story, "")


def test_the_past_is_asked_by_as_of(story: Desk) -> None:
    then = story.at
    story.call("tag", ref=f"run:{run_id(4)}", key="stage", value="prod")
    story.ingest(started(9, "late.py", 9 * DAY), ended(4, 9 * DAY))
    assert runs(story, "tags.stage = prod") == [4]
    assert runs(story, f"tags.stage = prod as of {then}") == []
    assert runs(story, f"state = running as of {then}") == [4]
    assert runs(story, f"ended_at > '1970-01-01' as of {then}") == [1, 2, 3]
    assert runs(story, "state = running") == [9]
    for order, numbers in (("state asc", [3, 2, 1, 4]), ("ended_at desc", [3, 2, 1, 4])):
        listed = story.call("runs", where=f"as of {then}", order=order).runs
        assert [int(run.run_id, 16) for run in listed] == numbers
    assert 9 not in runs(story, f"as of {then}")


@pytest.mark.parametrize(
    ("where", "position", "why"),
    [
        ("metrics.auc >", 14, "a value is wanted"),
        ("job = train.py and", 19, "a comparison is wanted"),
        ("job ~ 'a'", 5, "a comparison is wanted: ="),
        ("(job = a", 9, r"\) is wanted"),
        ("job = 'a", 7, "never closed"),
        ("job = a job = b", 9, "AND, OR or the end"),
        ("state = done", 9, "a state is one of"),
        ("size > 3", 1, "runs have no field 'size'"),
        ("metrics.auc = high", 15, "is compared with a number"),
        ("started_at > yesterday", 14, "is no time"),
        ("from dataset:nothing", 6, "nothing is recorded under 'nothing'"),
        ("as of never", 7, "is no time"),
        ("params.none =~ '('", 16, "this bracket is not closed"),
        ("job = x and (kind = y or tag > 'a')", 26, "a tag is there or not"),
        ("job is null", 1, "every run has it"),
        ("used(digest =~ 'a')", 6, "not searched by patterns"),
        ("colour.red = 1", 1, "there is no 'colour'"),
        ("params.solver =~ 'a('", 18, "cannot be read at character 3"),
        ("used(colour = 1)", 6, "versions have no field 'colour'"),
    ],
)  # fmt: skip
def test_an_error_points_at_the_character(story: Desk, where: str, position: int, why: str) -> None:
    with pytest.raises(Invalid, match=why) as caught:
        runs(story, where)
    assert caught.value.subject["position"] == str(position)
    assert caught.value.message.splitlines()[-1].index("^") - 2 == position - 1


@pytest.mark.parametrize(
    "where",
    [
        "not " * 60 + "job = a",
        "(" * 60 + "job = a" + ")" * 60,
        " or ".join(["job = a"] * 600),
        "job = a" * 200_000,
    ],
)
def test_a_query_that_is_too_large_is_refused(story: Desk, where: str) -> None:
    with pytest.raises(Invalid):
        runs(story, where)


def test_an_order_is_that_of_the_time_that_is_asked_for(desk: Desk) -> None:
    for number, lr in ((1, "0.1"), (2, "0.2")):
        desk.ingest(
            started(number, "train.py", number),
            ev.ParamSet(run=run_id(number), key="lr", value=lr, at=1),
            made(number, f"m{number}.pkl", f"m{number}", number),
        )
    then = desk.at
    desk.ingest(ev.ParamSet(run=run_id(1), key="lr", value="0.3", at=2))
    for where, order in (("", [1, 2]), (f"as of {then}", [2, 1])):
        assert [
            int(r.run_id, 16) for r in desk.call("runs", where=where, order="params.lr desc").runs
        ] == order
        found = desk.call("versions", where=where, order="params.lr desc").versions
        assert [v.ref for v in found] == [f"m{number}.pkl@1" for number in order]
