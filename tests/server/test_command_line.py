"""The command line and delivery behave with a server as they do without one."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cli import LINEAL, document, environment, lineal, told
from tests.server.making import API
from tests.server.serving import Serving, begun

CLEAN = "open('clean.csv', 'w').write(open('raw.csv').read().upper())\n"
TRAIN = """import sys
data = open('clean.csv').read()
open('model.bin', 'w').write(data + sys.argv[1])
"""
SLOW = """import lineal, os, sys, time
with lineal.run("slow") as run:
    for step in range(400):
        run.log(step=step, loss=float(step))
        time.sleep(0.01)
        if step == 20:
            open("going", "w").write("x")
    while os.path.exists("away"):
        time.sleep(0.01)
"""


def recorded(folder: Path, **more: str) -> None:
    (folder / "raw.csv").write_text("a,b\n1,2\n")
    (folder / "clean.py").write_text(CLEAN)
    (folder / "train.py").write_text(TRAIN)
    for words in (["python", "clean.py"], ["--tag", "team=risk", "python", "train.py", "0.1"]):
        done = lineal(folder, "run", *words, **more)
        assert (done.returncode, told(done)) == (0, ""), done


@pytest.fixture(params=["embedded", "found", "named"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A folder to work in and the words before each command: no server, one found beside the project, one named."""
    folder = begun(tmp_path / "shop") if (tmp_path / "shop").mkdir() is None else tmp_path
    if request.param == "embedded":
        yield folder, []
        return
    home = folder
    if request.param == "named":
        (tmp_path / "elsewhere").mkdir()
        home = begun(tmp_path / "elsewhere")
    server = Serving(home).start()
    yield folder, ["--server", server.url] if request.param == "named" else []
    server.close()


def wait_for(place: Path) -> None:
    deadline = time.monotonic() + 60
    while not place.exists():
        assert time.monotonic() < deadline, f"{place.name} did not come"
        time.sleep(0.01)


def test_a_pipeline_is_recorded_and_asked_about_alike(way: tuple[Path, list[str]]) -> None:
    folder, before = way
    recorded(folder, **({"LINEAL_URL": before[1]} if before else {}))

    def said(*words: str) -> str:
        done = lineal(folder, *before, *words)
        assert (done.returncode, told(done)) == (0, ""), done
        return re.sub(r"[0-9a-f]{12,64}", "HEX", done.stdout)

    trace = said("trace", "model.bin")
    assert [line.strip(" ─└├│").split("  ")[0] for line in trace.splitlines()[:5]] == [
        "model.bin@1",
        "← train.py",
        "← clean.csv@1",
        "← clean.py",
        "← raw.csv@1",
    ]
    assert said("register", "model.bin", "churn").startswith("churn@1")
    said("alias", "churn", "champion", "1")
    said("tag", "churn@champion", "owner=ana")
    said("deploy", "churn@champion", "prod")
    shown = said("show", "churn@champion")
    assert shown.startswith("model.bin@1  churn@1  (churn@champion)")
    assert "deploy/prod  live  now  run:HEX" in shown
    refused = lineal(folder, *before, "delete", "model.bin")
    assert refused.returncode == 1
    assert "2 living things depend on it" in refused.stderr
    assert lineal(folder, *before, "show", "nothing").returncode == 3
    assert lineal(folder, *before, "runs", "--where", "metrics >").returncode == 2
    assert said("fsck", "--quick").endswith("everything is whole\n")


def test_a_run_given_to_a_named_server_leaves_no_store_behind(project: Path, tmp_path: Path) -> None:
    server = Serving(project).start()
    away = tmp_path / "away"
    away.mkdir()
    try:
        recorded(away, LINEAL_URL=server.url)
        assert not (away / ".lineal" / "lineal.db").exists()
        assert list((away / ".lineal" / "journal").iterdir()) == []
        assert len(server.get(f"{API}/runs").json["runs"]) == 2
        assert len(document(away, "--server", server.url, "runs")) == 2
    finally:
        server.close()


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    started = time.monotonic()
    done = lineal(tmp_path, "--server", "http://127.0.0.1:9", "runs")
    assert done.returncode == 4
    assert "the server at http://127.0.0.1:9 does not answer" in done.stderr
    assert time.monotonic() - started < 30
    assert lineal(tmp_path, "--server", "ftp://x", "runs").returncode == 2


def test_a_wrong_token_is_told(project: Path) -> None:
    assert lineal(project, "token", "create", "ana").returncode == 0
    server = Serving(project).start()
    try:
        refused = lineal(project, "--server", server.url, "runs", LINEAL_TOKEN="lin_abc_" + "x" * 43)
        assert (refused.returncode, "not known here" in refused.stderr) == (1, True)
        made = json.loads(lineal(project, "token", "create", "eva", "--scope", "viewer", "--json").stdout)
        assert lineal(project, "--server", server.url, "runs", LINEAL_TOKEN=made["token"]).returncode == 0
        assert lineal(project, "runs").returncode == 0  # beside the server: by the token in server.json
    finally:
        server.close()


@pytest.mark.parametrize("kind", ["killed", "stopped"])
def test_training_goes_on_while_the_server_is_away_and_all_of_it_arrives(project: Path, kind: str) -> None:
    server = Serving(project).start()
    (project / "slow.py").write_text(SLOW)
    program = subprocess.Popen(
        [LINEAL, "run", sys.executable, "slow.py"],
        cwd=project,
        env=environment(LINEAL_URL=server.url),
        stderr=subprocess.PIPE,
    )
    wait_for(project / "going")
    (project / "away").touch()
    server.kill() if kind == "killed" else server.stop()
    time.sleep(1.0)
    server.start(server.port)
    (project / "away").unlink()
    _, said = program.communicate(timeout=60)
    assert (program.returncode, said) == (0, b"")
    runs = server.get(f"{API}/runs").json["runs"]
    slow = [run for run in runs if run["metrics"]]
    assert [run["state"] for run in slow] == ["finished"]
    history = server.get(f"{API}/metrics?run=run:{slow[0]['run_id']}&key=loss").json
    assert history["value"] == [float(step) for step in range(400)]
    server.close()


def test_what_was_recorded_while_no_server_was_there_arrives_later(project: Path) -> None:
    server = Serving(project).start()
    server.stop()
    (project / "raw.csv").write_text("a\n")
    (project / "clean.py").write_text(CLEAN)
    done = lineal(project, "run", "python", "clean.py", LINEAL_URL=server.url)
    assert done.returncode == 0
    assert "not delivered yet" in done.stderr
    assert list((project / ".lineal" / "journal").glob("*.lj"))
    server.start(server.port)
    assert lineal(project, "--server", server.url, "sync").returncode == 0
    assert len(server.get(f"{API}/runs").json["runs"]) == 1
    assert list((project / ".lineal" / "journal").glob("*.lj")) == []
    server.close()


def test_a_running_program_moves_to_the_server_that_starts_beside_it(project: Path) -> None:
    (project / "slow.py").write_text(SLOW)
    program = subprocess.Popen([LINEAL, "run", sys.executable, "slow.py"], cwd=project, env=environment())
    wait_for(project / "going")
    server = Serving(project).start()
    assert program.wait(60) == 0
    assert {run["state"] for run in server.get(f"{API}/runs").json["runs"]} == {"finished"}
    assert server.stop() == 0


def test_checking_a_server_names_what_is_wrong(project: Path) -> None:
    fine = lineal(project, "server", "check", "--json")
    assert (fine.returncode, json.loads(fine.stdout)["problems"]) == (0, [])
    broken = lineal(project, "server", "check", "--host", "0.0.0.0", "--blobs", "ftp://x", "--json")
    assert broken.returncode == 1
    assert [text.partition(":")[0] for text in json.loads(broken.stdout)["problems"]] == ["store", "bytes"]


def test_the_page_is_opened_on_a_server_that_runs_or_is_started(project: Path) -> None:
    process = subprocess.Popen(
        [LINEAL, "ui", "--no-browser", "--port", "0"],
        cwd=project,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    url = process.stderr.readline().rpartition(" ")[2].strip()
    assert url.startswith("http://127.0.0.1:")
    again = lineal(project, "ui", "--no-browser")
    assert (again.returncode, url in again.stderr) == (0, True)
    assert (
        lineal(project, "--server", url, "runs").returncode == 0
    )  # it has started: Ctrl-C now ends it in order
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    process.stderr.close()


RECORDS = """import lineal
with lineal.run("by-hand", params={"lr": 0.1}) as run:
    for step in range(5):
        run.log(step=step, loss=1.0 / (step + 1))
"""
ASKS = """import json, lineal
(run,) = [run for run in lineal.runs("params.lr = '0.1'")]
print(json.dumps([run.job, run.state, lineal.metric("run:" + run.run_id, "loss").value]))
"""


def test_a_program_records_and_asks_through_a_named_server(project: Path, tmp_path: Path) -> None:
    server = Serving(project).start()
    away = tmp_path / "away"
    away.mkdir()
    try:
        more = environment(LINEAL_URL=server.url)
        assert subprocess.run([sys.executable, "-c", RECORDS], cwd=away, env=more).returncode == 0
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            listed = server.get(f"{API}/runs").json["runs"]
            if [run["state"] for run in listed] == ["finished"]:
                break
            time.sleep(0.1)
        said = subprocess.run(
            [sys.executable, "-c", ASKS], cwd=away, env=more, capture_output=True, text=True
        )
        assert (said.returncode, said.stderr) == (0, "")
        assert json.loads(said.stdout)[1:] == ["finished", [1.0, 0.5, 1 / 3, 0.25, 0.2]]
        assert not (away / ".lineal" / "lineal.db").exists()
    finally:
        server.close()
