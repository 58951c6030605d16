"""A daemon that starts vLLMs: real servers with OpenAI's API behind vLLM's command line."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.daemon import Daemon, is_alive, running_daemon

COMMAND = Path(__file__).parents[1] / "support" / "vllm_command.py"


class Starter:
    """The daemon, and what has been started by it."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self._calls = folder / "calls"

    def create(self, name: str, source: str, **parameters: object) -> None:
        """Make a model for vLLM."""
        body = {"engine": "vllm", **parameters}
        response = self.daemon.post(
            "/api/create", model=name, **{"from": source}, parameters=body, stream=False
        )
        assert response.status_code == 200, response.text

    @property
    def calls(self) -> list[dict[str, Any]]:
        """With what vLLM was called, each time."""
        if not self._calls.exists():
            return []
        return [json.loads(line) for line in self._calls.read_text().splitlines()]

    def servers(self, name: str) -> list[psutil.Process]:
        """Those of a model that are alive."""
        called = f"{name}:latest"
        pids = [c["pid"] for c in self.calls if c["served_model_name"] == called]
        found = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
        return [process for process in found if is_alive(process)]

    @property
    def loaded(self) -> list[str]:
        """The names of the models that are."""
        return [m["name"] for m in self.daemon.http.get("/api/ps").json()["models"]]


@contextmanager
def starting(folder: Path, **env: str) -> Iterator[Starter]:
    """A daemon whose vLLM is the test's."""
    command = shlex.join([sys.executable, str(COMMAND), str(folder)])
    with running_daemon(folder, **{"VLLM_COMMAND": command, **env}) as daemon:
        yield Starter(daemon, folder)


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """With a model that answers, `big`, and `endless`."""
    with starting(tmp_path_factory.mktemp("vllm"), VLLM_ARGS="--seed 7") as found:
        found.create("big", "hf.co/org/big", num_ctx=2048, max_num_seqs=8, tool_call_parser="hermes")  # fmt: skip
        found.create("endless", "org/endless")
        yield found
