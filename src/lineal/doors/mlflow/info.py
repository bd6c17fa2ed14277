"""What a client asks of the server itself."""

from __future__ import annotations

from lineal.doors.mlflow.wire import Message, Verb
from lineal.service.operations import Scope
from lineal.store.signing import signs

VERSION = "3.17.2"  # of the protocol, by which its clients decide what they may ask


def server_info(scope: Scope, message: Message) -> Message:
    """What this server can do, in MLflow's words."""
    direct = signs(scope.blobs)
    return {
        "store_type": "SqlStore",
        "workspaces_enabled": False,
        "trace_archival_enabled": False,
        "multipart_uploads_enabled": direct,
        "multipart_downloads_enabled": direct,
        "presigned_upload_run_id_supported": False,
        "presigned_upload_model_id_supported": False,
        "features_enabled": {"gateway": False},
    }


ROUTES = [Verb("GET", "/server-info", server_info, versions=("3.0",))]
