"""A stand-in for a Kubeflow Pipelines server: answers API v2beta1 with documents made beforehand, page by page.

`native`: it has tasks and artifacts of its own, as servers after 2.17; else tasks as 2.17 tells them, with artifacts that are
numbers in ML Metadata.
"""

from __future__ import annotations

import json
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

API = "/apis/v2beta1"
MLFLOW_RUN = "ab" * 16


def uid(word: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, word))


class Kubeflow:
    """Its documents. broken: how many of the next connections are dropped."""

    def __init__(self, *, native: bool, runs: int = 3) -> None:
        self.native = native
        self.broken = 0
        self.asked: list[str] = []
        self.runs = [self._run(n) for n in range(runs)]
        self.artifacts: dict[str, Any] = {}
        self.links: list[dict[str, Any]] = []
        for n in range(runs if native else 0):
            self._lineage(n)

    def _run(self, n: int) -> dict[str, Any]:
        run: dict[str, Any] = {
            "run_id": uid(f"run{n}"),
            "experiment_id": uid("experiment"),
            "display_name": f"churn {n}",
            "created_at": f"2026-03-0{n % 9 + 1}T10:00:00Z",
            "finished_at": f"2026-03-0{n % 9 + 1}T10:10:00.5Z",
            "state": "SUCCEEDED",
            "pipeline_spec": {"pipelineInfo": {"name": "churn"}, "root": {}},
            "runtime_config": {"parameters": {"rows": 20, "label": "a"}},
            "plugins_output": {
                "mlflow": {"entries": {"root_run_id": {"value": MLFLOW_RUN if n == 0 else ""}}}
            },
        }
        tasks = [
            self._task(n, "prepare", {}, {"rows": "20"}),
            self._task(n, "train", {"epochs": "3"}, {"loss": "0.5"}),
        ]
        if self.native:
            root = {
                "task_id": uid(f"root{n}"),
                "run_id": run["run_id"],
                "name": "root",
                "type": "ROOT",
                "status": "SUCCEEDED",
            }
            run["tasks"] = [root, *({**task, "parent_task_id": root["task_id"]} for task in tasks)]
        else:
            run["run_details"] = {"task_details": tasks}
        return run

    def _task(self, n: int, name: str, given: dict[str, str], said: dict[str, str]) -> dict[str, Any]:
        at = f"2026-03-0{n % 9 + 1}T10:0{1 if name == 'prepare' else 5}"
        task: dict[str, Any] = {
            "task_id": uid(f"{name}{n}"),
            "run_id": uid(f"run{n}"),
            "display_name": name,
            "start_time": f"{at}:00Z",
            "end_time": f"{at}:30Z",
        }
        if self.native:
            task |= {"name": name, "status": "SUCCEEDED", "type": "RUNTIME"}
            task["inputs"] = {"parameters": [{"name": key, "value": value} for key, value in given.items()]}
            task["outputs"] = {"parameters": [{"name": key, "value": value} for key, value in said.items()]}
            return task
        data, model = str(10 + 2 * n), str(11 + 2 * n)
        task |= {"state": "SUCCEEDED", "execution_id": str(5 + n)}
        task["outputs"] = {
            "data" if name == "prepare" else "model": {"artifact_ids": [data if name == "prepare" else model]}
        }
        task["inputs"] = {} if name == "prepare" else {"data": {"artifact_ids": [data]}}
        return task

    def _lineage(self, n: int) -> None:
        for name, kind, made_by, used_by in (
            ("data", "Dataset", "prepare", "train"),
            ("model", "Model", "train", ""),
            ("accuracy", "Metric", "train", ""),
        ):
            id = uid(f"{name}{n}")
            self.artifacts[id] = {
                "artifact_id": id,
                "name": name,
                "type": kind,
                "metadata": {"framework": "none"},
                "created_at": "2026-03-01T10:06:00Z",
                **(
                    {"number_value": 0.75}
                    if kind == "Metric"
                    else {"uri": f"minio://bucket/churn/{n}/{name}"}
                ),
            }
            for task, type in ((made_by, "OUTPUT"), (used_by, "INPUT")):
                if task:
                    self.links.append(
                        {
                            "id": uid(f"{task}{name}{n}{type}"),
                            "artifact_id": id,
                            "run_id": uid(f"run{n}"),
                            "task_id": uid(f"{task}{n}"),
                            "type": type,
                            "producer_task_name": made_by,
                            "producer_key": name,
                            "artifact_key": name,
                        }
                    )

    def answer(self, path: str, asked: dict[str, str]) -> Any:
        if path == f"{API}/runs":
            # As a server does that does not list tasks: they come with the run itself.
            short = [{k: v for k, v in run.items() if k not in {"tasks", "run_details"}} for run in self.runs]
            return self._page("runs", short, asked, 2)
        if path.startswith(f"{API}/runs/"):
            return next((run for run in self.runs if run["run_id"] == path.rpartition("/")[2]), None)
        if not self.native:
            return None
        if path == f"{API}/artifact_tasks":
            return self._page(
                "artifact_tasks", [x for x in self.links if x["run_id"] == asked["run_ids"]], asked, 2
            )
        return self.artifacts.get(path.rpartition("/")[2])

    @staticmethod
    def _page(field: str, items: list[Any], asked: dict[str, str], size: int) -> Any:
        at = int(asked.get("page_token", "0"))
        more = {"next_page_token": str(at + size)} if at + size < len(items) else {}
        return {field: items[at : at + size], "total_size": len(items), **more}


@contextmanager
def serving(kubeflow: Kubeflow) -> Iterator[str]:
    """Its address while it is served."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kubeflow.asked.append(self.path)
            if kubeflow.broken:
                kubeflow.broken -= 1
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            parts = urlsplit(self.path)
            found = kubeflow.answer(parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()})
            body = json.dumps(found if found is not None else {"code": 5, "message": "not found"}).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
