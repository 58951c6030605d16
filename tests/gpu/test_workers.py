"""RPC workers, where the library knows them: a model on another process's memory, and its end.

Such a library is built with CMAKE_ARGS="-DGGML_RPC=on".
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ollapy.daemon.runners.footprint import Footprint
from ollapy.daemon.runners.layout import Layout
from ollapy.gguf import read_header
from ollapy.llama.devices import backends
from scripts.make_gguf import write_random
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless, add_model
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


@pytest.mark.parametrize(
    ("shares", "expected"),
    [([3, 1], {"RPC0": 8, "RPC1": 4}), ([1, 5], {"RPC0": 2, "RPC1": 10}), ([0, 1], {"RPC1": 12})],
)  # fmt: skip
def test_layers_and_their_caches_are_where_they_were_placed(
    tmp_path: Path, shares: list[float], expected: dict[str, int]
) -> None:
    weights = tmp_path / "model.gguf"
    write_random(weights, layers=11, width=256)
    footprint = Footprint(read_header(weights), 64, 512)
    with (
        running_worker() as (one, _),
        running_worker() as (other, _),
        running_daemon(tmp_path, RPC=f"{one},{other}") as daemon,
    ):
        add_model(daemon.models, "model", weights)
        options = {"num_predict": 1, "tensor_split": shares}
        daemon.generate(QUESTION, model="model", options=options)
        (row,) = daemon.http.get("/api/ps").json()["models"]

    assert row["layers"] == expected
    found: Counter[str] = Counter()
    for buffer in row["buffers"]:
        if buffer["purpose"] in ("weights", "cache"):
            found[buffer["device"]] += buffer["size"]
    cache = sum(b["size"] for b in row["buffers"] if b["purpose"] == "cache")
    cells = 256 * cache // sum(each.cache(256, "f16") for each in footprint.layers)
    placed = Layout(expected).takes(footprint, cells, "f16").devices
    for name in expected:
        reckoned = placed[name] - footprint.compute(cells)
        assert found[name] == pytest.approx(reckoned, rel=0.01)


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
