"""Short ways to ask the MLflow door of a real server."""

from __future__ import annotations

import itertools
import json
from typing import Any
from urllib.parse import quote, urlencode

from tests.server.serving import Answer, Serving

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
_numbers = itertools.count(1)


def fresh(name: str) -> str:
    """A name that no other test uses: they share a server."""
    return f"{name}-{next(_numbers)}"


class Asking:
    """Asks one server. What is answered with an error fails the test, unless `refused` or `answer` was used."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    def answer(self, method: str, path: str, document: Any = None, **headers: str) -> Answer:
        full = path if path.startswith(("/api", "/ajax-api", "/v1")) else API + path
        if document is None:
            return self.serving.ask(method, full, **headers)
        headers.setdefault("Content_Type", "application/json")
        return self.serving.ask(method, full, json.dumps(document).encode(), **headers)

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        found = self.answer(method, path, document)
        assert found.status == 200, (method, path, found.status, found.body[:500])
        return found.json

    def get(self, path: str, /, **query: Any) -> Any:
        return self.ask("GET", f"{path}?{urlencode(query, doseq=True)}" if query else path)

    def post(self, path: str, /, **document: Any) -> Any:
        return self.ask("POST", path, document)

    def refused(self, method: str, path: str, document: Any = None) -> tuple[int, str, str]:
        """Status, error code and message of an answer that must be a refusal."""
        found = self.answer(method, path, document)
        assert 400 <= found.status < 500, (method, path, found.status, found.body[:500])
        return found.status, found.json["error_code"], found.json["message"]

    # ---- things

    def experiment(self) -> str:
        return str(self.post("/experiments/create", name=fresh("experiment"))["experiment_id"])

    def run(self, experiment: str = "0", **tags: str) -> dict[str, Any]:
        given = [{"key": key, "value": value} for key, value in tags.items()]
        created = self.post("/runs/create", experiment_id=experiment, start_time=1, tags=given)
        return created["run"]["info"]  # type: ignore[no-any-return]

    def model(self, experiment: str = "0", name: str = "model", **said: Any) -> dict[str, Any]:
        created = self.post("/logged-models", experiment_id=experiment, name=name, **said)
        return created["model"]["info"]  # type: ignore[no-any-return]

    def finalize(self, model: str, status: str = "LOGGED_MODEL_READY") -> dict[str, Any]:
        reply = self.ask("PATCH", f"/logged-models/{model}", {"model_id": model, "status": status})
        return reply["model"]["info"]  # type: ignore[no-any-return]

    def put(self, uri: str, path: str, content: bytes) -> None:
        found = self.serving.ask("PUT", file_url(uri, path), content)
        assert found.status == 200, (path, found.status, found.body)

    def fetch(self, uri: str, path: str) -> Answer:
        return self.serving.get(file_url(uri, path))

    def ready_model(self, experiment: str = "0", content: bytes = b"weights", **said: Any) -> dict[str, Any]:
        """A logged model with its files, whole."""
        model = self.model(experiment, **said)
        self.put(model["artifact_uri"], "MLmodel", b"flavors:\n  sklearn:\n    code: null\n")
        self.put(model["artifact_uri"], "model.pkl", content)
        return self.finalize(model["model_id"])

    def registered(self, model: dict[str, Any], name: str = "") -> str:
        """The name under which a logged model was registered."""
        name = name or fresh("registered")
        if self.answer("GET", f"/registered-models/get?{urlencode({'name': name})}").status == 404:
            self.post("/registered-models/create", name=name)
        id = model["model_id"]
        self.post("/model-versions/create", name=name, source=f"models:/{id}", model_id=id)
        return name


def file_url(uri: str, path: str) -> str:
    root = uri.removeprefix("mlflow-artifacts:/")
    return f"{FILES}/{quote(root)}/{quote(path)}"
