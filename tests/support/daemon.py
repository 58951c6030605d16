"""A real daemon, as a user starts it, on a port of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.waiting import eventually

_LISTENING = re.compile(r"listening on \S+?:([0-9]+) ")


class Daemon:
    """The process, its log, and HTTP calls to it."""

    def __init__(
        self, process: subprocess.Popen[bytes], log: Path, models: Path
    ) -> None:
        self.process = process
        self.log = log
        self.models = models
        eventually(
            lambda: self._port() is not None or process.poll() is not None,
            "the daemon did not start",
        )
        self.address = f"127.0.0.1:{self._port()}"
        self.http = httpx.Client(
            base_url=f"http://{self.address}", timeout=60.0, trust_env=False
        )

    def _port(self) -> int | None:
        found = _LISTENING.search(self.log.read_text())
        return int(found[1]) if found else None

    def post(self, path: str, **body: Any) -> httpx.Response:
        """A POST of a JSON body."""
        return self.http.post(path, json=body)

    def generate(
        self, prompt: str, *, model: str = "tiny", **body: Any
    ) -> dict[str, Any]:
        """A whole answer of `/api/generate`, greedy and without thinking unless said otherwise."""
        body = {"think": False, "options": {"temperature": 0}, **body}
        response = self.post(
            "/api/generate", model=model, prompt=prompt, stream=False, **body
        )
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def delete(self, model: str) -> None:
        """Remove a model, unloading it."""
        response = self.http.request("DELETE", "/api/delete", json={"model": model})
        assert response.status_code == 200, response.text

    @contextmanager
    def stream(self, path: str, **body: Any) -> Iterator[Iterator[dict[str, Any]]]:
        """The records of a streamed answer; leaving early closes the connection."""
        with self.http.stream("POST", path, json=body) as response:
            assert response.status_code == 200, response.read()
            yield (json.loads(line) for line in response.iter_lines())

    @property
    def runners(self) -> list[psutil.Process]:
        """The runner processes that are alive."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if _is_runner(child)]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the daemon and say its exit status."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(20)


def _is_runner(process: psutil.Process) -> bool:
    try:
        return is_alive(process) and "ollapy.runner" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def is_alive(process: psutil.Process) -> bool:
    """A zombie that nobody reaps is dead."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _settings(folder: Path) -> dict[str, str]:
    return {
        "HOST": "127.0.0.1:0",
        "MODELS": str(folder / "models"),
        "CONFIG": str(folder / "config.toml"),
        "KEYS": str(folder / "keys.json"),
        "STATE": str(folder / "state"),
        "KV_CACHE_DIR": str(folder / "kv"),
    }


@contextmanager
def running_daemon(
    folder: Path, *, serving: Sequence[str] = ("-m", "ollapy", "serve"), **env: str
) -> Iterator[Daemon]:
    """A daemon with a store in the folder, stopped at the end; `env` are settings without their prefix.

    `serving` is what Python is told to run.
    """
    log, models = folder / "daemon.log", folder / "models"
    settings = {
        f"OLLAPY_{name}": value for name, value in {**_settings(folder), **env}.items()
    }
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("OLLAPY_", "OLLAMA_"))
    }
    with log.open("wb") as output:
        command = [sys.executable, *serving]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**inherited, **settings},
        )
    daemon = None
    try:
        daemon = Daemon(process, log, models)
        yield daemon
    finally:
        if daemon is not None:
            daemon.stop()
        else:
            process.kill()
            process.wait()
