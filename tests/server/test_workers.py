"""Workers that were started elsewhere take part in a run by an environment variable, and deliver from where they run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import LINEAL, environment
from tests.server.serving import Serving

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("LINEAL_TEST_PEERS", str(ROOT / ".venv-peers"))) / "bin" / "python"
RUNNER = """
import os, sys, time, lineal
open("run", "w").write(os.environ["LINEAL_RUN"])
lineal.log(loss=1)
open("own.txt", "w").write("x")
while not os.path.exists("stop"): time.sleep(0.02)
"""
WORKER = """
import sys, lineal
for n in range(3): lineal.log(worker=n)
open("part.txt", "w").write(open("data.txt").read())
sys.exit(3)
"""


def asked(project: Path, *words: str) -> Any:
    done = subprocess.run(
        [LINEAL, *words, "--json"], cwd=project, env=environment(), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


class Main:
    """A program of a run, that others may take part in until `finish`."""

    def __init__(self, project: Path, **variables: str) -> None:
        self.project = project
        (project / "main.py").write_text(RUNNER)
        self.process = subprocess.Popen(
            [LINEAL, "run", sys.executable, "main.py"], cwd=project, env=environment(**variables)
        )
        path = project / "run"
        end = time.monotonic() + 60
        while time.monotonic() < end and not (path.exists() and path.read_text()):
            time.sleep(0.02)
        self.run = path.read_text()

    def finish(self) -> dict[str, Any]:
        (self.project / "stop").touch()
        assert self.process.wait(60) == 0
        shown: dict[str, Any] = asked(self.project, "show", f"run:{self.run}")
        return shown


def work(folder: Path, run: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "data.txt").write_text("of the worker")
    (folder / "worker.py").write_text(WORKER)
    return subprocess.run(
        [LINEAL, "run", sys.executable, "worker.py"],
        cwd=folder,
        env=environment(LINEAL_JOIN=run, **variables),
        capture_output=True,
        text=True,
    )


def test_a_worker_elsewhere_delivers_to_the_server_into_the_same_run(
    serving: Serving, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / ".lineal").mkdir(parents=True)
    main = Main(serving.folder)
    token = json.loads((serving.folder / ".lineal" / "server.json").read_text())["token"]
    done = work(other, main.run, LINEAL_URL=serving.url, LINEAL_TOKEN=token)
    assert (done.returncode, done.stderr) == (3, "")
    assert list((other / ".lineal" / "journal").glob("*.lj")) == []
    shown = main.finish()
    assert shown["state"] == "finished"
    assert {metric["key"]: metric["count"] for metric in shown["metrics"]} == {"loss": 1, "worker": 3}
    assert {os.path.basename(file["uri"]) for file in shown["outputs"]} >= {"own.txt", "part.txt"}
    assert "data.txt" in {os.path.basename(file["uri"]) for file in shown["inputs"]}
    assert [run["run_id"] for run in asked(serving.folder, "runs")] == [main.run]
    (left,) = (body for name, body in shown["facets"].items() if name.startswith("lineal.worker."))
    assert left["count"] >= 1
    assert any("python" in process["program"] for process in left["processes"])


def test_a_worker_in_the_same_folder_leaves_delivery_to_the_run(tmp_path: Path) -> None:
    (tmp_path / ".lineal").mkdir()
    main = Main(tmp_path)
    assert work(tmp_path, main.run).returncode == 3
    shown = main.finish()
    assert (shown["state"], {metric["key"] for metric in shown["metrics"]}) == (
        "finished",
        {"loss", "worker"},
    )
    assert {file["path"] for file in shown["outputs"]} >= {"own.txt", "part.txt"}
    assert len(asked(tmp_path, "runs")) == 1


def test_what_is_no_run_cannot_be_joined(tmp_path: Path) -> None:
    (tmp_path / ".lineal").mkdir()
    done = work(tmp_path, "nonsense")
    assert done.returncode == 2
    assert "is not a run's id" in done.stderr


def test_variables_handed_into_a_fresh_environment_are_all_it_takes(tmp_path: Path) -> None:
    """As `docker run --env-file` does it: nothing is inherited but what the file names."""
    (tmp_path / ".lineal").mkdir()
    (tmp_path / "inside.py").write_text(
        "import lineal\nlineal.log(inside=1)\nopen('out.txt', 'w').write('x')\n"
    )
    (tmp_path / "outside.sh").write_text(
        "env | grep -e '^LINEAL_' -e '^PYTHONPATH=' -e '^LD_PRELOAD=' > handed\n"
        f"env -i $(cat handed) setsid {sys.executable} inside.py\n"
    )
    done = subprocess.run([LINEAL, "run", "sh", "outside.sh"], cwd=tmp_path, env=environment())
    assert done.returncode == 0
    run = asked(tmp_path, "runs")[0]
    shown = asked(tmp_path, "show", f"run:{run['run_id']}")
    assert [metric["key"] for metric in shown["metrics"]] == ["inside"]
    assert "out.txt" in {file["path"] for file in shown["outputs"]}


def peer(name: str) -> str:
    """The interpreter that has a library; the test is skipped where none has."""
    if not PEERS.exists() or subprocess.run([PEERS, "-c", f"import {name}"], capture_output=True).returncode:
        pytest.skip(f"could not import '{name}'")
    return str(PEERS)


@pytest.mark.slow
def test_tasks_on_dask_workers_are_of_the_run_of_their_client(tmp_path: Path) -> None:
    python = peer("distributed")
    (tmp_path / ".lineal").mkdir()
    for number in range(4):
        (tmp_path / f"i{number}.txt").write_text(str(number))
    (tmp_path / "client.py").write_text(
        "from distributed import Client, LocalCluster\ndef work(n):\n    open(f'o{n}.txt', 'w').write(open(f'i{n}.txt').read())\n"
        "if __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host='127.0.0.1') as c, Client(c) as k:\n"
        "        k.gather(k.map(work, range(4)))\n"
    )
    done = subprocess.run(
        [LINEAL, "run", python, "client.py"], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    shown = asked(tmp_path, "show", f"run:{asked(tmp_path, 'runs')[0]['run_id']}")
    assert {f"i{n}.txt" for n in range(4)} <= {file["path"] for file in shown["inputs"]}
    assert {f"o{n}.txt" for n in range(4)} <= {file["path"] for file in shown["outputs"]}
    assert shown["params"] == []


@pytest.mark.slow
def test_a_dask_worker_that_was_started_elsewhere_joins_by_its_environment(
    serving: Serving, tmp_path: Path
) -> None:
    python = peer("distributed")
    other = tmp_path / "elsewhere"
    (other / ".lineal").mkdir(parents=True)
    (other / "data.txt").write_text("far away")
    client = serving.folder / "client.py"
    client.write_text(
        "import os, subprocess, sys\nfrom distributed import Client, LocalCluster\n"
        "def work():\n    open('made.txt', 'w').write(open('data.txt').read()); return os.getcwd()\n"
        "if __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=0, dashboard_address=None, host='127.0.0.1') as c, Client(c) as k:\n"
        "        clean = {n: v for n, v in os.environ.items() if not n.startswith('LINEAL') and n not in ('PYTHONPATH', 'LD_PRELOAD')}\n"
        f"        w = subprocess.Popen([{LINEAL!r}, 'run', sys.executable, '-m', 'distributed.cli.dask_worker', c.scheduler_address,\n"
        "            '--no-nanny', '--no-dashboard', '--nthreads', '1'],\n"
        f"            cwd={str(other)!r}, env={{**clean, 'LINEAL_JOIN': os.environ['LINEAL_RUN'], 'LINEAL_URL': sys.argv[1], 'LINEAL_TOKEN': sys.argv[2]}})\n"
        "        k.wait_for_workers(1, timeout=60)\n"
        f"        assert k.submit(work).result() == {str(other)!r}\n"
        "        w.terminate(); w.wait(60)\n"
    )
    token = json.loads((serving.folder / ".lineal" / "server.json").read_text())["token"]
    done = subprocess.run(
        [LINEAL, "run", python, "client.py", serving.url, token],
        cwd=serving.folder,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    runs = asked(serving.folder, "runs")
    assert len(runs) == 1
    shown = asked(serving.folder, "show", f"run:{runs[0]['run_id']}")
    assert "data.txt" in {os.path.basename(file["uri"]) for file in shown["inputs"]}
    assert "made.txt" in {os.path.basename(file["uri"]) for file in shown["outputs"]}
    assert {param["source"] for param in shown["params"]} <= {"argparse"}


@pytest.mark.slow
def test_tasks_on_ray_workers_are_of_the_run_of_their_driver(tmp_path: Path) -> None:
    python = peer("ray")
    (tmp_path / ".lineal").mkdir()
    (tmp_path / "data.txt").write_text("x")
    (tmp_path / "driver.py").write_text(
        "import ray\nray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)\n"
        "@ray.remote\ndef work(n):\n    open(f'o{n}.txt', 'w').write(open('data.txt').read())\n"
        "ray.get([work.remote(n) for n in range(2)])\nray.shutdown()\n"
    )
    done = subprocess.run(
        [LINEAL, "run", python, "driver.py"],
        cwd=tmp_path,
        env=environment(RAY_USAGE_STATS_ENABLED="0"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    shown = asked(tmp_path, "show", f"run:{asked(tmp_path, 'runs')[0]['run_id']}")
    assert {file["path"] for file in shown["inputs"]} == {"data.txt"}
    assert {file["path"] for file in shown["outputs"]} == {"o0.txt", "o1.txt"}
    assert shown["params"] == []
