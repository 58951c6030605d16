"""A daemon of our own to measure, and commands run against it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

from .streams import Record

_PATIENCE = 60.0
_SERVE = ("-m", "ollapy", "serve")


class Host:
    """A free port, a temporary store, and the environment that leads ollapy to both.

    `threads` are a runner's and `context` a request's tokens; 0 leaves the choice to the daemon.
    """

    def __init__(self, folder: Path, *, threads: int = 0, context: int = 0) -> None:
        self.port = free_port()
        self.folder = folder
        self.threads = threads
        self.log = folder / "daemon.log"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OLLAPY_", "OLLAMA_"))
        }
        self.env = {
            **inherited,
            "OLLAPY_HOST": f"127.0.0.1:{self.port}",
            "OLLAPY_MODELS": str(folder / "models"),
            "OLLAPY_LOGS": str(folder),
            "OLLAPY_STATE": str(folder / "state"),
            "OLLAPY_CONFIG": str(folder / "config.toml"),
            "OLLAPY_KV_CACHE_DIR": str(folder / "kv"),
            "OLLAPY_NUM_THREADS": str(threads),
            "OLLAPY_CONTEXT_LENGTH": str(context),
        }

    def call(
        self,
        method: str,
        path: str,
        body: Record | None = None,
        *,
        patience: float = _PATIENCE,
    ) -> Any:
        """One JSON answer of the daemon; None where it is empty."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=patience)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            data = response.read()
            answer = json.loads(data) if data else None
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {answer}")
        return answer

    def counters(self, model: str) -> dict[str, float]:
        """The engine's counters of a loaded model, those that are one number."""
        stats: dict[str, Any] = self.call("GET", "/api/stats")[f"{model}:latest"]
        return {
            name: value for name, value in stats.items() if not isinstance(value, list)
        }

    @contextmanager
    def daemon(self, *command: str) -> Iterator[psutil.Process]:
        """`ollapy serve`, or this Python command, while the block runs, ready at its beginning."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *(command or _SERVE)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
            )
        try:
            self._until(lambda: self._answers() or process.poll() is not None)
            if process.poll() is not None:
                raise RuntimeError(f"the daemon ended: {self.log.read_text()}")
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(_PATIENCE)

    def shut_down(self) -> None:
        """End a daemon that a command started, if it did, and wait until its port is free."""
        if self._answers():
            self.call("POST", "/api/shutdown")
            self._until(lambda: not self._answers())

    def until_open(self, port: int) -> None:
        """Wait until somebody listens there."""
        self._until(lambda: _is_open(port))

    def _answers(self) -> bool:
        return _is_open(self.port)

    @staticmethod
    def _until(is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError("the daemon did not do as asked")
            time.sleep(0.002)


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), _PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took, in seconds; `cpu` is 0 on Windows, which does not say."""

    wall: float
    cpu: float


def run(*command: str, env: dict[str, str] | None = None) -> Cost:
    """A Python with these arguments, to its end; CalledProcessError when it fails."""
    cpu, started = _children_cpu(), time.perf_counter()
    subprocess.run(
        [sys.executable, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=env,
        check=True,
    )
    return Cost(time.perf_counter() - started, _children_cpu() - cpu)


def _children_cpu() -> float:
    """CPU seconds of all children that have ended."""
    if sys.platform == "win32":
        return 0.0
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
