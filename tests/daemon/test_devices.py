"""What is asked for and not there: every model runs all the same, and everybody is told."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from ollapy.daemon.runners import state_file
from ollapy.daemon.runners.seen import Sight
from tests.support.daemon import Daemon, running_daemon
from tests.support.gpus import miss
from tests.support.strangers import free_address
from tests.support.terminal import ollapy


def warnings(daemon: Daemon) -> list[str]:
    """Of `/api/ps`, once a model was loaded."""
    daemon.generate("Hi", options={"num_predict": 1})
    found: list[str] = daemon.http.get("/api/ps").json().get("warnings", [])
    return found


def test_a_gpu_that_is_gone_is_told_everywhere(tmp_path: Path) -> None:
    miss(tmp_path / "state")
    with running_daemon(tmp_path) as daemon:
        (warning,) = warnings(daemon)
        shown = ollapy("ps", host=daemon.address)

    assert "the GPU CUDA0 (Some GPU), last seen on" in warning
    assert daemon.log.read_text().count(warning) == 1
    assert warning[:60] in shown.err.replace("\n", " ")
    assert "100% CPU" in shown.out


def test_a_gpu_that_was_taken_out_long_ago_is_not_missed(tmp_path: Path) -> None:
    miss(tmp_path / "state", days=8)
    with running_daemon(tmp_path) as daemon:
        assert warnings(daemon) == []


def test_whoever_wants_no_gpu_misses_none(tmp_path: Path) -> None:
    miss(tmp_path / "state")
    with running_daemon(tmp_path, DEVICE="cpu") as daemon:
        assert warnings(daemon) == []


@pytest.mark.parametrize(
    "content", ["", "{}", "[[", "\0" * 100, '[{"name": 1}]', "[" * 9999]
)
def test_a_damaged_state_file_is_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "devices.json"
    file.write_text(content)
    assert state_file.read(file, list[Sight]) is None
    assert not file.exists()
    assert file.with_name("devices.json.bad").read_text() == content


def test_a_daemon_with_a_damaged_state_file(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "devices.json").write_text("[[")
    with running_daemon(tmp_path) as daemon:
        assert warnings(daemon) == []
        assert "not readable and put aside file=devices.json" in daemon.log.read_text()


def test_a_device_that_does_not_exist(tmp_path: Path) -> None:
    with running_daemon(tmp_path, DEVICE="cuda7,3") as daemon:
        assert warnings(daemon) == [
            f"OLLAPY_DEVICE names {name}, which is not there: name some of cpu"
            for name in ("cuda7", "3")
        ]


def test_a_worker_that_is_down(tmp_path: Path) -> None:
    address = free_address()
    with running_daemon(tmp_path, RPC=f"{address},nobody:0,nonsense") as daemon:
        (warning,) = warnings(daemon)
        assert warning.startswith(f"the RPC worker {address} cannot be reached (")
        assert "OLLAPY_RPC='nonsense' is not usable" in daemon.log.read_text()


def test_what_is_no_worker(tmp_path: Path) -> None:
    """It takes connections, and says nothing that llama.cpp understands."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with running_daemon(tmp_path, RPC=address) as daemon:
            (warning,) = warnings(daemon)
    assert "knows no RPC workers" in warning or "is no RPC worker" in warning


OPTIONS: tuple[dict[str, Any], ...] = (
    {"num_gpu": 999},
    {"num_gpu": -5},
    {"main_gpu": 99},
    {"tensor_split": [1, 2, 3]},
    {"tensor_split": [], "n_cpu_moe": 10**9},
    {"num_gpu": 5, "main_gpu": -1, "tensor_split": [0.0], "n_cpu_moe": -3},
)


def test_options_of_devices_without_any(tmp_path: Path) -> None:
    with running_daemon(tmp_path) as daemon:
        for options in OPTIONS:
            options = {**options, "num_predict": 1}
            assert daemon.generate("Hi", keep_alive=0, options=options)["done"]


@pytest.mark.parametrize("value", [[-1], ["a"], [True], "1,2", [1.0] * 129])
def test_a_split_that_is_none(daemon: Daemon, value: object) -> None:
    response = daemon.post(
        "/api/generate", model="tiny", prompt="Hi", options={"tensor_split": value}
    )
    assert response.status_code == 400
    assert 'option "tensor_split" must be' in response.json()["error"]


def test_a_kind_of_cache_that_there_is_not(tmp_path: Path) -> None:
    with running_daemon(tmp_path, KV_CACHE_TYPE="q3_k") as daemon:
        assert daemon.generate("Hi", options={"num_predict": 1})["done"]
        (row,) = daemon.http.get("/api/ps").json()["models"]
        assert row["kv_type"] == "f16"
        assert "OLLAPY_KV_CACHE_TYPE='q3_k' is not usable" in daemon.log.read_text()


@pytest.mark.parametrize("kv_type", ["q8_0", "q4_0"])
def test_a_smaller_cache(tmp_path: Path, kv_type: str) -> None:
    with running_daemon(tmp_path, KV_CACHE_TYPE=kv_type) as daemon:
        assert "Tokyo" in daemon.generate("What is the capital of Japan?")["response"]
        (row,) = daemon.http.get("/api/ps").json()["models"]
        assert row["kv_type"] == kv_type
        assert {b["purpose"] for b in row["buffers"]} >= {"weights", "cache", "compute"}
