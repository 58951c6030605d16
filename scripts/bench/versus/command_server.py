"""A server that speaks OpenAI's API, started by a command line of the user's."""

from __future__ import annotations

import http.client
import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from scripts.bench.host import free_port

from .contenders import Terms
from .dialects import OpenAI
from .target import Target, show_end
from .wire import Failed

_LOOK = 0.05
_GRACE = 10.0


class CommandServer:
    """A server by its command line, with `{model}`, `{port}`, `{threads}` and `{context}` to be filled in."""

    def __init__(self, name: str, line: str, log: Path, terms: Terms) -> None:
        self.name = name
        self._line = line
        self._log = log
        self._terms = terms

    @contextmanager
    def start(self) -> Iterator[Target]:
        port, patience = free_port(), self._terms.patience
        process = self._launch(port)
        try:
            model = self._wait(process, port)
            yield Target(self.name, port, OpenAI(model), process, self._log, patience)
        finally:
            _end(process)

    def _launch(self, port: int) -> psutil.Popen:
        terms = self._terms
        filled = {
            "{model}": str(terms.model),
            "{port}": str(port),
            "{threads}": str(terms.threads),
            "{context}": str(terms.context),
        }
        words = shlex.split(self._line)
        for mark, value in filled.items():
            words = [word.replace(mark, value) for word in words]
        try:
            with self._log.open("wb") as log:
                return psutil.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
        except OSError as exc:
            raise Failed(f"did not start: {exc}") from exc

    def _wait(self, process: psutil.Popen, port: int) -> str:
        """Its model's name, once it answers."""
        deadline = time.monotonic() + self._terms.patience
        while (model := _find_model(port)) is None:
            if process.poll() is not None:
                show_end(self.name, self._log)
                raise Failed(f"did not start, status {process.returncode}")
            if time.monotonic() > deadline:
                show_end(self.name, self._log)
                raise Failed(f"did not answer within {self._terms.patience:g} s")
            time.sleep(_LOOK)
        return model


def _find_model(port: int) -> str | None:
    """The name of the first model that the server has; None while it is not ready.

    Some list it while they still load it, but are not healthy; others know no `/health`.
    """
    try:
        health, _ = _get(port, "/health")
        _, models = _get(port, "/v1/models")
        name: str = json.loads(models)["data"][0]["id"]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return (
            None  # no port, no HTTP, no JSON or no model: all are seen while one starts
        )
    return name if health < 500 else None


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_GRACE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _end(process: psutil.Popen) -> None:
    """End the process and its children, by force where asking is not enough."""
    family = [process]
    with suppress(psutil.NoSuchProcess):
        family += process.children(recursive=True)
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.terminate()
    _, alive = psutil.wait_procs(family, timeout=_GRACE)
    for member in alive:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(alive, timeout=_GRACE)
