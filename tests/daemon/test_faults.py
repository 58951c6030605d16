"""What must hold when something dies, leaves, or is too much: one error where it belongs, nothing elsewhere."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.daemon import Daemon, is_alive, running_daemon
from tests.support.models import add_endless
from tests.support.waiting import eventually

ENDLESS = {"options": {"num_predict": 10**6}}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon of one test's own, with the model `endless`."""
    add_endless(tmp_path / "models")
    with running_daemon(tmp_path) as daemon:
        yield daemon


def num_rows(daemon: Daemon, model: str = "endless:latest") -> float:
    """How many tokens the model has sampled so far."""
    return float(daemon.http.get("/api/stats").json()[model]["rows"])


def has_stopped(daemon: Daemon) -> bool:
    """Whether the model samples nothing between two looks at it."""
    before = num_rows(daemon)
    daemon.http.get("/api/version")
    return num_rows(daemon) == before


def test_killing_a_runner_ends_its_streams_alone(own: Daemon) -> None:
    """F44: one error record in its stream, the other model's stream goes on, the next request works."""
    with (
        own.stream("/api/generate", model="endless", prompt="go", **ENDLESS) as doomed,
        own.stream(
            "/api/generate", model="tiny", prompt="Write a long story."
        ) as other,
    ):
        next(doomed)
        first = next(other)
        victim = min(own.runners, key=lambda process: process.create_time())
        victim.send_signal(signal.SIGKILL)
        rest = list(doomed)
        story = [first, *other]

    assert "error" in rest[-1]
    assert "signal 9" in rest[-1]["error"]
    assert all("error" not in record for record in rest[:-1])
    assert story[-1]["done_reason"] == "stop"
    assert (
        own.generate("go", model="endless", options={"num_predict": 5})["eval_count"]
        == 5
    )


def test_killing_the_daemon_leaves_no_runner(own: Daemon) -> None:
    """F50: every runner is gone, generating or not."""
    with own.stream(
        "/api/generate", model="endless", prompt="go", **ENDLESS
    ) as records:
        next(records)
        own.generate("Hi")
        runners = own.runners
        own.process.send_signal(signal.SIGKILL)
        eventually(
            lambda: not any(is_alive(r) for r in runners),
            "a runner outlived its daemon",
        )

    assert len(runners) == 2


def test_a_client_that_leaves_a_stream_stops_it(own: Daemon) -> None:
    with own.stream(
        "/api/generate", model="endless", prompt="go", **ENDLESS
    ) as records:
        next(records)

    eventually(lambda: has_stopped(own), "generation went on for nobody")


def test_a_client_that_leaves_before_its_whole_answer_stops_it(own: Daemon) -> None:
    """P13: without a stream there is nothing to write to, so leaving must be noticed otherwise."""
    own.generate("go", model="endless", options={"num_predict": 1})
    rows = num_rows(own)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"http://{own.address}/api/generate",
            json={"model": "endless", "prompt": "go", "stream": False, **ENDLESS},
            timeout=0.5,
            trust_env=False,
        )

    assert num_rows(own) > rows
    eventually(lambda: has_stopped(own), "generation went on for nobody")


def test_a_client_that_leaves_during_the_load_ends_the_load(own: Daemon) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"http://{own.address}/api/generate",
            json={"model": "tiny"},
            timeout=0.05,
            trust_env=False,
        )

    eventually(lambda: not own.runners, "the load went on for nobody")
    assert "Tokyo" in own.generate("What is the capital of Japan?")["response"]


def test_a_client_that_leaves_while_it_sends_is_no_error(own: Daemon) -> None:
    host, port = own.address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200\r\n\r\n{"
        )

    assert own.generate("Hi")["done"]
    assert "Traceback" not in own.log.read_text()


def test_a_model_that_is_deleted_while_it_loads_does_not_stay(own: Daemon) -> None:
    own.post("/api/copy", source="endless", destination="doomed")
    loading = threading.Thread(
        target=lambda: own.post("/api/generate", model="doomed", keep_alive=-1)
    )
    loading.start()
    eventually(lambda: bool(own.runners), "the load did not begin")
    assert (
        own.http.request("DELETE", "/api/delete", json={"model": "doomed"}).status_code
        == 200
    )
    loading.join()

    eventually(lambda: not own.runners, "the model stayed")


def test_more_requests_than_may_wait_are_refused(tmp_path: Path) -> None:
    """64 sequences run, two may wait, the next is told to come again; everyone who was let in is answered."""
    add_endless(tmp_path / "models")
    with running_daemon(tmp_path, MAX_QUEUE="2") as daemon:
        daemon.generate("go", model="endless", options={"num_predict": 1})
        answers = at_once(
            daemon,
            90,
            {
                "model": "endless",
                "prompt": "go",
                "stream": False,
                "options": {"num_predict": 200},
            },
        )

    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) >= 66
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    for answer in refused:
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["error"].startswith("server busy, please try again.")


def at_once(daemon: Daemon, count: int, body: dict[str, Any]) -> list[httpx.Response]:
    """The answers to one request sent by many clients together."""
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(
            httpx.post(
                f"http://{daemon.address}/api/generate",
                json=body,
                timeout=60,
                trust_env=False,
            )
        )

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_eight_clients_get_what_one_gets(daemon: Daemon) -> None:
    body = {
        "model": "tiny",
        "prompt": "Why is the sky blue?",
        "stream": False,
        "options": {"temperature": 0},
    }
    (alone,) = at_once(daemon, 1, body)

    assert {a.json()["response"] for a in at_once(daemon, 8, body)} == {
        alone.json()["response"]
    }


def test_keep_alive_zero_unloads_after_the_answer_and_others_finish_first(
    own: Daemon,
) -> None:
    """B176"""
    with own.stream(
        "/api/generate", model="endless", prompt="go", options={"num_predict": 300}
    ) as records:
        next(records)
        own.generate("go", model="endless", keep_alive=0, options={"num_predict": 2})
        last = list(records)[-1]

    assert last["done_reason"] == "length"
    eventually(
        lambda: own.http.get("/api/ps").json()["models"] == [], "the model stayed"
    )


def test_keep_alive_expires(own: Daemon) -> None:
    own.generate("Hi", keep_alive=0.05)

    eventually(lambda: not own.runners, "the runner outlived its keep-alive")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_daemon_ends_its_streams_and_runners_when_told_to(
    own: Daemon, how: signal.Signals
) -> None:
    """F52: a stream without end gets its last record all the same, and the exit status is 0."""
    with own.stream(
        "/api/generate", model="endless", prompt="go", **ENDLESS
    ) as records:
        next(records)
        runners = own.runners
        own.process.send_signal(how)
        last = list(records)[-1]

    assert last == {"error": "ollapy is shutting down"}
    assert own.process.wait(10) == 0
    assert not any(is_alive(runner) for runner in runners)


def test_a_second_signal_ends_it_at_once_and_as_quietly(own: Daemon) -> None:
    with own.stream(
        "/api/generate", model="endless", prompt="go", **ENDLESS
    ) as records:
        next(records)
        runners = own.runners
        own.process.send_signal(signal.SIGINT)
        eventually(
            lambda: "shutting down" in own.log.read_text(), "the first was not heard"
        )
        own.process.send_signal(signal.SIGINT)
        assert list(records)[-1] == {"error": "ollapy is shutting down"}

    assert own.process.wait(10) == 0
    assert not any(is_alive(runner) for runner in runners)
    assert "Traceback" not in own.log.read_text()


def test_shutdown_by_request(own: Daemon) -> None:
    own.generate("Hi")
    assert own.post("/api/shutdown").json() == {"status": "stopping"}

    assert own.process.wait(10) == 0
    assert "Traceback" not in own.log.read_text()


def test_a_busy_daemon_still_answers_at_once(own: Daemon) -> None:
    """I11: the version is there while a model generates."""
    with own.stream(
        "/api/generate", model="endless", prompt="go", **ENDLESS
    ) as records:
        next(records)
        assert own.http.get("/api/version", timeout=2.0).status_code == 200
