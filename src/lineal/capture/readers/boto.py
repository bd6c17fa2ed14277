"""Amazon S3 through boto3 and aiobotocore: objects that are read or written, with their version when the bucket keeps versions."""

from __future__ import annotations

import os
from functools import wraps

from ...resolve.addresses import is_lakefs
from ..calls import argument, around
from ..guard import swallow
from ..remote import report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OPERATIONS = {
    "GetObject": "read",
    "SelectObjectContent": "read",
    "PutObject": "write",
    "CompleteMultipartUpload": "write",
    "CopyObject": "write",
}


def patch(module: Any) -> None:
    """Record the calls of every client."""
    around(module.BaseClient, "_make_api_call", lambda args, kwargs: None, _called)


def awaited(module: Any) -> None:
    """Record the calls of every client that is awaited."""
    kind = module.AioBaseClient
    inner = kind._make_api_call

    @wraps(inner)
    async def call(*args: Any, **kwargs: Any) -> Any:
        result = await inner(*args, **kwargs)
        try:
            _called(None, args, kwargs, result, False)
        except Exception as error:
            swallow(error)
        return result

    kind._make_api_call = call


def _called(token: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, failed: bool) -> None:
    op = _OPERATIONS.get(argument(args, kwargs, 1, "operation_name"))
    asked = argument(args, kwargs, 2, "api_params")
    if failed or op is None or not isinstance(asked, dict) or "Bucket" not in asked or "Key" not in asked:
        return
    known = (
        {"version": result.get("VersionId"), "etag": result.get("ETag")} if isinstance(result, dict) else {}
    )
    more = {name: value.strip('"') for name, value in known.items() if isinstance(value, str)}
    scheme = "lakefs" if is_lakefs(_endpoint(args[0]), os.environ) else "s3"
    if asked.get("VersionId") and "version" not in more:
        more["version"] = str(asked["VersionId"])
    report(f"{scheme}://{asked['Bucket']}/{asked['Key']}", op, "boto3." + str(args[1]), **more)


def _endpoint(client: Any) -> str:
    return str(getattr(getattr(client, "meta", None), "endpoint_url", "") or "")
