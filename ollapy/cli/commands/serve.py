"""`ollapy serve`."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    stop: Annotated[
        bool, typer.Option("--stop", help="End the running daemon instead.")
    ] = False,
) -> None:
    """Start the daemon.

    Environment: OLLAPY_HOST (127.0.0.1:11434), OLLAPY_MODELS (folder of the models), OLLAPY_KEEP_ALIVE
    (5m), OLLAPY_CONTEXT_LENGTH, OLLAPY_NUM_THREADS, OLLAPY_MAX_QUEUE (512), OLLAPY_LOAD_TIMEOUT (5m),
    OLLAPY_LOGS, OLLAPY_DEBUG. Ollama's names (OLLAMA_HOST, …) are read where these are not set.
    """
    if stop:
        from .stop import stop_daemon

        stop_daemon()
        return
    from ollapy import logs
    from ollapy.daemon.server import serve as serve_daemon
    from ollapy.settings import Settings

    settings = Settings.from_env()
    logs.configure(debug=settings.debug)
    serve_daemon(settings)
