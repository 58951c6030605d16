"""What is shown while an answer waits for its model, or for its turn."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import create_connection

import pytest

from ollapy.api.loading import LoadState
from ollapy.api.status import RequestEntry
from ollapy.cli.waiting import following, told
from tests.support.daemon import Daemon, running_daemon
from tests.support.held_daemon import SERVING
from tests.support.models import add_encoder_decoder
from tests.support.terminal import CTRL_C, CTRL_D, ollapy, terminal
from tests.support.waiting import eventually

GREEDY = ("-o", "temperature=0", "--think=false")


class Held:
    """A daemon whose runners have loaded 43 % of their models, and go on when they are let."""

    def __init__(self, daemon: Daemon, gate: Path) -> None:
        self.address = daemon.address
        self.daemon = daemon
        self._gate = gate

    def let_go(self) -> None:
        """Have them load the rest."""
        self._gate.touch()


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    gate = tmp_path / "gate"
    with running_daemon(tmp_path, serving=(*SERVING, str(gate))) as daemon:
        yield Held(daemon, gate)


def entry(**fields: object) -> RequestEntry:
    known = {"id": 1, "kind": "chat", "model": "big", "created_at": "", "outcome": "running"}  # fmt: skip
    return RequestEntry(**{**known, **fields})  # type: ignore[arg-type]


def test_a_bar_stands_for_the_spinner_and_leaves_no_trace(held: Held) -> None:
    with terminal("run", "tiny", "Hi", *GREEDY, host=held.address) as shown:
        shown.shows("preparing tiny  43% ━")
        assert len(shown.lines) == 1
        held.let_go()

        assert shown.wait() == 0
        assert shown.lines == ["Hello! How can I help you today?"]
        assert "\x1b[?25l" not in shown.raw  # the cursor has never been hidden


def test_a_session_says_it_too_and_then_begins(held: Held) -> None:
    with terminal("run", "tiny", host=held.address, columns=20) as session:
        session.shows("preparing …  43%")
        assert len(session.lines) == 1
        held.let_go()
        session.shows(">>> Send a message")
        assert "43%" not in repr(session)
        session.type(CTRL_D)

        assert session.wait() == 0


def test_ctrl_c_while_it_loads(held: Held) -> None:
    """The load that nobody waits for any more is given up."""
    with terminal("run", "tiny", "Hi", host=held.address) as shown:
        shown.shows("43%")
        shown.type(CTRL_C)

        assert shown.wait() == 130
        assert "43%" not in repr(shown)
    eventually(lambda: "43%" not in ollapy("ps", host=held.address).out, "still loads")


def test_everybody_is_told_what_is_being_loaded(held: Held) -> None:
    asking = threading.Thread(target=held.daemon.generate, args=("Hi",))
    asking.start()
    try:
        eventually(lambda: "43%" in ollapy("ps", host=held.address).out, "no progress")
        shown = ollapy("ps", "ti", host=held.address).out.splitlines()
        top = ollapy("top", "--once", host=held.address).out
        listed = json.loads(ollapy("ps", "--json", host=held.address).out)
        other = ollapy("ps", "x", host=held.address).out
    finally:
        held.let_go()
        asking.join()

    assert shown[1].split()[0] == "tiny:latest"
    assert shown[1].endswith("Preparing 43%")
    assert "LOADING      DONE           STATUS" in top
    assert "tiny:latest  43% of 3.8 MB  preparing" in top
    assert (listed["models"], listed["loading"][0]["status"]) == ([], "preparing")
    assert "tiny" not in other


def test_what_is_loaded_is_said_in_the_words_of_ollama(daemon: Daemon) -> None:
    """Who waits for nothing adds nothing to what other clients see."""
    daemon.generate("Hi")

    assert set(daemon.http.get("/api/ps").json()) == {"models"}


@contextmanager
def queue(daemon: Daemon, model: str, length: int) -> Iterator[None]:
    """So many ask the model for an answer of 500 tokens."""
    body = json.dumps({"model": model, "prompt": "a b", "logit_bias": {"1": -1000.0}})
    head = f"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    host, _, port = daemon.address.partition(":")
    with ExitStack() as sockets:
        for _ in range(length):
            asking = sockets.enter_context(create_connection((host, int(port))))
            asking.sendall((head + body).encode())
        yield


def test_the_queue_before_one_is_told(tmp_path: Path) -> None:
    """A model that answers one at a time, and needs half a second for each."""
    add_encoder_decoder(tmp_path / "models", "t5")
    with (
        running_daemon(tmp_path) as daemon,
        queue(daemon, "t5", 40),
        terminal("run", "t5", "a b", host=daemon.address) as shown,
    ):
        shown.shows("waiting for a place: ")
        shown.shows(" before you")
        assert "waiting behind" in ollapy("top", "--once", host=daemon.address).out


def test_the_words() -> None:
    state = LoadState("mistral:latest", "loading", 43, 100)
    loading = told(entry(loading=state))
    step = following(None, entry(loading=state), 0.0)

    assert loading is not None
    assert (loading.status, loading.completed) == ("loading mistral", 43)
    assert step is not None
    assert following(step, entry(loading=state), 1.0) is step
    assert following(step, entry(ahead=0), 1.0) is not step
    assert following(step, entry(), 1.0) is following(step, None, 1.0) is None
    waiting = told(entry(loading=LoadState("big", "waiting")))
    reading = told(entry(load_duration=5))
    assert reading is not None
    assert reading.status == "reading the prompt"
    assert told(entry(load_duration=5, first_token_duration=9)) is None
    assert waiting is not None
    assert waiting.status == "waiting for memory for big"
