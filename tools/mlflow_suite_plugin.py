"""A pytest plugin that makes MLflow's public REST test-suite start another server than MLflow's own.

Loaded by `tools/mlflow_suite.py`, inside the environment that holds the mlflow client. The suite starts its servers through one class and
three functions; each is replaced by one that starts `lineal server` in an empty folder, on SQLite or in a new PostgreSQL schema.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LINEAL = os.environ.get("SUITE_LINEAL", "")
POSTGRES = os.environ.get("SUITE_POSTGRES", "")
OUTCOMES = os.environ["SUITE_OUTCOMES"]
_START_S = 60
_FILE_STORE = re.compile(r"\[(.*-)?(remote_|local_)?file(-.*)?\]|local_sqlalchemy")
_numbers = itertools.count(1)
_outcomes: dict[str, str] = {}


class Lineal:
    """A `lineal server` on an empty store, for the suite's `with ServerThread(app, port) as url`."""

    def __init__(self, *_: Any, port: int = 0, **__: Any) -> None:
        self._port = port
        self._folder = tempfile.TemporaryDirectory(prefix="suite-", dir=os.environ["SUITE_FOLDER"])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """The address of the server, which answers by now."""
        folder = Path(self._folder.name)
        (folder / ".lineal").mkdir()
        store = ["--store", POSTGRES.replace("SCHEMA", _schema())] if POSTGRES else []
        log = folder / "server.log"
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MLFLOW"))
        }
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [LINEAL, "server", "--port", str(self._port), "--allow-webhook-host", "localhost", *store],
                cwd=folder,
                env=kept,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := re.search(r"at (http://\S+)", log.read_text()):
                return found[1].rstrip("/")
            time.sleep(0.02)
        raise RuntimeError(f"lineal server did not start:\n{log.read_text()}")

    def stop(self) -> None:
        """End the server; what it said of its own failures goes to this process's output."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            said = Path(self._folder.name, "server.log").read_text().splitlines()
            for line in said:
                if '"status":5' in line or "Traceback" in line:
                    print("FROM THE SERVER:", line)
        self._folder.cleanup()

    terminate = kill = stop

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _schema() -> str:
    """The name of a new, empty schema."""
    name = f"suite_{os.getpid()}_{next(_numbers)}"
    words = [
        os.environ["SUITE_PYTHON"],
        "-c",
        "import psycopg, sys; psycopg.connect(sys.argv[1], autocommit=True).execute(sys.argv[2])",
    ]
    subprocess.run([*words, POSTGRES.replace("SCHEMA", "public"), f"CREATE SCHEMA {name}"], check=True)
    return name


@contextlib.contextmanager
def _serving(*_: Any, **__: Any) -> Iterator[str]:
    with Lineal() as url:
        yield url


def _stand_in(name: str, **values: Any) -> None:
    """A module of the suite that cannot be imported beside this client, of which another only needs a value."""
    try:
        importlib.import_module(name)
    except ImportError:
        module = sys.modules[name] = types.ModuleType(name)
        vars(module).update(values)


def pytest_configure(config: pytest.Config) -> None:
    """Replace what the suite starts servers with, before its test files import it."""
    # What this client sends later in a thread of its own, the suite's tests want to find at once.
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"
    _stand_in("tests.store.tracking.test_sqlalchemy_store", ARTIFACT_URI="artifacts")
    from mlflow.utils import workspace_context

    if not hasattr(
        workspace_context, "clear_workspace"
    ):  # the forks' name for it, which all their tests call
        workspace_context.clear_workspace = workspace_context.clear_server_request_workspace
    if LINEAL:
        starting: Any = importlib.import_module("tests.tracking.integration_test_utils")

        starting.ServerThread = Lineal
        starting._init_server = _serving


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what asks MLflow's file store, which no server with a database has; replace the starters inside test files."""
    dropped = [item for item in items if _FILE_STORE.search(item.nodeid)]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]
    for module in {item.module for item in items if isinstance(item, pytest.Function)}:
        if ready := getattr(
            module, "wait_until_ready", None
        ):  # a busy machine needs more than the suite's ten seconds
            module.wait_until_ready = functools.partial(ready, max_attempts=120)
    for module in {item.module for item in items if isinstance(item, pytest.Function)} if LINEAL else ():
        if hasattr(module, "_run_mlflow_server"):
            module._run_mlflow_server = _serving
        if hasattr(module, "artifacts_server"):
            module._launch_server = _launch


def _launch(_: str, port: int, *__: Any) -> Lineal:
    """One test file chooses the port itself and keeps the process."""
    server = Lineal(port=port)
    server.start()
    return server


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst that happened in any phase of a test."""
    if report.failed:
        _outcomes[report.nodeid] = "failed"
    elif report.skipped:
        _outcomes.setdefault(report.nodeid, "skipped")
    elif report.when == "call":
        _outcomes.setdefault(report.nodeid, "passed")


def pytest_sessionfinish() -> None:
    """Write down how each test ended."""
    Path(OUTCOMES).write_text(json.dumps(_outcomes, indent=1, sort_keys=True))
