"""The life of a vLLM that the daemon has started: it never outlives what it is for."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.daemon import is_alive, running_daemon
from tests.support.terminal import ollapy
from tests.support.waiting import eventually
from tests.vllm.conftest import Starter, starting


def start(starter: Starter, name: str = "big", **body: object) -> None:
    """Have it loaded."""
    answer = starter.daemon.post("/api/generate", model=name, **body)
    assert answer.status_code == 200, answer.text


def is_gone(starter: Starter, name: str = "big") -> bool:
    eventually(lambda: not starter.servers(name), "the server lives")
    return True


def test_stop_ends_it(starter: Starter) -> None:
    start(starter)
    assert "big:latest" in starter.loaded

    assert ollapy("stop", "big", host=starter.daemon.address).status == 0
    eventually(lambda: "big:latest" not in starter.loaded, "it is still listed")
    assert is_gone(starter)


def test_names_that_are_started_alike_share_one(starter: Starter) -> None:
    starter.create("twin", "hf.co/org/endless")
    start(starter, "endless")
    before = len(starter.calls)
    start(starter, "twin")
    assert len(starter.calls) == before
    assert {"twin:latest", "endless:latest"} <= {*starter.loaded}


def test_one_that_is_killed_costs_its_requests_alone(starter: Starter) -> None:
    starter.create("victim", "org/endless", num_ctx=4096)
    options = {"num_predict": -1}
    with starter.daemon.stream(
        "/api/generate", model="victim", prompt="?", options=options
    ) as records:
        next(records)
        (server,) = starter.servers("victim")
        server.send_signal(signal.SIGKILL)
        error = list(records)[-1]["error"]
    assert "vLLM has ended (signal 9)" in error
    starter.daemon.generate("Hi")

    start(starter, "victim")
    (server,) = starter.servers("victim")
    start(starter, "victim", keep_alive=0.1)
    assert is_gone(starter, "victim")


def test_one_that_listens_no_more_is_ended(starter: Starter) -> None:
    starter.create("deaf", "org/lingers")
    start(starter, "deaf")
    (server,) = starter.servers("deaf")
    (listening,) = server.children()
    listening.send_signal(signal.SIGKILL)
    eventually(lambda: not is_alive(listening), "it lives")
    answer = starter.daemon.post("/api/generate", model="deaf", prompt="Hi")

    assert answer.status_code == 500
    assert "vLLM has ended (signal 15)" in answer.json()["error"]
    assert is_gone(starter, "deaf")


def test_its_runner_takes_it_along(starter: Starter) -> None:
    starter.create("orphan", "org/big", num_ctx=1024)
    start(starter, "orphan")
    (server,) = starter.servers("orphan")
    os.kill(server.ppid(), signal.SIGKILL)
    assert is_gone(starter, "orphan")


def test_it_makes_room_for_another_and_dies_with_the_daemon(tmp_path: Path) -> None:
    with starting(tmp_path, MAX_LOADED_MODELS="1") as starter:
        starter.create("big", "org/big")
        start(starter)
        starter.daemon.generate("Hi")
        assert starter.loaded == ["tiny:latest"]
        assert is_gone(starter)
        log = starter.daemon.log.read_text()
        assert "evicting model=big:latest for=tiny:latest" in log

        start(starter)
        assert starter.loaded == ["big:latest"]
        starter.daemon.stop(signal.SIGKILL)
        assert is_gone(starter)


def test_one_that_dies_as_it_starts_says_why(starter: Starter) -> None:
    starter.create("mortal", "org/dies")
    for _ in range(3):
        answer = starter.daemon.post("/api/generate", model="mortal", prompt="Hi")
        assert answer.status_code == 500
        assert answer.json()["error"] == (
            "vLLM has ended (exit status 1): ValueError: no \\x1b[31mmemory\\x1b[0m, see …; "
            "all it said is in ollapy's log"
        )
    refused = starter.daemon.post("/api/generate", model="mortal", prompt="Hi")
    assert refused.status_code == 503
    assert "crashed 3 times in a row" in refused.json()["error"]


def test_one_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    with starting(tmp_path, LOAD_TIMEOUT="3s") as starter:
        starter.create("big", "org/silent")
        daemon = starter.daemon

        def said() -> str | None:
            loading = daemon.http.get("/api/snapshot").json().get("loading")
            return loading[0].get("said") if loading else None

        with ThreadPoolExecutor(1) as thread:
            asking = thread.submit(
                daemon.post, "/api/generate", model="big", prompt="Hi"
            )
            eventually(lambda: said() == "Loading shards:  50%", "it does not say")
            answer = asking.result()
        assert answer.status_code == 500
        assert answer.json()["error"] == (
            "the model made no progress loading for 3 s, the last was 'Loading shards:  50%', see OLLAPY_LOAD_TIMEOUT"
        )
        assert is_gone(starter)


def test_where_there_is_none_that_is_said(tmp_path: Path) -> None:
    with running_daemon(tmp_path, VLLM_COMMAND="no-vllm-here") as daemon:
        Starter(daemon, tmp_path).create("big", "org/big")
        answer = daemon.post("/api/generate", model="big", prompt="Hi")
        assert answer.status_code == 500
        assert "vLLM is not installed" in answer.json()["error"]
        assert "OLLAPY_VLLM_COMMAND" in answer.json()["error"]
        assert daemon.generate("Hi")["done"]
        env = {"OLLAPY_MODELS": str(daemon.models), "OLLAPY_VLLM_COMMAND": "no-vllm-here"}  # fmt: skip
        told = ollapy("doctor", host=daemon.address, env=env).out
        assert "vLLM is not installed, there is no program 'no-vllm-here'" in told
