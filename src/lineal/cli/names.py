"""What the shell completes behind a command: names and runs of the record, when that is quick."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

_MOST = 50

if TYPE_CHECKING:
    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # older releases of click have no parameter there


class _Reference(_Text):
    name = "ref"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Runs, registered names with their versions and aliases, and (by the shell) files."""
        found = [CompletionItem(text) for text in _known(incomplete) if text.startswith(incomplete)]
        return [*found[:_MOST], CompletionItem(incomplete, type="file")]


class _Name(_Text):
    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Registered names."""
        names = dict.fromkeys(
            text.partition("@")[0] for text in _known(incomplete) if not text.startswith("run:")
        )
        return [CompletionItem(text) for text in names if text.startswith(incomplete)][:_MOST]


REFERENCE = _Reference()
NAME = _Name()


def _known(incomplete: str) -> list[str]:
    """What the record here offers; nothing where there is none, or it cannot be asked at once."""
    from lineal.resolve import project as projects

    found = projects.find()
    if found is None or not os.path.exists(found.store_url):
        return []
    try:
        from lineal.service.client import Client
        from lineal.service.registry import AliasesRequest
        from lineal.service.runs import RunsRequest

        with Client(found) as client:
            if incomplete.startswith("run:"):
                return [f"run:{run.run_id}" for run in client.call("runs", RunsRequest(limit=_MOST)).runs]
            aliases = client.call("aliases", AliasesRequest()).aliases
            with client.store.read() as tx:
                named = client.store.registry.list_named(tx, None)
    except Exception:  # noqa: BLE001 - a shell that completes must never print an error
        return []
    texts = [f"{entry.name}@{entry.alias}" for entry in aliases]
    for entry in named:
        texts += [entry.name, f"{entry.name}@{entry.number}"]
    return sorted(dict.fromkeys(texts)) + ["run:"]
