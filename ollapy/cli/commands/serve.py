"""`ollapy serve`."""

from __future__ import annotations

from typing import Annotated

import typer


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

    Environment: OLLAPY_HOST (127.0.0.1:11434), OLLAPY_MODELS (folder of the models), OLLAPY_KEEP_ALIVE
    (5m), OLLAPY_CONTEXT_LENGTH, OLLAPY_NUM_THREADS, OLLAPY_MAX_QUEUE (512), OLLAPY_LOAD_TIMEOUT (5m),
    OLLAPY_HEARTBEAT (15s), OLLAPY_LOGS, OLLAPY_DEBUG, OLLAPY_ORIGINS (web pages that may ask), OLLAPY_ALLOWED_HOSTS (further names of
    this machine), OLLAPY_REQUIRE_KEY (also on loopback). Ollama's names (OLLAMA_HOST, …) are read where these are not set.
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
        settings = replace(settings, needs_key=False)
    serve_daemon(settings)
