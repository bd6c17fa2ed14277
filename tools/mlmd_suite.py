"""Runs ml-metadata's public test-suite against Lineal, over gRPC and on fresh stores, and prints what did not pass.

`.venv/bin/python tools/mlmd_suite.py CHECKOUT [--python ENVIRONMENT/bin/python] [--servers sqlite,postgres] [-- PYTEST ...]`

CHECKOUT is a folder with ml-metadata's `ml_metadata/metadata_store`, or a git directory of it; ENVIRONMENT holds the unmodified
client. The suite is not part of this repository. Four of its tests call its own helper wrongly and fail before they reach any
server; in the copy that runs these calls are mended. Exit code 1 when a test that reaches a server does not pass.
"""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
LINEAL = Path(sys.executable).parent / "lineal"
WHERE = "ml_metadata/metadata_store"
FILES = ("metadata_store_test.py", "conftest.py")
# These open a database of their own in the client's process, whatever server is named.
APART = ("downgrade", "enable_metadata_store_upgrade", "unset_connection_config", "invalid_db")
_MENDED = (("_get_metadata_store(grpc_", "_get_metadata_store(self.cli_args, grpc_"), ("self.self.", "self."))


def copied(checkout: Path, folder: Path) -> None:
    """Put the suite into a folder, its wrong calls mended."""
    for name in FILES:
        if (checkout / WHERE / name).exists():
            text = (checkout / WHERE / name).read_text()
        else:
            found = ["git", "-C", str(checkout), "show", f"HEAD:{WHERE}/{name}"]
            text = subprocess.run(found, check=True, capture_output=True, text=True).stdout
        for wrong, right in _MENDED:
            text = text.replace(wrong, right)
        (folder / name).write_text(text)


def outcomes(checkout: Path, python: Path, store: str, more: list[str]) -> dict[str, str]:
    """How each test ended on a fresh store."""
    sys.path.insert(0, str(ROOT))
    free_port: Any = importlib.import_module("tests.doors.mlmd.clients").free_port
    with tempfile.TemporaryDirectory(prefix="suite-") as place:
        folder = Path(place)
        copied(checkout, folder)
        ports = [free_port(), free_port()]
        words = [
            str(LINEAL),
            "server",
            "--store",
            store or str(folder / "suite.db"),
            "--blobs",
            str(folder / "blobs"),
        ]
        words += ["--port", str(ports[0]), "--mlmd-port", str(ports[1])]
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
        try:
            _wait(ports[0], server)
            command = [
                str(python),
                "-m",
                "pytest",
                "-p",
                "no:cacheprovider",
                "--rootdir",
                place,
                "-v",
                "--tb=short",
            ]
            options = ["--use_grpc_backend", "--grpc_host", "127.0.0.1", "--grpc_port", str(ports[1])]
            done = subprocess.run(
                [*command, FILES[0], *options, *more], cwd=folder, capture_output=True, text=True
            )
        finally:
            server.terminate()
            server.wait(60)
    ended = dict(
        re.findall(r"^\S+::(\S+) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)", done.stdout, re.MULTILINE)
    )
    if not ended:
        raise SystemExit(f"the tests did not run: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    if done.returncode:
        print(done.stdout[-6000:])
    return ended


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            with urlopen(f"http://127.0.0.1:{port}/ready"):
                return
        except OSError:
            if server.poll() is not None:
                raise SystemExit("the server did not start") from None
            time.sleep(0.1)
    raise SystemExit("the server did not answer")


def postgres_url() -> str:
    """The address of a new schema on a throw-away PostgreSQL server; empty when there is none."""
    sys.path.insert(0, str(ROOT))
    postgres_server: Any = importlib.import_module("tests.store.postgres_server")
    if why := postgres_server.absent():
        print(f"postgres: left out, {why}")
        return ""
    return str(postgres_server.server().schema())


def main() -> int:
    """Run the suite on the engines named on the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--python", type=Path, default=ROOT / ".venv-mlmd" / "bin" / "python")
    parser.add_argument("--servers", default="sqlite,postgres")
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    asked, more = parser.parse_args(words[:at]), words[at + 1 :]
    failed = 0
    for server in asked.servers.split(","):
        store = postgres_url() if server == "postgres" else ""
        if server == "postgres" and not store:
            continue
        ended = outcomes(asked.checkout.resolve(), asked.python.absolute(), store, more)
        reached = {test: end for test, end in ended.items() if not any(part in test for part in APART)}
        wrong = [test for test, end in reached.items() if end not in {"PASSED", "XFAIL"}]
        passed = sum(end == "PASSED" for end in reached.values())
        print(
            f"{server}: {passed} of {len(reached)} tests that reach a server pass, {len(ended) - len(reached)} do not reach one"
        )
        for test in wrong:
            print(f"  {test}: {reached[test]}")
        failed += len(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
