"""The server: server, server check, ui, token."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click
import msgspec

from lineal.cli import desk, exits
from lineal.core.errors import LinealError, Unavailable
from lineal.render.page import Page, clean, styled
from lineal.resolve import project as projects

if TYPE_CHECKING:
    from types import ModuleType

    from rich.text import Text

    from lineal.server.config import Config
    from lineal.service.access import TokenOut
    from lineal.service.client import AnyClient

_OPTIONS = (
    click.option(
        "--store", metavar="URL", help="Where the record is: a path or postgresql://...; else the project's."
    ),
    click.option(
        "--blobs",
        metavar="URL",
        help="Where bytes are kept: a folder or s3://, gs://, az://; else the project's.",
    ),
    click.option(
        "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on."
    ),
    click.option(
        "--port", default=7070, show_default=True, help="Port to listen on; 0 for any that is free."
    ),
    click.option(
        "--mlmd-port",
        default=0,
        metavar="PORT",
        help="Also answer clients of ML Metadata (TFX, Kubeflow Pipelines) over gRPC, usually on 8080.",
    ),
    click.option(
        "--workers", default=1, show_default=True, help="Processes; more than one needs PostgreSQL."
    ),
    click.option(
        "--allow-host",
        "hosts",
        multiple=True,
        metavar="NAME",
        help="A further name under which it is reached.",
    ),
    click.option(
        "--allow-origin",
        "origins",
        multiple=True,
        metavar="URL",
        help="A further web site whose pages may call it.",
    ),
    click.option(
        "--allow-webhook-host",
        "webhook_hosts",
        multiple=True,
        metavar="HOST[:PORT]",
        help="A host of your own that webhooks may be sent to, over plain HTTP too; others must be public.",
    ),
    click.option(
        "--rate",
        "requests_per_s",
        default=0.0,
        metavar="N",
        help="Most requests per second of one caller; 0 for no limit.",
    ),
    click.option(
        "--lost-after",
        "lease_s",
        default=6 * 3600.0,
        show_default="6 hours",
        metavar="SECONDS",
        help="How long nothing may be heard of a running run until it counts as lost; 0 for ever.",
    ),
    click.option(
        "--forward-openlineage",
        "forward_url",
        default="",
        metavar="URL",
        help="Tell an OpenLineage receiver of every run of our own; LINEAL_FORWARD is its bearer token.",
    ),
)


def _options(function: Any) -> Any:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.group("server", invoke_without_command=True)
@_options
def server_command(**asked: Any) -> int:
    """Serve the record over HTTP, to several people and machines. Ends with Ctrl-C, after finishing what it writes.

    \b
      lineal server                                    this project, on this machine only
      lineal server --store postgresql://HOST/lineal   for a team; several such servers may run
    """
    if click.get_current_context().invoked_subcommand:
        return exits.OK
    run = _loaded()
    run.start(run.configured(**asked), exits.tell)
    return exits.OK


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the server's settings found: what is well, and what is not."""

    good: list[str]
    problems: list[str]


@server_command.command("check")
@_options
@desk.json_option
def check_command(as_json: bool, **asked: Any) -> int:
    """Check what a server would be started with: settings, store, kept bytes, port. Exit code 1 when it could not start."""
    run = _loaded()
    good: list[str] = []
    problems: list[str] = []
    for what, check in _checks(run, asked):
        try:
            good.append(f"{what}: {check()}")
        except LinealError as error:
            problems.append(f"{what}: {error.message}" + (f" ({error.hint})" if error.hint else ""))
    found = Checked(good=good, problems=problems)

    def lines(page: Page) -> Iterator[Text]:
        for text in found.good:
            yield styled(("ok  ", "green"), clean(text))
        for text in found.problems:
            yield styled(("no  ", "bold red"), clean(text))

    desk.answer(as_json, found, lines)
    return exits.REFUSED if problems else exits.OK


def _checks(run: ModuleType, asked: dict[str, Any]) -> Iterator[tuple[str, Callable[[], str]]]:
    from lineal.service import serving
    from lineal.store.blobs import Blobs

    try:
        config: Config = run.configured(**asked)
    except LinealError as error:
        yield "settings", _raising(error)
        return

    def store() -> str:
        run.refuse_open(config)
        return f"{run.without_password(config.store)} answers"

    def kept() -> str:
        Blobs(config.blobs).has("sha256:" + "0" * 64)
        return f"{run.without_password(config.blobs)} can be reached"

    def port() -> str:
        run.bind(config).close()
        return f"{config.host}:{config.port} is free"

    def calls() -> str:
        run.refuse_mlmd(config)
        return f"{config.host}:{config.mlmd_port} is free"

    running = serving.beside(config.folder) if config.folder else None
    yield "store", store
    yield "bytes", kept
    if running is None:
        yield "port", port
        if config.mlmd_port:
            yield "ML Metadata", calls
    else:
        yield "server", lambda: f"runs at {running.url}"


def _raising(error: LinealError) -> Callable[[], str]:
    def check() -> str:
        raise error

    return check


@click.command("ui")
@_options
@click.option("--no-browser", is_flag=True, help="Say the address only.")
def ui_command(no_browser: bool, **asked: Any) -> int:
    """Open the page of the record in a browser. Starts a server for it unless one runs already."""
    from lineal.service import serving

    def show(url: str) -> None:
        if no_browser:
            return
        import webbrowser

        threading.Timer(0.5, webbrowser.open, (url,)).start()

    project = projects.find()
    running = serving.served(project) if project is not None and asked["store"] is None else None
    if running is not None:
        exits.tell(f"the record is served at {running.url}")
        show(running.url)
        return exits.OK
    run = _loaded()
    run.start(run.configured(**asked), exits.tell, ready=show)
    return exits.OK


# ---- tokens --------------------------------------------------------------------------------------------------------------


@click.group("token")
def token_command() -> None:
    """Let people and programs use a server: make, list and revoke tokens.

    As soon as one token was made, a server answers only to those who show one.
    """


def _store_option(function: Any) -> Any:
    return click.option(
        "--store",
        metavar="URL",
        help="The server's store, when it is not the project's: a path or postgresql://...",
    )(function)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A new token. token: its text, which is shown this once and kept nowhere."""

    token: str
    id: str
    name: str
    scopes: list[str]
    expires_at: int | None


@token_command.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=["editor"],
    show_default=True,
    help="What it may do: viewer, ingest, editor, promoter, admin, or a permission. Can be given several times.",
)
@click.option("--days", type=click.IntRange(1, 36500), help="Days until it expires; else it never does.")
@_store_option
@desk.json_option
def create_command(
    name: str, scopes: tuple[str, ...], days: int | None, store: str | None, as_json: bool
) -> None:
    """Make a token for NAME, which its changes are signed with, and print it. It is shown this once."""
    from lineal.service import access
    from lineal.service.client import now_us

    text, id, digest = access.new_token()
    expires = now_us() + days * 86_400_000_000 if days else None
    request = access.TokenCreateRequest(
        name=name, id=id, digest=digest, scopes=list(scopes), expires_at=expires
    )
    with _client(store, change=True) as client:
        kept = client.call("token-create", request)
    made = Made(token=text, id=id, name=kept.name, scopes=kept.scopes, expires_at=kept.expires_at)
    if not as_json:
        exits.tell(f"a token for {name} ({', '.join(made.scopes)}); it is shown only now:")
    desk.answer(as_json, made, lambda page: [styled(made.token)])


@token_command.command("list")
@click.option("--all", "everything", is_flag=True, help="Revoked and expired ones too.")
@_store_option
@desk.json_option
def list_command(everything: bool, store: str | None, as_json: bool) -> None:
    """List tokens: what they may do, until when, and when they were last used."""
    from lineal.service.access import TokenListRequest

    with _client(store, change=False) as client:
        found = client.call("tokens", TokenListRequest(all=everything))

    def lines(page: Page) -> Iterator[Text]:
        for token in found.tokens:
            yield styled((token.id, "bold"), "  ", clean(token.name), ("  " + _about(page, token), "dim"))
        if not found.tokens:
            yield styled("no valid token; `lineal token create NAME` makes one")

    desk.answer(as_json, found, lines)


@token_command.command("revoke")
@click.argument("token")
@_store_option
@desk.json_option
def revoke_command(token: str, store: str | None, as_json: bool) -> None:
    """Take a token back. TOKEN is its id, its name or its whole text."""
    from lineal.service import access

    parts = access.split(token)
    with _client(store, change=True) as client:
        gone = client.call("token-revoke", access.TokenRevokeRequest(id=parts[0] if parts else token))
    desk.answer(
        as_json, gone, lambda page: [styled(f"token {gone.id} ({clean(gone.name)}) opens nothing any more")]
    )


def _about(page: Page, token: TokenOut) -> str:
    said = [", ".join(token.scopes)]
    if token.state != "valid":
        said.append(token.state)
    if token.expires_at is not None:
        said.append(f"until {page.time(token.expires_at)}")
    said.append(f"last used {page.time(token.used_at)}" if token.used_at is not None else "never used")
    return "; ".join(said)


@contextlib.contextmanager
def _client(store: str | None, *, change: bool) -> Iterator[AnyClient]:
    if store is None:
        with desk.writing() if change else desk.reading() as client:
            yield client
        return
    from lineal.service.client import Client
    from lineal.store.open import open_store

    project = projects.find() or projects.Project(".", projects.FOLDER)
    with Client(project, store=open_store(store)) as found:
        yield found


def _loaded() -> ModuleType:
    try:
        from lineal.server import run
    except ImportError as error:
        raise Unavailable(
            f"the server needs {error.name}, which is not installed", hint="pip install 'lineal[server]'"
        ) from error
    return run
