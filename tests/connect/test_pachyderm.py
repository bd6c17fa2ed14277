"""Importing and watching Pachyderm: our importer and its own unmodified client ask the same stand-in server."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineal.cli import exits
from lineal.resolve.project import Project, find
from lineal.service.client import connect
from lineal.service.runs import RunsRequest
from lineal.service.show import ShowRequest
from tests.doors.openlineage.senders import absent
from tests.e2e.cli import LINEAL, document, lineal
from tests.server.serving import begun

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv-pachyderm" / "bin" / "python"
TRAIN_5 = "default/train@0000000500054005a000000000000005"

pytestmark = [
    pytest.mark.skipif(bool(reason := absent("pachyderm")), reason=reason),
    pytest.mark.peer("grpc"),
]


class Cluster:
    """A running stand-in, and the file that says what it knows."""

    def __init__(self, folder: Path) -> None:
        self._state = folder / "state.json"
        self.tell(sets=6)
        self._process = subprocess.Popen(
            [PYTHON, HERE / "pachd.py", self._state], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.address = f"grpc://127.0.0.1:{self.port}"

    def tell(self, **state: Any) -> None:
        new = self._state.with_suffix(".new")
        new.write_text(json.dumps(state))
        new.replace(self._state)

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(tmp_path_factory.mktemp("pachd"))
    yield found
    found.stop()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return begun(folder)


def edges(project: Path) -> set[tuple[str, str]]:
    """Every pair of commits of which one was made from the other, as recorded."""
    found = set()
    with connect(project_at(project)) as client:
        for run in client.call("runs", RunsRequest(limit=1000)).runs:
            shown = client.call("show", ShowRequest(ref=f"run:{run.run_id}"))
            for output in shown.outputs:
                for used in shown.inputs:
                    found.add((commit_of(used.digest), commit_of(output.digest)))
    return found


def project_at(folder: Path) -> Project:
    found = find(str(folder))
    assert found is not None
    return found


def commit_of(digest: str) -> str:
    return digest.removeprefix("pach:")


def facet(project: Path, ref: str, name: str) -> Any:
    with connect(project_at(project)) as client:
        return msgspec.json.decode(
            msgspec.json.encode(client.call("show", ShowRequest(ref=ref)).facets[name])
        )


def test_what_is_recorded_is_what_pachyderms_own_client_sees(cluster: Cluster, project: Path) -> None:
    cluster.tell(sets=6, failed=3)
    done = subprocess.run(
        [PYTHON, HERE / "pachyderm_told.py", "127.0.0.1", str(cluster.port)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    took = document(project, "import", "pachyderm", cluster.address)
    assert (took["commits"], took["jobs"], took["open"], took["unreadable"]) == (16, 10, 0, [])
    assert edges(project) == {tuple(pair) for pair in told["edges"]}
    for commit, files in told["files"].items():
        kept = facet(project, f"pach:{commit}", "pachyderm.files/1")
        assert [(f["path"], f["hash"]) for f in kept["files"]] == [tuple(f) for f in files]
    states = {run["tags"].get("pachyderm.job"): run["state"] for run in document(project, "runs")}
    wanted = {"JOB_SUCCESS": "finished", "JOB_FAILURE": "failed"}
    assert {job: states[job] for job in told["jobs"]} == {j: wanted[s] for j, s in told["jobs"].items()}


def test_one_change_and_all_it_caused_share_a_cause(cluster: Cluster, project: Path) -> None:
    cluster.tell(sets=3)
    document(project, "import", "pachyderm", cluster.address)
    caused = document(project, "runs", "tags.cause_id = '0000000100014001a000000000000001'")
    assert sorted(run["job"] for run in caused) == ["features", "raw", "train"]
    (person,) = [run for run in caused if run["kind"] == "commit"]
    assert (person["name"], person["actor"]) == ("change 1", "ada")


def test_a_job_keeps_which_files_it_made_from_which_and_no_secret(cluster: Cluster, project: Path) -> None:
    cluster.tell(sets=2)
    document(project, "import", "pachyderm", cluster.address)
    (run,) = document(
        project, "runs", "tags.`pachyderm.job` = 'default/features@0000000100014001a000000000000001'"
    )
    job = facet(project, f"run:{run['run_id']}", "pachyderm.job/1")
    assert [(d["state"], d["inputs"]) for d in job["datums"]] == [
        (state, [f"default/raw@0000000100014001a000000000000001:/part-{n}"])
        for n, state in enumerate(["success", "skipped", "skipped", "skipped"])
    ]
    assert job["variables"] == ["PASSWORD"]
    assert b"hunter2" not in b"".join(p.read_bytes() for p in (project / ".lineal").rglob("*") if p.is_file())
    files = facet(project, "pach:default/features@0000000100014001a000000000000001", "pachyderm.files/1")
    assert [f["datum"] for f in files["files"]] == [d["id"] for d in job["datums"]]
    made = document(
        project, "files", "pach:default/features@0000000100014001a000000000000001", files["files"][1]["path"]
    )
    [by] = made["runs"]
    assert (by["exact"], by["rule"], by["datum"]) == (True, "datum", job["datums"][1]["id"])
    [read] = by["files"]
    assert read["path"] == "part-1"
    assert "default/raw@0000000100014001a000000000000001" in {
        item["value"] for item in document(project, "show", read["version"])["references"]
    }
    into = document(project, "files", "pach:default/raw@0000000100014001a000000000000001", "part-1", "--down")
    [by] = [found for found in into["runs"] if found["run"] == run["run_id"]]
    assert (by["exact"], [f["path"] for f in by["files"]]) == (True, [files["files"][1]["path"].strip("/")])


def test_branches_are_aliases_that_move_when_they_move_there(cluster: Cluster, project: Path) -> None:
    def heads(*words: str) -> dict[str, tuple[str, int]]:
        found = {}
        for entry in document(project, "alias", "default/raw", *words):
            ref = f"{entry['name']}@{entry['number']}"
            found[entry["alias"]] = (document(project, "show", ref)["digest"], entry["revision"])
        return found

    cluster.tell(sets=2, branches={"raw:staging": 1, "raw:old": 0})
    assert document(project, "import", "pachyderm", cluster.address)["branches"] >= 4
    before = heads()
    assert before.keys() == {"master", "staging", "old"}
    assert document(project, "import", "pachyderm", cluster.address)["branches"] == 0
    lineal(project, "alias", "default/raw", "mine", "1")
    cluster.tell(sets=6, branches={"raw:staging": 0})
    document(project, "import", "pachyderm", cluster.address)
    after = heads()
    assert after.keys() == {"master", "staging", "mine"}, (
        "a branch that is gone there is gone; our own is left alone"
    )
    assert (after["staging"][0], after["staging"][1]) == (before["old"][0], 2)
    assert after["master"][0] not in {digest for digest, _ in before.values()}
    assert document(project, "show", "default/raw@staging")["digest"] == before["old"][0]


def test_a_repeat_goes_on_where_the_last_import_stopped(cluster: Cluster, project: Path) -> None:
    cluster.tell(sets=4)
    document(project, "import", "pachyderm", cluster.address)
    before = document(project, "runs")
    again = document(project, "import", "pachyderm", cluster.address)
    assert (again["commits"], document(project, "runs")) == (0, before)
    cluster.tell(sets=6)
    more = document(project, "import", "pachyderm", cluster.address)
    assert more["commits"] == 5
    assert len(document(project, "runs")) == len(before) + 5


def test_what_was_open_is_looked_at_again(cluster: Cluster, project: Path) -> None:
    cluster.tell(sets=6, open=True)
    took = document(project, "import", "pachyderm", cluster.address)
    assert took["open"] == 1
    (running,) = document(project, "runs", "state = 'running'")
    assert running["tags"]["pachyderm.commit"] == TRAIN_5
    assert lineal(project, "show", f"pach:{TRAIN_5}").returncode != 0  # no version of it yet
    cluster.tell(sets=6)
    took = document(project, "import", "pachyderm", cluster.address)
    assert (took["ended"], took["commits"]) == (1, 0)
    assert document(project, "show", f"run:{running['run_id']}")["state"] == "finished"
    assert document(project, "show", f"pach:{TRAIN_5}")["digest"] == f"pach:{TRAIN_5}"


def test_a_commit_that_was_deleted_while_open_is_said_to_be_lost(cluster: Cluster, project: Path) -> None:
    cluster.tell(sets=6, open=True)
    document(project, "import", "pachyderm", cluster.address)
    cluster.tell(sets=5)
    done = lineal(project, "import", "pachyderm", cluster.address, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["unreadable"] == [f"commit {TRAIN_5} is not there any more"]
    assert [
        run["state"] for run in document(project, "runs", "tags.`pachyderm.commit` = '" + TRAIN_5 + "'")
    ] == ["lost"]


def test_a_connection_that_breaks_in_the_middle_costs_nothing(cluster: Cluster, project: Path) -> None:
    fresh = Cluster(project.parent)
    try:
        fresh.tell(sets=9, breaks=[3, 4])
        took = document(project, "import", "pachyderm", fresh.address)
        assert took["commits"] == len(document(project, "runs", "--limit", "1000")) == 24
        fresh.tell(sets=12, breaks=[1000, 0])
        done = lineal(project, "import", "pachyderm", fresh.address)
        assert (done.returncode, "does not answer" in done.stderr) == (exits.UNAVAILABLE, True)
        fresh.tell(sets=12)
        assert document(project, "import", "pachyderm", fresh.address)["commits"] == 8
    finally:
        fresh.stop()


def test_a_job_that_was_deleted_leaves_the_provenance(cluster: Cluster, project: Path) -> None:
    cluster.tell(sets=2, gone=["train"])
    took = document(project, "import", "pachyderm", cluster.address)
    assert took["jobs"] == 2
    shown = document(project, "show", "pach:default/train@0000000100014001a000000000000001")
    assert [made["job"] for made in shown["made_by"]] == ["train"]


def test_without_a_token_that_is_wanted_nothing_is_taken(cluster: Cluster, project: Path) -> None:
    cluster.tell(sets=2, refuse="s3cret")
    done = lineal(project, "import", "pachyderm", cluster.address)
    assert done.returncode != 0
    assert "refused" in done.stderr
    assert "PACH_TOKEN" in done.stderr
    assert document(project, "import", "pachyderm", cluster.address, "--token", "s3cret")["commits"] == 6


@pytest.mark.parametrize("address", ["", "ftp://x", "grpc://h:port", "grpc://"])
def test_what_is_no_address_is_refused(project: Path, address: str) -> None:
    done = lineal(project, "import", "pachyderm", address)
    assert (done.returncode, "is no address" in done.stderr) == (2, True), done.stderr


def test_nobody_there(project: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = lineal(project, "import", "pachyderm", f"127.0.0.1:{free.getsockname()[1]}")
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_watching_takes_what_happens(cluster: Cluster, project: Path) -> None:
    cluster.tell(sets=3, open=True)
    watching = subprocess.Popen(
        [LINEAL, "watch", "pachyderm", cluster.address, "--every", "0.3"],
        cwd=project,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("8 commits taken in")
        cluster.tell(sets=4)
        assert watching.stdout.readline().startswith("3 commits taken in, 1 ended")
    finally:
        watching.terminate()
        watching.communicate()
    assert len(document(project, "runs")) == 11
