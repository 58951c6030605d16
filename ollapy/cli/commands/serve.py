"""`ollapy serve`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand


class Serve(TyperCommand):
    """Its help ends with the settings, whose table no other help needs."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        self.epilog = _environment()
        super().format_epilog(ctx, formatter)


def serve(
    stop: Annotated[
        bool, typer.Option("--stop", help="End the running daemon instead.")
    ] = False,
    insecure_no_auth: Annotated[
        bool,
        typer.Option(
            "--insecure-no-auth",
            help="Ask nobody for a key, not even where OLLAPY_HOST lets others connect.",
        ),
    ] = False,
) -> None:
    """Start the daemon.

    Where OLLAPY_HOST lets others connect, it answers only to who has an API key. The first one is printed when
    it first starts, `ollapy key` makes more.

    The settings are read from the variables below, then from the file that `ollapy config path` names. Ollama's names
    (OLLAMA_HOST, ...) are read where ollapy's are not set.
    """
    if stop:
        from .stop import stop_daemon

        stop_daemon()
        return
    from dataclasses import replace

    from ollapy import logs
    from ollapy.daemon.server import serve as serve_daemon
    from ollapy.settings import Settings

    settings = Settings.from_env()
    logs.configure(debug=settings.debug)
    if insecure_no_auth:
        settings = replace(settings, require_key=False, insecure_no_auth=True)
    serve_daemon(settings)


def _environment() -> str:
    """The variables, each with what it is for."""
    from ollapy.settings.table import TABLE

    lines = (f"  {it.variables[0]}: {it.told}" for it in TABLE.values())
    return "\b\nEnvironment:\n" + "\n".join(lines)
