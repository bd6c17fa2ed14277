"""Files that come from a hub: the copy that is kept in a cache, wherever that lies, is what was read, and nothing that was made."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.capture.frameworks import PYTHON, need
from tests.deliver.conftest import Workshop

CONTENT = b'{"hidden": 3, "layers": 4}'
COMMIT = "c" * 40


class _Hub(BaseHTTPRequestHandler):
    """Answers as the hub does for a small file of a repository."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        blob = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
        about = {"X-Repo-Commit": COMMIT, "ETag": f'"{blob}"', "Content-Length": str(len(CONTENT))}
        for name, value in about.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(CONTENT)

    def log_message(self, *words: object) -> None:
        """Quiet."""


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_download_into_the_project_is_one_input_whether_it_comes_now_or_lies_there(
    workshop: Workshop, hub: str
) -> None:
    need("huggingface_hub")
    workshop.script(
        "get.py",
        """
        from huggingface_hub import hf_hub_download
        for name in ("config.json", "weights.safetensors"):
            open(hf_hub_download("org/tiny", name)).read()
        open("out.txt", "w").write("done")
        """,
    )
    where = {
        "HF_ENDPOINT": hub,
        "HF_HUB_CACHE": str(workshop.root / "cache"),
        "HF_HOME": str(workshop.root.parent / ".cache" / "hub"),  # where the library keeps what is its own
    }
    for _ in range(2):
        workshop.run(str(PYTHON), "get.py", env=where)
        done = workshop.newest()
        inputs = {
            str(f.path).rpartition("/snapshots/")[2]: f
            for f in done.inputs
            if f.role not in ("code", "environment")
        }
        assert {(path, f.role) for path, f in inputs.items()} == {
            (f"{COMMIT}/config.json", "config"),
            (f"{COMMIT}/weights.safetensors", "model"),
        }
        assert [f.path for f in done.outputs] == ["out.txt"]
        assert inputs[f"{COMMIT}/config.json"].via == ["audit", "hook", "huggingface_hub.hf_hub_download"]
        found = workshop.version(inputs[f"{COMMIT}/config.json"].version)
        assert f"org/tiny/config.json@{COMMIT}" in [
            ref.value for ref in found.references if ref.scheme == "hf"
        ]
