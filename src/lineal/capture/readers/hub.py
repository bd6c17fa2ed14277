"""The Hugging Face hub: files that come from it, with the commit they belong to."""

from __future__ import annotations

import os

from ..calls import argument, around
from ..remote import report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def patch(module: Any) -> None:
    """Record `hf_hub_download`."""
    around(module, "hf_hub_download", lambda args, kwargs: None, _downloaded)


def _downloaded(token: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, failed: bool) -> None:
    repo, file = argument(args, kwargs, 0, "repo_id"), argument(args, kwargs, 1, "filename")
    if failed or not isinstance(repo, str) or not isinstance(file, str):
        return
    # The cache keeps files under the commit: .../models--org--name/snapshots/<commit>/<file>
    folder, _, rest = os.path.abspath(str(result)).partition("/snapshots/")
    commit = rest.partition("/")[0]
    kind = {"dataset": "datasets/", "space": "spaces/"}.get(str(kwargs.get("repo_type")), "")
    more = (
        {"version": commit, "copy": os.path.join(folder, "snapshots", rest), "cache": folder}
        if commit
        else {}
    )
    report(f"hf://{kind}{repo}/{file}", "read", "huggingface_hub.hf_hub_download", **more)
