"""Writers that go on whatever becomes of the server, and know what was acknowledged."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from typing import Any

from lineal.service.ingest import PositionsRequest
from lineal.service.runs import RunsRequest
from tests.server.making import API, client, ingest, started
from tests.server.serving import Serving


class Writers:
    """Four threads that write as long as they may: two deliver events, two log points as MLflow's clients do, and retry."""

    def __init__(self, server: Serving) -> None:
        self.server = server
        self.stop = threading.Event()
        self.delivered: dict[str, int] = {}  # events acknowledged, by source
        self.logged: dict[str, int] = {}  # points acknowledged, by run
        self.broken: list[BaseException] = []
        work = [self._deliver, self._deliver, self._log, self._log]
        self._threads = [threading.Thread(target=self._go, args=(f, n)) for n, f in enumerate(work)]
        for thread in self._threads:
            thread.start()

    @property
    def acknowledged(self) -> int:
        return sum(self.delivered.values()) + sum(self.logged.values())

    def end(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(60)

    def _go(self, work: Callable[[int], None], number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            self.broken.append(error)

    def _deliver(self, number: int) -> None:
        source, position = f"stream-{number}", 0
        with client(self.server, patience_s=3600) as remote:
            while not self.stop.is_set():
                run = number * 1_000_000 + position
                request = ingest(started(run), source=source, start=position, position=position + 1)
                remote.call("ingest", request)
                position += 1
                self.delivered[source] = position

    def _log(self, number: int) -> None:
        made = self._insist("/runs/create", {"experiment_id": "0"}, Idempotency_Key=f"made-{number}")
        run = made["run"]["info"]["run_id"]
        while not self.stop.is_set():
            step = self.logged.get(run, 0)
            self._insist(
                "/runs/log-metric",
                {"run_id": run, "key": "m", "value": step, "timestamp": step, "step": step},
            )
            self.logged[run] = step + 1

    def _insist(self, path: str, document: Any, **headers: str) -> Any:
        while True:
            try:
                answer = self.server.post("/api/2.0/mlflow" + path, document, **headers)
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
                continue
            if answer.status == 200:
                return answer.json
            assert answer.status == 503, answer

    def verify(self) -> None:
        """All that was acknowledged is there, once, and nothing else."""
        with client(self.server) as remote:
            listed = [run.run_id for run in remote.call("runs", RunsRequest(limit=100_000)).runs]
            asked = PositionsRequest(door="test", sources=list(self.delivered))
            kept = remote.call("positions", asked).positions
        assert kept == self.delivered
        assert len(listed) == len(set(listed)) == sum(kept.values()) + len(self.logged)
        for run, count in self.logged.items():
            history = self.server.get(f"{API}/metrics?run=run:{run}&key=m").json
            assert history["step"] == list(range(count))
