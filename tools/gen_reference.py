"""Writes docs/reference/generated/ from the program itself: commands, operations, events and errors."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import click
import msgspec

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "reference" / "generated"


def pages() -> dict[str, str]:
    """The text of each page by its file name."""
    return {"cli.md": cli(), "operations.md": operations(), "events.md": events(), "errors.md": errors()}


# --- command line ----------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command with its full name, in alphabetical order; groups before what is in them."""
    from lineal.cli.commands import root

    yield from _below(root, click.Context(root, info_name="lineal"), "lineal")


def _below(
    group: click.Group, context: click.Context, name: str
) -> Iterator[tuple[str, click.Command, click.Context]]:
    for word in sorted(group.list_commands(context)):
        command = group.get_command(context, word)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=word, parent=context)
        yield f"{name} {word}", command, inner
        if isinstance(command, click.Group):
            yield from _below(command, inner, f"{name} {word}")


def cli() -> str:
    """The page of all commands."""
    from lineal.cli.commands import root

    lines = [
        "# Command line",
        "",
        plain(root.help or "").replace("\n  ", "\n\n    "),
        "",
        plain(root.epilog or ""),
        "",
    ]
    for name, command, context in commands():
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        lines += [f"## {name}", "", "```text", usage, "```", "", plain(command.help or ""), ""]
        rows = list(_options(command, context))
        if rows:
            lines += ["| option | |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows), ""]
    return "\n".join(lines)


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and parameter.param_type_name == "option" and "--help" not in parameter.opts:
            yield f"`{cell(record[0])}`", cell(record[1])


# --- operations ------------------------------------------------------------------------------------------------------


def operations() -> str:
    """The page of the operation table, with every type it speaks of."""
    from lineal.service.operations import table

    lines = [
        "# Operations",
        "",
        "Each thing that can be asked of Lineal or done with it is declared once. The command line and the SDK use this table; the",
        "JSON documents of `lineal ... --json` are made of the types below.",
        "",
    ]
    spoken: dict[str, type] = {}
    for name, row in sorted(table().items()):
        lines += [
            f"## {name}",
            "",
            f"{row.summary}. {plain(row.function.__doc__ or '')}",
            "",
            f"- request: {link(row.request)}, reply: {link(row.reply)}",
            f"- permission: `{row.permission}`; {'changes the record' if row.write else 'reads only'}",
            f"- over HTTP: `{row.method} /api/lineal/v1{row.path}`",
            "",
        ]
        for root in (row.request, row.reply):
            collect(root, spoken)
    lines += ["# Types of requests and replies", ""]
    for name in sorted(spoken):
        lines += struct(spoken[name])
    return "\n".join(lines)


# --- events and errors -----------------------------------------------------------------------------------------------


def events() -> str:
    """The page of the event types."""
    from lineal.core import events as module

    lines = ["# Events", "", plain(module.__doc__ or ""), ""]
    for _, thing in sorted(vars(module).items()):
        if (
            not isinstance(thing, type)
            or thing.__module__ != module.__name__
            or thing.__name__.startswith("_")
        ):
            continue
        if issubclass(thing, msgspec.Struct):
            lines += struct(thing)
        elif issubclass(thing, Enum):
            values = ", ".join(f"`{member.value}`" for member in thing)
            lines += [f"## {thing.__name__}", "", plain(thing.__doc__ or ""), "", f"One of {values}.", ""]
    return "\n".join(lines)


def error_types() -> list[Any]:
    """Every kind of error with a code of its own."""
    from lineal.core import errors as module

    return [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type)
        and issubclass(thing, module.LinealError)
        and thing is not module.LinealError
    ]


def errors() -> str:
    """The page of the error codes."""
    from lineal.core import errors as module

    lines = ["# Errors", "", "```text", inspect.cleandoc(module.__doc__ or ""), "```", ""]
    for thing in error_types():
        lines += [f"## {thing.code}", "", f"`{thing.__name__}`. {plain(own_doc(thing))}".rstrip(), ""]
    return "\n".join(lines)


# --- types as text ---------------------------------------------------------------------------------------------------


def struct(thing: type) -> list[str]:
    """A heading, the description and a table of the fields of a msgspec type."""
    lines = [f"## {thing.__name__}", "", plain(own_doc(thing)), ""]
    fields = msgspec.structs.fields(thing)
    if fields:
        lines += ["| field | type | default |", "|---|---|---|"]
        for field in fields:
            lines.append(f"| `{field.encode_name}` | {link(field.type)} | {default(field)} |")
        lines.append("")
    return lines


def own_doc(thing: type) -> str:
    """The docstring written for this very class, not one that it inherits."""
    return thing.__dict__.get("__doc__") or ""


def default(field: msgspec.structs.FieldInfo) -> str:
    """What a field is when it is left out, as a table cell; empty when it must be given."""
    if field.default is not msgspec.NODEFAULT:
        value = field.default.value if isinstance(field.default, Enum) else field.default
        return f"`{cell(repr(value))}`"
    if field.default_factory is not msgspec.NODEFAULT:
        return f"`{cell(repr(field.default_factory()))}`"
    return ""


def link(kind: Any) -> str:
    """A type in words; our own types link to their heading on the same page."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("nothing" if part is type(None) else link(part) for part in arguments)
    if origin is typing.Annotated:
        return link(arguments[0])
    if origin in (list, tuple, set, frozenset):
        return "list of " + " and ".join(link(part) for part in arguments if part is not Ellipsis)
    if origin is dict:
        return f"object of {link(arguments[1])}"
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    name = {
        "str": "text",
        "int": "integer",
        "float": "number",
        "bool": "yes or no",
        "bytes": "bytes",
        "Any": "anything",
    }
    return name.get(getattr(kind, "__name__", ""), f"`{getattr(kind, '__name__', kind)}`")


def collect(kind: Any, found: dict[str, type]) -> None:
    """Gather every msgspec type reachable from one."""
    for part in typing.get_args(kind):
        collect(part, found)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and found.get(kind.__name__) is not kind:
        found[kind.__name__] = kind
        for field in msgspec.structs.fields(kind):
            collect(field.type, found)


def plain(text: str) -> str:
    """A docstring as Markdown. What click is told not to wrap (a paragraph after its mark) becomes a block of code."""
    paragraphs = []
    for paragraph in inspect.cleandoc(text).replace("\f", "").split("\n\n"):
        words, mark, block = paragraph.partition("\b\n")
        paragraphs.append(f"{words}```text\n{inspect.cleandoc(block)}\n```" if mark else paragraph)
    return "\n\n".join(paragraphs).strip()


def cell(text: str) -> str:
    """Text that stays inside one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def write(made: Iterable[tuple[str, str]]) -> None:
    """Replace what was generated before."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for stale in TARGET.iterdir():
        stale.unlink()
    for name, text in made:
        (TARGET / name).write_text(text.rstrip() + "\n")
        print(f"docs/reference/generated/{name}: {len(text.splitlines())} lines")


if __name__ == "__main__":
    write(pages().items())
    sys.exit(0)
