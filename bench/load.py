"""The client programs: the very same requests for every server."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.servers import PEER

MLFLOW = "/api/2.0/mlflow"
CONNECTIONS = 8
SECONDS = 5.0
_PIECE = 1 << 20

SESSION = """
import json, time
import mlflow
mlflow.set_experiment("bench")
begun, used = time.perf_counter(), time.process_time()
with mlflow.start_run():
    mlflow.log_params({f"p{n}": n for n in range(10)})
    for step in range(1000):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
print("TOOK", json.dumps([time.perf_counter() - begun, time.process_time() - used]))
"""


def post(port: int, path: str, document: dict[str, Any]) -> Any:
    """What a server answers to one request of MLflow's protocol."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{MLFLOW}{path}",
        json.dumps(document).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)


def new_run(port: int) -> str:
    return str(post(port, "/runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]["run_id"])


class _Answers(asyncio.Protocol):
    """Counts whole answers on one connection; a client as light as can be, to leave the processors to the servers."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        self.rest += data
        head, found, body = self.rest.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or b"0") if found else 0
        if found and len(body) >= length:
            self.rest = body[length:]
            self.answered.set_result(head.split(b" ", 2)[1] in {b"200", b"201"})


def load(
    port: int, path: str, bodies: list[bytes], *, method: str = "POST", seconds: float = SECONDS
) -> tuple[float, float, float]:
    """(answers per second, median ms, 99th percentile ms) of requests over connections that each wait for their answer.

    The bodies are taken from the end of the list, until there are none or the time is over.
    """
    took: list[float] = []

    async def one(until: float) -> None:
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(_Answers, "127.0.0.1", port)
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        while bodies and time.perf_counter() < until:
            body = bodies.pop()
            wire.answered = loop.create_future()
            begun = time.perf_counter()
            wire.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            if not await wire.answered:
                raise RuntimeError(f"{path} was refused: {wire.rest[:300]!r}")
            took.append(time.perf_counter() - begun)
        wire.transport.close()

    async def every() -> float:
        begun = time.perf_counter()
        await asyncio.gather(*(one(begun + seconds) for _ in range(CONNECTIONS)))
        return time.perf_counter() - begun

    spent = asyncio.run(every())
    took.sort()
    return len(took) / spent, took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3


def single(run: str, count: int) -> list[bytes]:
    """Requests of one point each."""
    return [
        json.dumps(
            {"run_id": run, "key": "loss", "value": n / 7, "timestamp": 1_700_000_000_000 + n, "step": n}
        ).encode()
        for n in range(count, 0, -1)
    ]


def batches(run: str, count: int, keys: int) -> list[bytes]:
    """Requests of 1,000 points each over so many metrics; values are noise to the last bit."""
    dice = random.Random(17)
    return [
        json.dumps(
            {
                "run_id": run,
                "metrics": [
                    {
                        "key": f"m{keys}.{n % keys}",
                        "value": dice.random(),
                        "timestamp": 10**12 + b,
                        "step": b * 1000 + n,
                    }
                    for n in range(1000)
                ],
            }
        ).encode()
        for b in range(count, 0, -1)
    ]


def session(port: int, folder: Path) -> tuple[float, float]:
    """Seconds of the session of MLflow's own client, and its processor time."""
    done = subprocess.run(
        [PEER / "python", "-c", SESSION],
        cwd=folder,
        env={
            **os.environ,
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("TOOK "))
    took, used = json.loads(line.removeprefix("TOOK "))
    return took, used


def asked(port: int, path: str, times: int) -> float:
    """The median seconds of a question."""
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    for _ in range(times):
        begun = time.perf_counter()
        connection.request("GET", MLFLOW + path)
        answer = connection.getresponse()
        length = len(answer.read())
        took.append(time.perf_counter() - begun)
        if answer.status != 200 or length < 1000:
            raise RuntimeError(f"{path}: {answer.status}, {length} bytes")
    connection.close()
    return statistics.median(took)


def fsync_ms(folder: Path) -> float:
    """The median time of writing 8 KiB and waiting for the disk."""
    took = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(200):
            begun = time.perf_counter()
            file.write(b"x" * 8192)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1e3


# ---- files ---------------------------------------------------------------------------------------------------------------


def random_file(path: Path, size: int) -> Path:
    """A file that cannot be compressed."""
    block = os.urandom(_PIECE)
    with path.open("wb") as file:
        for number in range(size // _PIECE):
            file.write(number.to_bytes(8, "little") + block[8:])
    return path


def upload(port: int, source: Path, name: str) -> float:
    """Seconds until a file is kept behind the proxy."""
    size = source.stat().st_size
    head = (
        f"PUT /api/2.0/mlflow-artifacts/artifacts/{name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    )
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), 600) as wire, source.open("rb") as file:
        wire.sendall(head.encode())
        wire.sendfile(file)
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
    if b" 200 " not in answer.split(b"\r\n", 1)[0]:
        raise RuntimeError(answer[:300])
    return time.perf_counter() - begun


def download(port: int, size: int, name: str) -> float:
    """Seconds until a file is here, every byte of it."""
    head = (
        f"GET /api/2.0/mlflow-artifacts/artifacts/{name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Connection: close\r\n\r\n"
    )
    begun = time.perf_counter()
    got, room = 0, bytearray(_PIECE)
    with socket.create_connection(("127.0.0.1", port), 600) as wire:
        wire.sendall(head.encode())
        first = True
        while count := wire.recv_into(room):
            if first and not room.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(bytes(room[:300]))
            got, first = got + count, False
    if got < size:
        raise RuntimeError(f"{got} bytes came of {size}")
    return time.perf_counter() - begun


def copied(source: Path, target: Path) -> float:
    """Seconds of copying a file, bringing it to the disk, and hashing it with SHA-256."""
    begun = time.perf_counter()
    with source.open("rb") as file, target.open("wb") as copy:
        while piece := file.read(_PIECE):
            copy.write(piece)
        copy.flush()
        os.fsync(copy.fileno())
    with target.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    spent = time.perf_counter() - begun
    target.unlink()
    return spent
