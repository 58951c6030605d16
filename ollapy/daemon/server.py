"""The daemon's life: take the port, serve, and end when asked."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from types import FrameType

import msgspec
import uvicorn
from starlette.applications import Starlette

from ollapy import __version__
from ollapy.api.ollama import API_VERSION
from ollapy.daemon.app import create_app
from ollapy.daemon.gates.connection import Connection
from ollapy.daemon.gates.limits import MAX_HEADER_BYTES, MAX_TARGET
from ollapy.decoding import from_json
from ollapy.errors import OllapyError
from ollapy.keys import KeyRing, Scope
from ollapy.settings import Address, Settings

logger = logging.getLogger(__name__)

# Answers under way get the first of these to finish; then they end with an error record, and what
# still hangs on a connection is cut at the second.
_FINISH_SECONDS, _SHUTDOWN_SECONDS = 3, 5
_MAX_FILES = 8192


class _Server(uvicorn.Server):
    """uvicorn, with an end that leaves no stream without its last record and exits with status 0."""

    def __init__(
        self, config: uvicorn.Config, app: Starlette, settings: Settings
    ) -> None:
        super().__init__(config)
        self._app = app
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, and say so: from here on signals end it properly."""
        await super().startup(sockets)
        # What is there now stays; looking through it for garbage would hold every stream up for 40 ms.
        gc.freeze()
        host, models = self._settings.address.host, self._settings.models
        port = sockets[0].getsockname()[1] if sockets else self._settings.address.port
        versions = f"ollapy {__version__}, api {API_VERSION}"
        logger.info("listening on %s:%d (%s) models=%s", host, port, versions, models)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections and let those there are come to an end."""
        logger.info("shutting down")
        state = self._app.state
        ending = asyncio.gather(
            state.pool.close(_FINISH_SECONDS), state.operations.close()
        )
        await super().shutdown(sockets)
        if self.force_exit:
            ending.cancel()
            await self.lifespan.shutdown()  # uvicorn would cancel it, with a traceback
        with suppress(asyncio.CancelledError):
            await ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, and at the second signal at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals end the server; unlike uvicorn's, they do not kill the process afterwards."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield


def serve(settings: Settings) -> None:
    """Serve until SIGINT, SIGTERM or a client's request to end; OllapyError when the port is taken."""
    with closing(listen(settings.address)) as sock:
        for warning in settings.warnings:
            logger.warning("%s", warning)
        _raise_file_limit()
        _secure(settings)
        app = create_app(settings, stop=lambda: setattr(server, "should_exit", True))
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            h11_max_incomplete_event_size=MAX_TARGET + MAX_HEADER_BYTES,
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
        server = _Server(config, app, settings)
        server.run(sockets=[sock])


def _raise_file_limit() -> None:
    """Have room for a file of each connection there may be, which shells often have not."""
    with suppress(ImportError, ValueError, OSError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _MAX_FILES if hard == resource.RLIM_INFINITY else min(_MAX_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _secure(settings: Settings) -> None:
    """Say who will be answered, and make the first key where one is needed and there is none."""
    if not settings.address.is_loopback:
        who = "who has a key" if settings.needs_key else "ANYBODY, without a key"
        logger.warning("others can reach %s, and it answers %s", settings.address, who)
    ring = KeyRing(settings.keys)
    if settings.needs_key and not ring.keys:
        secret = ring.create("first", Scope.MANAGE)
        # no log line, which would be kept
        print(
            f"API key, shown only now: {secret}\n"
            "Clients send it as `Authorization: Bearer`, the command line takes it from OLLAPY_API_KEY.",
            file=sys.stderr,
            flush=True,
        )


def listen(address: Address) -> socket.socket:
    """The listening socket; a taken port says who has it and what to do."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        sock = socket.create_server(
            (address.host, address.port), family=family, backlog=1024
        )
    except UnicodeError as exc:
        raise OllapyError(
            f"{address.host!r} is not the name of a host, see OLLAPY_HOST"
        ) from exc
    except OSError as exc:
        raise OllapyError(_port_trouble(address, exc)) from exc
    # Inherited by what is accepted. asyncio sets it only on sockets made with the protocol named, and
    # without it every second answer on a connection waits 40 ms for the client's acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _port_trouble(address: Address, exc: OSError) -> str:
    if exc.errno != errno.EADDRINUSE:
        return f"could not listen on {address}: {exc.strerror or exc}"
    advice = "stop it, or set OLLAPY_HOST to another address such as 127.0.0.1:11435"
    match _who_listens(address):
        case {"ollapy": version}:
            return f"ollapy {version} is already running on {address}: use it as it is, or end it with `ollapy serve --stop`"
        case {"version": version}:
            return f"Ollama {version} is already running on {address}: {advice}"
    return f"another program is listening on {address}: {advice}"


def _who_listens(address: Address) -> dict[str, str]:
    """The answer of whoever has the port to `/api/version`; empty where it is no such server."""
    connection = HTTPConnection(address.target, address.port, timeout=2)
    try:
        with closing(connection):
            connection.request("GET", "/api/version")
            return from_json(connection.getresponse().read(4096), dict[str, str])
    except (OSError, HTTPException, msgspec.DecodeError):
        return {}
