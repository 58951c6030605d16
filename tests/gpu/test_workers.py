"""RPC workers, where the library knows them: a model on another process's memory, and its end.

Such a library is built with CMAKE_ARGS="-DGGML_RPC=on".
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ollapy.llama.devices import backends
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless
from tests.support.terminal import ollapy
from tests.support.worker import running_worker

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        "RPC" not in backends(), reason="llama.cpp is built without RPC"
    ),
]

QUESTION = "What is the capital of Japan?"


@pytest.fixture
def worker() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with running_worker() as found:
        yield found


def layers(daemon: Daemon) -> dict[str, dict[str, int]]:
    """By model."""
    models: list[dict[str, Any]] = daemon.http.get("/api/ps").json()["models"]
    return {m["name"].removesuffix(":latest"): m["layers"] for m in models}


def test_a_model_on_a_worker(
    worker: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    address, _ = worker
    with running_daemon(tmp_path, RPC=f"127.0.0.1:1,{address}") as daemon:
        here = daemon.generate(QUESTION, options={"num_gpu": 0, "temperature": 0}, keep_alive=0)  # fmt: skip
        there = daemon.generate(QUESTION)
        shown = ollapy("ps", host=daemon.address)

        assert there["response"] == here["response"]
        assert layers(daemon) == {"tiny": {"RPC0": 5}}
        assert "100% GPU" in shown.out
        assert "the RPC worker 127.0.0.1:1 cannot be reached (Connection refused)" in shown.err.replace("\n", " ")  # fmt: skip


def test_it_computes_for_one_model_at_a_time(
    worker: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    address, _ = worker
    with running_daemon(tmp_path, RPC=address) as daemon:
        add_endless(daemon.models)
        daemon.generate(QUESTION)
        daemon.generate("?", model="endless", options={"num_predict": 3})
        assert layers(daemon) == {"tiny": {"RPC0": 5}, "endless": {"CPU": 2}}


def test_its_end_costs_its_requests_alone(
    worker: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    address, process = worker
    with running_daemon(tmp_path, RPC=address) as daemon:
        add_endless(daemon.models)
        with daemon.stream("/api/generate", model="endless", prompt="?") as records:
            for _ in range(10):
                next(records)
            process.kill()
            *_, last = records
        assert "has unexpectedly stopped" in last["error"]

        answer = daemon.generate("?", model="endless", options={"num_predict": 3})
        assert answer["done"]
        assert layers(daemon) == {"endless": {"CPU": 2}}
