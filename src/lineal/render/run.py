"""One run or one version with all that is recorded of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from lineal.render import page as pages
from lineal.render import sweeps, tables
from lineal.render.page import STATES, Page, clean, count, digest, duration, run_ref, short, styled, value
from lineal.service.runs import RunSummary
from lineal.service.show import ReferenceOut, RunDetail, RunFile, Shown, VersionDetail

LINES = 40  # of one list; `--all` prints every one


def render(shown: Shown, page: Page, *, most: int = LINES) -> Iterator[Text]:
    """The lines for a run or a version; lists end after `most` entries (0: never) and then say how many are left."""
    if isinstance(shown, RunDetail):
        yield from _run(shown, page, most)
    else:
        yield from _version(shown, page, most)


def _run(run: RunDetail, page: Page, most: int) -> Iterator[Text]:
    summary = run.summary
    live = summary.kind == "deployment" and run.state == "running"
    state = "live" if live else run.state
    title = styled((clean(run.job or "run"), "bold cyan"))
    if summary.name and summary.name != run.job:
        title.append(f"  {clean(summary.name)}", "bold")
    yield styled().append_text(title).append("  ").append(clean(state), STATES.get(state, ""))
    if run.deleted_at is not None:
        yield styled((f"  deleted {page.time(run.deleted_at)}: what follows is its tombstone", "bold red"))
    yield from _facts(
        page,
        [
            ("run", f"run:{run.run_id}"),
            ("started", f"{page.time(run.started_at)} ({page.ago(run.started_at)})"),
            ("ended", _ended(run, page)),
            ("exit", _exit(run)),
            ("by", clean(summary.actor)),
            ("command", command_line(run.facets)),
            ("kind", "" if summary.kind == "run" else clean(summary.kind)),
            ("parent", run_ref(summary.parent) if summary.parent else ""),
            ("groups", ", ".join(clean(group) for group in summary.groups)),
            ("tags", ", ".join(f"{clean(key)}={short(text, 60)}" for key, text in run.tags.items())),
            ("code", code_line(run.code)),
            ("environment", environment_line(run.environment)),
        ],
    )
    if run.error is not None:
        yield Text("")
        yield from page.hang(
            "", "  ", styled((f"{clean(run.error.type)}: ", "bold red"), short(run.error.message, 2000))
        )
        for line in run.error.traceback.splitlines()[-12:]:
            yield from page.hang("  ", "    ", styled((clean(line), "dim")))
    yield from _list(
        page, "parameters", [_param(param.key, param.value, param.source) for param in run.params], most
    )
    yield from _list(page, "metrics", _metrics(run), most)
    yield from _list(page, "inputs", [_file(file, page, read=True) for file in run.inputs], most)
    yield from _list(page, "outputs", [_file(file, page, read=False) for file in run.outputs], most)
    yield from _list(
        page, "child runs", _children(run.children, page, most), most, count_of=len(run.children)
    )
    yield from _list(page, "notes", _notes(run.facets), most)


def _ended(run: RunDetail, page: Page) -> str:
    if run.ended_at is None:
        return "nothing was heard of it any more" if run.state == "lost" else ""
    took = (run.ended_at - run.started_at) / 1e6
    return f"{page.time(run.ended_at)} (took {duration(took)})"


def _exit(run: RunDetail) -> str:
    if run.signal:
        return f"killed by signal {run.signal}"
    return f"status {run.exit_code}" if run.exit_code else ""


def command_line(facets: dict[str, Any]) -> str:
    """The command that was run, as one would type it; empty where it is not known."""
    launch = facets.get("lineal.launch/1")
    words = (launch.get("command") or launch.get("argv")) if isinstance(launch, dict) else None
    return short(shlex.join(str(word) for word in words), 400) if isinstance(words, list) else ""


def code_line(code: dict[str, Any] | None) -> str:
    """The code facet in one line; empty where there is none."""
    if not code:
        return ""
    words: list[str] = []
    if commit := code.get("commit"):
        words.append(clean(str(commit))[:12])
        if branch := code.get("branch"):
            words.append(f"on {clean(str(branch))}")
        if code.get("dirty"):
            kept = "difference kept" if code.get("diff") or code.get("untracked") else "difference not kept"
            words.append(f"with changes ({kept})")
    if remote := code.get("remote"):
        words.append(f"of {short(str(remote), 80)}")
    if not words and (script := code.get("script")):
        path = script.get("path", "") if isinstance(script, dict) else script
        words.append(f"{short(str(path), 80)}, not in git")
    return " ".join(words) or "recorded"


def environment_line(environment: dict[str, Any] | None) -> str:
    """The environment facet in one line; empty where there is none."""
    if not environment:
        return ""
    words: list[str] = []
    python = environment.get("python")
    if isinstance(python, dict):
        python = python.get("version")
    if python and str(python).strip():
        words.append(f"Python {short(str(python).split()[0], 20)}")
    packages = environment.get("packages")
    if isinstance(packages, dict):
        words.append(count(len(packages), "distribution"))
    lock = environment.get("lock")
    if isinstance(lock, dict):
        lock = lock.get("path")
    words.append(f"lock {short(str(lock), 60)}" if lock else "no lock file")
    return ", ".join(words)


def _param(key: str, text: str, source: str) -> Text:
    line = styled((short(key, 80), ""), " = ", (value(text), "bold"))
    return line.append(f"  {clean(source)}", "dim") if source else line


def _metrics(run: RunDetail) -> list[Text]:
    lines: list[Text] = []
    for metric in run.metrics:
        line = styled(short(metric.key, 80), " = ", (value(metric.last), "bold"))
        if metric.count > 1:
            told = f"  {count(metric.count, 'point')}, {value(metric.minimum)} to {value(metric.maximum)}"
            line.append(told, "dim")
        lines.append(line)
    return lines


def _file(file: RunFile, page: Page, *, read: bool) -> Text:
    text = styled((clean(file.version), "bold"))
    for name in file.names:
        text.append(f"  {clean(name)}", "green")
    if file.kind not in ("dataset", "other", ""):
        text.append(f"  {clean(file.kind)}")
    if file.role not in ("input", "output", "", file.kind):
        text.append(f"  as {clean(file.role)}", "cyan")
    if file.digest:
        text.append(f"  {digest(file.digest)}", "dim")
    else:
        text.append(f"  content not known{': ' + clean(file.reason) if file.reason else ''}", "yellow")
    if file.size is not None:
        text.append(f"  {pages.size(file.size)}", "dim")
    if file.evidence != "observed":
        text.append(f"  {clean(file.evidence)}", "yellow")
    if seen := [via for via in file.via if "." in via]:
        text.append(f"  by {short(', '.join(seen), 60)}", "dim")
    if read and file.made_by:
        text.append(f"  {page.signs.up} {', '.join(run_ref(run) for run in file.made_by[:3])}", "dim")
        if len(file.made_by) > 3:
            text.append(f" and {len(file.made_by) - 3} more", "dim")
    elif read and file.origin_unknown:
        text.append("  ? origin unknown", "yellow")
    if file.again:
        text.append("  the same bytes again", "dim")
    if file.facets:
        text.append(f"  with {short(', '.join(file.facets), 60)}", "dim")
    return text


def _children(runs: list[RunSummary], page: Page, most: int) -> list[Text]:
    """A line for each run, or for each sweep of many alike unless all are wanted."""
    folded = sweeps.folded(runs) if most else iter(runs)
    return [sweeps.line(r, page) if isinstance(r, sweeps.Sweep) else run_line(r, page) for r in folded]


def run_line(run: RunSummary, page: Page) -> Text:
    """A run on one line."""
    live = run.kind == "deployment" and run.state == "running"
    state = "live" if live else run.state
    return styled(
        (clean(run.job or run.name), "cyan"),
        "  ",
        (clean(state), STATES.get(state, "")),
        (f"  {page.ago(run.started_at)}  {run_ref(run.run_id)}", "dim"),
    )


def _notes(facets: dict[str, Any]) -> list[Text]:
    told = [
        body
        for name, body in facets.items()
        if (name == "lineal.notes/1" or name.startswith("lineal.worker.")) and isinstance(body, dict)
    ]
    gaps = dict.fromkeys(str(gap) for body in told for gap in body.get("gaps", []))
    lines = [styled((short(gap, 400), "yellow")) for gap in gaps]
    return lines + [styled(short(str(note), 400)) for body in told for note in body.get("notes", [])]


def _version(version: VersionDetail, page: Page, most: int) -> Iterator[Text]:
    title = styled((clean(version.ref), "bold"))
    for name in version.names:
        title.append(f"  {clean(name)}", "green")
    if version.aliases:
        title.append(f"  ({', '.join(clean(alias) for alias in version.aliases)})", "bold green")
    yield title
    if version.deleted_at is not None:
        yield styled(
            (f"  deleted {page.time(version.deleted_at)}: what follows is its tombstone", "bold red")
        )
    content = version.digest or f"not known{': ' + version.reason if version.reason else ''}"
    yield from _facts(
        page,
        [
            ("kind", clean(version.kind)),
            ("content", clean(content)),
            ("size", pages.size(version.size)),
            ("where", short(version.uri, 400)),
            ("namespace", clean(version.namespace)),
            ("recorded", f"{page.time(version.recorded_at)} ({page.ago(version.recorded_at)})"),
            ("tags", ", ".join(f"{clean(key)}={short(text, 60)}" for key, text in version.tags.items())),
            ("schema", _schema(version.facets)),
            ("model", _model(version.facets)),
            ("features", tables.features(version.facets)),
            ("checkpoint", tables.checkpoint(version.facets)),
        ],
    )
    yield from _list(page, "columns", tables.columns(version.facets, page), most)
    yield from _list(page, "references", [_reference(item) for item in version.references], most)
    makers = [run_line(run, page) for run in version.made_by]
    if version.origin_unknown:
        makers.append(styled(("? origin unknown", "bold yellow")))
        makers += [styled(("? perhaps a copy of ", "yellow"), clean(text)) for text in version.candidates]
    yield from _list(page, "made by", makers, most)
    yield from _list(page, "used by", [run_line(run, page) for run in version.used_by], most)
    members = [
        styled(
            short(str(member["path"]), 200),
            (f"  {digest(member['digest'])}  {pages.size(member['size'])}", "dim"),
        )
        for member in version.members
    ]
    yield from _list(page, "files", members, most)
    yield from _list(page, "other versions", [styled(clean(ref)) for ref in version.other_versions], most)


def _reference(item: ReferenceOut) -> Text:
    return styled(clean(f"{item.scheme}:{item.value}"), (f"  {clean(item.level)}", "dim"))


def _schema(facets: dict[str, Any]) -> str:
    schema = facets.get("lineal.schema/1")
    if not isinstance(schema, dict):
        return ""
    columns = schema.get("columns") or []
    names = ", ".join(short(str(column.get("name")), 30) for column in columns[:8])
    more = f" and {len(columns) - 8} more" if len(columns) > 8 else ""
    rows = schema.get("rows")
    told = f"{rows:,} rows, " if isinstance(rows, int) else ""
    return f"{told}{count(len(columns), 'column')}: {names}{more}"


def _model(facets: dict[str, Any]) -> str:
    model = facets.get("lineal.model/1")
    if not isinstance(model, dict):
        return ""
    return " ".join(short(str(model[key]), 80) for key in ("framework", "class") if model.get(key))


def _facts(page: Page, facts: list[tuple[str, str]]) -> Iterator[Text]:
    """`name  text`, one below the other; facts without a text are left out."""
    told = [(name, text) for name, text in facts if text]
    wide = max((len(name) for name, _ in told), default=0)
    for name, text in told:
        yield from page.hang(f"  {name:<{wide}}  ", " " * (wide + 4), styled(text))


def _list(
    page: Page, title: str, lines: list[Text], most: int, *, count_of: int | None = None
) -> Iterator[Text]:
    if not lines:
        return
    yield Text("")
    yield styled((f"{title} ", "bold"), (f"({count_of or len(lines):,})", "dim"))
    shown = lines if not most or len(lines) <= most else lines[:most]
    for line in shown:
        yield from page.hang("  ", "      ", line)
    if len(shown) < len(lines):
        yield styled((f"  {page.signs.more} and {len(lines) - len(shown):,} more (--all)", "dim"))
