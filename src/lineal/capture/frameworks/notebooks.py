"""Notebooks that are executed as programs (`jupyter execute`, papermill): the executed notebook, kept whatever became of it.

What the cells read and write the kernel records itself, as any Python child does.
"""

from __future__ import annotations

import functools
import os
import sys

from .. import redact
from ..current import journal
from . import seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_LARGEST = 64 << 20  # bytes of a notebook that is kept
_kept: dict[int, str] = {}  # by client: where its notebook is kept


def nbclient(module: ModuleType) -> None:
    """After `nbclient.client`."""
    seam.around(module.NotebookClient, "execute", _executing)
    seam.around(module.NotebookClient, "async_execute", _executing_later)


def papermill_client(module: ModuleType) -> None:
    """After `papermill.clientwrap`, whose client has an `execute` of its own."""
    seam.around(module.PapermillNotebookClient, "execute", _executing)


def papermill(module: ModuleType) -> None:
    """After `papermill.execute`: the parameters that are put into the notebook."""
    seam.before(module, "execute_notebook", _parameters)


def _parameters(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    values = seam.argument(args, kwargs, 2, "parameters")
    if isinstance(values, dict):
        seam.params(values, "papermill")


def _executing(original: Any) -> Any:
    @functools.wraps(original)
    def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        finally:
            seam.safely(_keep, self)

    return execute


def _executing_later(original: Any) -> Any:
    @functools.wraps(original)
    async def async_execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await original(self, *args, **kwargs)
        finally:
            seam.safely(_keep, self)

    return async_execute


def _keep(client: Any) -> None:
    """Write the notebook as it is now beside the journal, without secrets."""
    here = journal()
    if here is None or not here.open():
        return
    import json

    import nbformat  # type: ignore[import-not-found,unused-ignore]

    text = json.dumps(_clean(json.loads(nbformat.writes(client.nb))), ensure_ascii=False, indent=1)
    if len(text) > _LARGEST:
        return
    first = id(client) not in _kept
    copy = _kept.setdefault(id(client), "%s.%d.ipynb" % (here.path[: -len(".lj")], len(_kept)))
    with open(copy, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    cells = [cell for cell in client.nb.cells if cell.cell_type == "code"]
    failed = sum(any(o.output_type == "error" for o in cell.get("outputs", ())) for cell in cells)
    path = _path(client)
    here.json("notebook", path=path, copy=copy, cells=len(cells), failed=failed)
    if first and os.path.isfile(path):
        here.json("code", path=path)


def _clean(value: Any) -> Any:
    """The document with secrets replaced in each of its texts; a list of texts is the lines of one."""
    if isinstance(value, str):
        return redact.text(value)[0]
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            return redact.text("".join(value))[0].splitlines(keepends=True)
        return [_clean(item) for item in value]
    return value


def _path(client: Any) -> str:
    """Of the notebook that is executed, as far as anybody says it."""
    about = client.nb.metadata.get("papermill") or {}
    named = about.get("input_path") or next(
        (
            word
            for word in sys.argv[1:]
            for word in (word, word + ".ipynb")
            if word.endswith(".ipynb") and os.path.isfile(word)
        ),
        "notebook.ipynb",
    )
    return os.path.abspath(str(named))
