"""Runs MLflow's public REST test-suite against MLflow's own server and against Lineal, and prints where they differ.

`.venv/bin/python tools/mlflow_suite.py CHECKOUT --python ENVIRONMENT/bin/python [--servers mlflow,sqlite,postgres] [-- PYTEST ...]`

CHECKOUT is a folder with MLflow's `tests`; ENVIRONMENT holds the mlflow client and what its tests import. The suite is not part
of this repository. Exit code 1 when a test passes on MLflow's server and not on Lineal, apart from those in EXPECTED.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LINEAL = Path(sys.executable).parent / "lineal"
FILES = (
    "tests/tracking/test_rest_tracking.py",
    "tests/tracking/test_model_registry.py",
    "tests/tracking/test_client_webhooks.py",
    "tests/tracking/test_mlflow_artifacts.py",
    "tests/store/model_registry/test_rest_store_webhooks.py",
    "tests/tracing/test_otel_logging.py",
    "tests/tracing/test_otel_loading.py",
    "tests/webhooks/test_e2e.py",
)
_ALTERED = "demands that a place is altered: a relative one becomes a path on the server's disk"
_DISK = "demands that files are on a disk which client and server share; Lineal always serves them itself"
_GENAI = "asks for the prompt lab or the gateway of language models, which is not served"
_GRAPHQL = "asks GraphQL, which only MLflow's own page does; not served"
_TENANTS = "asks for workspaces, which a server for one tenant does not have"
_WORDS = "demands that a span gets attributes which were not sent, from the words of other libraries; Lineal gives back what was sent"
# What is found in a test's name, and why Lineal does not do what it demands.
EXPECTED = {
    "test_create_get_search_experiment": _ALTERED,
    "test_artifacts$": _DISK,
    "test_mlflow_artifacts_rest_apis": _DISK,
    "test_log_artifacts?$": _DISK,
    "test_rest_get_model_version_artifact_api_proxied_artifact_root": _DISK,
    "test_create_model_version_with_path_source": _DISK,
    "test_create_model_version_with_file_uri": _DISK,
    "test_create_promptlab_run": _GENAI,
    "test_gateway_proxy": _GENAI,
    "test_span_(kind|inputs_outputs|token_usage)_translation": _WORDS,
    "workspace": _TENANTS,
    "graphql": _GRAPHQL,
}
_TEST_S = 120


def outcomes(suite: Path, python: Path, server: str, postgres: str, more: list[str]) -> dict[str, str]:
    """How each test ended against a server: passed, failed or skipped."""
    with tempfile.TemporaryDirectory(prefix="suite-") as folder:
        found = Path(folder, "outcomes.json")
        env = {
            **os.environ,
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "tools"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GIT_PYTHON_REFRESH": "quiet",
            "CI": "false",  # else the suite builds and serves a package of MLflow
            "SUITE_FOLDER": folder,
            "SUITE_OUTCOMES": str(found),
            "SUITE_LINEAL": "" if server == "mlflow" else str(LINEAL),
            "SUITE_PYTHON": sys.executable,
            "SUITE_POSTGRES": postgres if server == "postgres" else "",
        }
        words = ["-p", "mlflow_suite_plugin", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
        files = [] if any("::" in word or word.endswith(".py") for word in more) else list(FILES)
        command = [
            str(python),
            "-m",
            "pytest",
            *words,
            "-q",
            "--tb=short",
            f"--timeout={_TEST_S}",
            *files,
            *more,
        ]
        said = ROOT / "build" / f"mlflow-suite-{server}.log"
        said.parent.mkdir(exist_ok=True)
        with said.open("wb") as log:
            subprocess.run(command, cwd=suite, env=env, stdout=log, stderr=log)
        if not found.exists():
            raise SystemExit(f"the tests did not run; see {said}")
        told: dict[str, str] = json.loads(found.read_text())
        return told


def reason(test: str) -> str:
    """Why a test is expected not to pass; empty when it is not."""
    name = test.partition("::")[2].partition("[")[0]
    return next((why for part, why in EXPECTED.items() if re.search(part, name)), "")


def compared(theirs: dict[str, str], ours: dict[str, str], server: str) -> int:
    """Print what passes there and not here; how many of those are not expected."""
    missed = [test for test, end in sorted(theirs.items()) if end == "passed" and ours.get(test) != "passed"]
    both = sum(end == "passed" and ours.get(test) == "passed" for test, end in theirs.items())
    unexpected = [test for test in missed if not reason(test)]
    beyond = sum(end == "passed" and theirs.get(test) != "passed" for test, end in ours.items())
    print(
        f"{server}: {both} pass on both, {beyond} only here, {len(missed)} only there ({len(unexpected)} not expected)"
    )
    for test in missed:
        print(f"  {test}: {reason(test) or 'NOT EXPECTED'}")
    return len(unexpected)


def postgres_url() -> str:
    """The address of a throw-away PostgreSQL server, with SCHEMA for the name of a schema; empty when there is none."""
    sys.path.insert(0, str(ROOT))
    postgres_server: Any = importlib.import_module("tests.store.postgres_server")
    if why := postgres_server.absent():
        print(f"postgres: left out, {why}")
        return ""
    return str(postgres_server.server().url("SCHEMA"))


def main() -> int:
    """Run the suite against the servers named on the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--python", type=Path, default=ROOT / ".venv-peers" / "bin" / "python")
    parser.add_argument("--servers", default="mlflow,sqlite,postgres")
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    asked, more = parser.parse_args(words[:at]), words[at + 1 :]
    servers = asked.servers.split(",")
    postgres = postgres_url() if "postgres" in servers else ""
    found = {
        server: outcomes(asked.checkout.resolve(), asked.python.absolute(), server, postgres, more)
        for server in servers
        if server != "postgres" or postgres
    }
    for server, ended in found.items():
        counts = {kind: list(ended.values()).count(kind) for kind in ("passed", "failed", "skipped")}
        print(f"{server}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    unexpected = 0
    for server, ended in found.items():
        if server != "mlflow" and "mlflow" in found:
            unexpected += compared(found["mlflow"], ended, server)
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
