"""`timewright serve`: an HTTP endpoint that runs a schedule for whoever calls it with the token."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timewright.cli.exit_codes import SERVE_FAILED, SUCCEEDED, CommandError, usage_error
from timewright.cli.leaving import leave
from timewright.cli.schedule_options import APP, default_app

if TYPE_CHECKING:
    import socket

    from starlette.applications import Starlette

    from timewright.triggers.served_tasks import ServedTasks

TOKEN = "TIMEWRIGHT_SERVE_TOKEN"  # noqa: S105 - the name of a variable
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def serve_command(
    app: Annotated[
        str | None,
        typer.Option(
            "--app",
            metavar="MODULE:ATTRIBUTE",
            help=f"The schedule, declared in Python; else ${APP} says it.",
        ),
    ] = None,
    file: Annotated[
        list[str] | None, typer.Option("--file", "-f", metavar="FILE", help="ScheduledTask manifests.")
    ] = None,
    store: Annotated[str | None, typer.Option(metavar="URL", help="As schedule:run takes it.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.", envvar="PORT", show_envvar=True)
    ] = 8000,
    unix_socket: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Listen on a Unix socket of this user instead.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Accepted tokens, one a line, read at each request. Default: the variable TIMEWRIGHT_SERVE_TOKEN.",
        ),
    ] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Ask nobody for a token; on loopback only.")] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="With --no-auth: a name that requests may be addressed to. Repeatable."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="Stop runs of a call that are not over by then.")
    ] = None,
    drain: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long active runs may go on after SIGTERM.")
    ] = 25.0,
) -> None:
    """Serve HTTP for Cloud Scheduler, Knative, EventBridge: POST /run, POST /tasks/NAME/run, GET /tasks, GET /runs."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        served = _served(app, file or [], store)
        door = _Door(host, port, unix_socket, token_file, no_auth, tuple(allow_host or ()))
        application = _application(served, door, timeout)
        listening = door.listen()
    except CommandError as error:
        sys.stderr.write(f"timewright: {error}\n")
        raise typer.Exit(error.code) from error
    from timewright.runner.event_loop import run
    from timewright.triggers.http.server import serve

    run(serve(application, listening, drain_seconds=drain))
    if unix_socket is not None:
        unix_socket.unlink(missing_ok=True)
    leave(SUCCEEDED)


@dataclass(frozen=True, slots=True)
class _Door:
    """Where to listen, and whom to let in."""

    host: str
    port: int
    unix_socket: Path | None
    token_file: Path | None
    no_auth: bool
    allowed_hosts: tuple[str, ...]

    @property
    def authenticates(self) -> bool:
        """Whether callers have to show a token. On a Unix socket they need not, unless there is one to show."""
        named = self.token_file is not None or bool(os.environ.get(TOKEN))
        return not self.no_auth and (self.unix_socket is None or named)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that requests may be addressed to: without a token, a name that leads here could be anybody's."""
        if self.authenticates or self.unix_socket is not None:
            return ()
        return (*_LOOPBACK_NAMES, *self.allowed_hosts)

    def listen(self) -> socket.socket:
        from timewright.triggers.http.listening import ListenError, is_loopback, listen_on_path, listen_on_port

        if self.no_auth and self.unix_socket is None and not is_loopback(self.host):
            usage_error(f"--no-auth with --host {self.host}: others could reach it; leave out one of the two")
        try:
            if self.unix_socket is not None:
                listening = listen_on_path(self.unix_socket)
            else:
                listening = listen_on_port(self.host, self.port)
        except ListenError as error:
            raise CommandError(str(error), SERVE_FAILED) from error
        where = self.unix_socket or "http://{}:{}".format(*_shown(listening))
        logging.getLogger("timewright").info("listening at %s", where)
        return listening


def _served(app: str | None, files: Sequence[str], store: str | None) -> ServedTasks:
    from timewright.schedule.errors import DeclarationError, LoadError
    from timewright.storage.protocol import StoreError
    from timewright.triggers.served_tasks import ServedTasks

    if files and app is not None:
        usage_error("expected either --app MODULE:ATTRIBUTE or -f FILE, and not both")
    reference = app or default_app()
    if not files and reference is None:
        usage_error("nothing to serve: name a schedule with --app MODULE:ATTRIBUTE, or manifests with -f FILE")
    try:
        served = ServedTasks.of_files(files, store) if files else ServedTasks.of_app(str(reference), store)
        served.check_store()
    except (LoadError, DeclarationError, StoreError) as error:
        usage_error(str(error))
    return served


def _application(served: ServedTasks, door: _Door, timeout: float | None) -> Starlette:
    try:
        from timewright.triggers.http.application import asgi_app
    except ModuleNotFoundError as error:
        raise CommandError(
            f"this needs the module {error.name!r}; install it with: pip install 'timewright[serve]'", SERVE_FAILED
        ) from error
    from timewright.triggers.http.authentication import TokenError, tokens_of_file

    try:
        tokens = None if door.token_file is None else tokens_of_file(door.token_file)
        return asgi_app(
            served, token=tokens, authenticate=door.authenticates, hosts=door.hosts, deadline_seconds=timeout
        )
    except TokenError as error:
        usage_error(
            f"{error}. Name a file with --token-file, or listen where only this user can connect: with --unix-socket, "
            "or with --no-auth on loopback"
        )


def _shown(listening: socket.socket) -> tuple[str, int]:
    """Return the address as a URL has it."""
    host, port = listening.getsockname()[:2]
    return (f"[{host}]" if ":" in host else host), port
