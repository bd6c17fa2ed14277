"""`lineal run` as click knows it: for its help and the completion of its options. What runs is `capture.launch`."""

from __future__ import annotations

import click

from lineal.capture import launch
from lineal.cli import exits


def _options() -> list[click.Parameter]:
    return [
        click.Option([name], metavar=metavar, multiple=repeated, help=text, expose_value=False)
        for name, metavar, repeated, text in launch.OPTIONS
    ]


class _Run(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave the words as they are: `capture.launch` reads them."""
        if args[:1] and args[0] in ctx.help_option_names:
            return super().parse_args(ctx, args)
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        ctx.params["words"] = list(args)
        return []


def _run(words: list[str] | None = None) -> int:
    from lineal.cli.main import delivery, offer, reuse

    if not words:
        exits.tell("there is no command to run. Write it after the options: lineal run python train.py")
        return exits.USAGE
    return launch.main(words, delivery, offer, reuse)


run_command = _Run(
    "run",
    callback=_run,
    params=[
        *_options(),
        click.Argument(["command"], nargs=-1, type=click.Path(), expose_value=False, metavar="COMMAND..."),
    ],
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    help=(
        "Run COMMAND and record what it read and wrote, its parameters, metrics, code and environment.\n\n"
        "Programs that it starts are recorded with it; a `lineal run` inside becomes a child run. Exit code, signals and "
        "terminal are the command's own.\n\n"
        "\b\n  lineal run python train.py --lr 0.1\n  lineal run --job nightly --tag team=risk make all"
    ),
)
