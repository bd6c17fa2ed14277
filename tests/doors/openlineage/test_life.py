"""What was acknowledged stays, and only who may reads or writes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.doors.openlineage.door import API, Door
from tests.doors.openlineage.making import event, run_id
from tests.e2e.cli import LINEAL, environment
from tests.server.serving import Serving, begun


def test_events_that_were_acknowledged_outlive_a_server_that_is_killed(tmp_path: Path) -> None:
    serving = Serving(begun(tmp_path)).start()
    door = Door(serving)
    door.send(event("START", "one", 1, inputs=("a",)))
    assert (
        door.batch([event("COMPLETE", f"many{n}", n, job="many", outputs=("b",)) for n in range(50)]).status
        == 200
    )
    serving.kill()
    serving = Serving(tmp_path).start()
    try:
        door = Door(serving)
        assert door.get("jobs", "runs", run_id("one"))["state"] == "RUNNING"
        assert door.get("namespaces", "jobs", "jobs", "many", "runs")["totalCount"] == 50
        assert door.get("events", "lineage")["totalCount"] == 51
    finally:
        serving.close()
    done = subprocess.run([LINEAL, "fsck"], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def token(folder: Path, name: str, scope: str) -> str:
    words = [LINEAL, "token", "create", name, "--scope", scope, "--json"]
    done = subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["token"])


def test_without_a_token_nothing_is_answered_and_a_reader_may_not_write(tmp_path: Path) -> None:
    begun(tmp_path)
    reader, writer = token(tmp_path, "reader", "viewer"), token(tmp_path, "writer", "ingest")
    serving = Serving(tmp_path).start()
    body = json.dumps(event("START", "r", 1)).encode()
    try:
        for method, path in (
            ("POST", "/lineage"),
            ("POST", "/lineage/batch"),
            ("GET", "/namespaces"),
            ("GET", "/nothing"),
        ):
            refused = serving.ask(method, API + path, body if method == "POST" else None)
            assert refused.status == 401, path
            assert refused.json["message"]
        bearer = {"Authorization": f"Bearer {reader}"}
        assert serving.ask("POST", f"{API}/lineage", body, **bearer).status == 403
        assert serving.ask("POST", f"{API}/lineage", body, Authorization=f"Bearer {writer}").status == 201
        assert serving.get(f"{API}/jobs/runs/{run_id('r')}", **bearer).status == 200
    finally:
        serving.close()
