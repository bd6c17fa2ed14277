"""Webhooks that are sent for real, to a host that the server's operator allowed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.doors.mlflow.asking import Asking, fresh
from tests.server.serving import Serving

_WAIT_S = 30


class Delivery(NamedTuple):
    """One request that arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)


class Receiver(ThreadingHTTPServer):
    """Takes deliveries; answers with the statuses that are waiting in `answers`, else with 200."""

    def __init__(self) -> None:
        self.arrived: queue.Queue[Delivery] = queue.Queue()
        self.answers: queue.SimpleQueue[int] = queue.SimpleQueue()
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def next(self) -> Delivery:
        return self.arrived.get(timeout=_WAIT_S)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.arrived.put(Delivery({k.lower(): v for k, v in self.headers.items()}, body))
        try:
            status = self.server.answers.get_nowait()
        except queue.Empty:
            status = 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"heard")

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture(scope="module")
def door(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    folder: Path = tmp_path_factory.mktemp("shop")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".lineal").mkdir()
    serving = Serving(folder, "--allow-webhook-host", f"127.0.0.1:{receiver.server_port}").start()
    yield Asking(serving)
    serving.close()


def hook(door: Asking, receiver: Receiver, *events: str, secret: str = "") -> str:
    named = [dict(zip(("entity", "action"), event.split("."), strict=True)) for event in events]
    made = door.post("/webhooks", name=fresh("hook"), url=receiver.url, events=named, secret=secret)
    return str(made["webhook"]["webhook_id"])


def test_a_delivery_is_signed_with_the_secret_as_the_client_checks_it(
    door: Asking, receiver: Receiver
) -> None:
    hook_id = hook(door, receiver, "REGISTERED_MODEL.CREATED", secret="s3cret")
    name = fresh("model")
    door.post("/registered-models/create", name=name, description="about", tags=[{"key": "a", "value": "b"}])
    got = receiver.next()
    assert got.said["entity"] == "registered_model"
    assert got.said["action"] == "created"
    assert got.said["data"] == {"name": name, "description": "about", "tags": {"a": "b"}}
    signed = f"{got.headers['x-mlflow-delivery-id']}.{got.headers['x-mlflow-timestamp']}.".encode() + got.body
    digest = base64.b64encode(hmac.new(b"s3cret", signed, hashlib.sha256).digest()).decode()
    assert got.headers["x-mlflow-signature"] == f"v1,{digest}"
    door.ask("DELETE", f"/webhooks/{hook_id}")


def test_versions_tags_and_aliases_are_told_and_nothing_that_was_not_asked_for(
    door: Asking, receiver: Receiver
) -> None:
    wanted = (
        "MODEL_VERSION.CREATED",
        "MODEL_VERSION_TAG.SET",
        "MODEL_VERSION_TAG.DELETED",
        "MODEL_VERSION_ALIAS.CREATED",
        "MODEL_VERSION_ALIAS.DELETED",
    )
    hook_id = hook(door, receiver, *wanted)
    name = fresh("model")
    door.post("/registered-models/create", name=name)
    door.post("/model-versions/create", name=name, source="s3://bucket/model")
    heard = [receiver.next()]
    version = {"name": name, "version": "1"}
    for method, path, said in (
        ("POST", "/model-versions/set-tag", {**version, "key": "k", "value": "v"}),
        ("DELETE", "/model-versions/delete-tag", {**version, "key": "k"}),
        ("POST", "/registered-models/alias", {**version, "alias": "best"}),
        ("DELETE", "/registered-models/alias", {"name": name, "alias": "best"}),
    ):
        door.ask(method, path, said)
        heard.append(receiver.next())
    assert [f"{one.said['entity']}.{one.said['action']}".upper() for one in heard] == list(wanted)
    assert heard[0].said["data"]["source"] == "s3://bucket/model"
    assert heard[1].said["data"] == {**version, "key": "k", "value": "v"}
    assert heard[3].said["data"] == {"name": name, "alias": "best", "version": "1"}
    assert "x-mlflow-signature" not in heard[0].headers
    door.ask("DELETE", f"/webhooks/{hook_id}")


def test_a_delivery_that_failed_for_now_is_sent_again(door: Asking, receiver: Receiver) -> None:
    hook_id = hook(door, receiver, "REGISTERED_MODEL.CREATED")
    receiver.answers.put(503)
    receiver.answers.put(429)
    door.post("/registered-models/create", name=fresh("model"))
    got = [receiver.next() for _ in range(3)]
    assert len({one.said["data"]["name"] for one in got}) == 1
    door.ask("DELETE", f"/webhooks/{hook_id}")


@pytest.mark.parametrize(("status", "well"), [(200, True), (401, False)])
def test_a_test_delivery_tells_what_was_answered(
    door: Asking, receiver: Receiver, status: int, well: bool
) -> None:
    hook_id = hook(door, receiver, "PROMPT.CREATED", secret="s")
    receiver.answers.put(status)
    result = door.post(f"/webhooks/{hook_id}/test")["result"]
    assert result == {"success": well, "response_status": status, "response_body": "heard"}
    got = receiver.next().said
    assert got["entity"] == "prompt"
    assert got["data"] == {
        "name": "example_prompt",
        "tags": {"example_key": "example_value"},
        "description": "An example prompt",
    }
    door.ask("DELETE", f"/webhooks/{hook_id}")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://localhost/", "https://127.0.0.1/", "http://example.com/"]
)
def test_no_other_host_becomes_reachable(door: Asking, url: str) -> None:
    said = {"name": fresh("hook"), "url": url, "events": [{"entity": "PROMPT", "action": "CREATED"}]}
    assert door.refused("POST", "/webhooks", said)[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_a_prompts_version_is_told_with_its_template(door: Asking, receiver: Receiver) -> None:
    hook_id = hook(door, receiver, "PROMPT_VERSION.CREATED", "MODEL_VERSION.CREATED")
    name = fresh("prompt")
    mark = {"key": "mlflow.prompt.is_prompt", "value": "true"}
    door.post("/registered-models/create", name=name, tags=[mark])
    said = {"mlflow.prompt.text": "Hello {{name}}!", "_mlflow_prompt_type": "text", "mine": "1"}
    tags = [mark, *({"key": key, "value": value} for key, value in said.items())]
    door.post("/model-versions/create", name=name, source="prompt-template", tags=tags)
    got = receiver.next().said
    assert got["entity"] == "prompt_version"
    assert got["data"] == {
        "name": name,
        "version": "1",
        "template": "Hello {{name}}!",
        "tags": {"mine": "1"},
        "description": None,
    }
    door.ask("DELETE", f"/webhooks/{hook_id}")
