"""`mlflow.set_tracking_uri("lineal:")`: MLflow records into the project's own store, and no server has to be started.

`lineal:` is the project of the working directory, `lineal:///PATH` the one at a path. The first program that records so
serves the store to itself and to others; where a server lives already, it is used.
"""

from __future__ import annotations

import atexit
import functools
import posixpath
import sys
from typing import Any
from urllib.parse import unquote, urlsplit

SCHEME = "lineal"
_ROOT = "/api/2.0/mlflow-artifacts/artifacts"


def _stop() -> None:
    """End what this process serves, if it does."""
    if (embedded := sys.modules.get("lineal.server.embedded")) is not None:
        embedded.stop()


# MLflow loads this before it registers its own end, which records how a run ended; what is registered first runs last.
atexit.register(_stop)


def tracking_store(store_uri: str, artifact_uri: str | None = None) -> Any:
    """MLflow's tracking store for an address `lineal:`."""
    from mlflow.store.tracking.rest_store import RestStore

    return RestStore(functools.partial(_credentials, store_uri))


def registry_store(store_uri: str, tracking_uri: str | None = None) -> Any:
    """MLflow's model registry for an address `lineal:`."""
    from mlflow.store.model_registry.rest_store import RestStore

    return RestStore(functools.partial(_credentials, store_uri))


def artifacts(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> Any:
    """Files at an `mlflow-artifacts:` address: through the project's server for `lineal:`, else as MLflow does it."""
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
    from mlflow.tracking import get_tracking_uri

    uri = tracking_uri or get_tracking_uri()
    if urlsplit(uri).scheme != SCHEME:
        return MlflowArtifactsRepository(artifact_uri, tracking_uri, registry_uri)
    return _artifacts_class()(artifact_uri, uri, registry_uri)


@functools.cache
def _artifacts_class() -> Any:
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
    from mlflow.utils.rest_utils import MlflowHostCreds

    class LinealArtifacts(MlflowArtifactsRepository):  # type: ignore[misc]
        """MLflow's own, at the server of the project, with its token."""

        def __init__(self, artifact_uri: str, tracking_uri: str, registry_uri: str | None) -> None:
            self._lineal = _credentials(tracking_uri)
            super().__init__(artifact_uri, self._lineal.host, registry_uri)

        @property
        def _host_creds(self) -> Any:
            return self._with_token(self.artifact_uri)

        def list_artifacts(self, path: str | None = None) -> Any:
            """The files directly in a folder."""
            from mlflow.entities import FileInfo
            from mlflow.utils.rest_utils import augmented_raise_for_status, http_request
            from mlflow.utils.uri import validate_path_is_safe

            host, _, below = self.artifact_uri.partition(_ROOT)
            folder = posixpath.join(below.strip("/"), path or "").rstrip("/")
            answer = http_request(self._with_token(host), _ROOT, "GET", params={"path": folder})
            augmented_raise_for_status(answer)
            listed = [
                FileInfo(
                    posixpath.join(path or "", validate_path_is_safe(file["path"])),
                    file["is_dir"],
                    file.get("file_size"),
                )
                for file in answer.json().get("files", [])
            ]
            return sorted(listed, key=lambda file: file.path)

        def _with_token(self, host: str) -> Any:
            return MlflowHostCreds(host=host, token=self._lineal.token)

        def _is_multipart_upload_enabled(self) -> bool:
            return False

        def _is_multipart_download_enabled(self) -> bool:
            return False

    return LinealArtifacts


def _credentials(uri: str) -> Any:
    """Where the store behind an address is served now, and the token that it asks for."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.rest_utils import MlflowHostCreds

    from lineal.core.errors import LinealError

    try:
        from lineal.server import embedded
    except ImportError as error:
        raise MlflowException(
            f"`lineal:` needs what a server needs ({error}): pip install 'lineal[server]'"
        ) from error
    try:
        found = embedded.reach(_project(uri))
    except LinealError as error:
        raise MlflowException(str(error)) from error
    return MlflowHostCreds(host=found.url.rstrip("/"), token=found.token or None)


def _project(uri: str) -> Any:
    """The project that an address means."""
    from lineal.resolve import project

    return project.ensure(unquote(urlsplit(uri).path) or None)
