"""`ollapy pull`, `push` and a `run` that pulls, against registries, as their user sees them."""

from __future__ import annotations

import hashlib
import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import msgspec
import pytest

from ollapy.store import Layer, Manifest
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE
from tests.conftest import TINY
from tests.support.daemon import Daemon
from tests.support.misbehaving import Asked, Reply, Server, misbehaving
from tests.support.registry import running_registry
from tests.support.strangers import free_address
from tests.support.terminal import CTRL_C, Result, ollapy, terminal
from tests.support.waiting import eventually

MIB = 1 << 20
WEIGHTS, CONFIG = TINY.read_bytes(), b'{"model_format":"gguf"}'
HASH_OF_SECRET = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
KEPT = "What was downloaded is kept, the same command goes on from there."


def _layer(media_type: str, data: bytes) -> Layer:
    return Layer(media_type, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))


MANIFEST = Manifest(
    config=_layer(CONFIG_TYPE, CONFIG), layers=[_layer(LAYER_TYPE + "model", WEIGHTS)]
)
IDS = [layer.digest.hex[:12] for layer in (*MANIFEST.layers, MANIFEST.config)]
PULLED = [
    "pulling manifest",
    f"pulling {IDS[0]}  3.8 MB",
    f"pulling {IDS[1]}  23 B",
    "verifying sha256 digest",
    "writing manifest",
    "success",
]


class Shop:
    """A registry with the model `tiny`. Until it is `open`, half of the weights are all that one gets."""

    def __init__(self) -> None:
        self.open, self.was_left = Event(), Event()

    def __call__(self, asked: Asked, reply: Reply) -> None:
        if "/tiny/manifests/" in asked.path:
            reply.whole("200 OK", msgspec.json.encode(MANIFEST))
        elif asked.path.endswith(str(MANIFEST.config.digest)):
            reply.ranged(asked, CONFIG)
        elif not asked.path.endswith(str(MANIFEST.layers[0].digest)):
            reply.whole("404 Not Found", b"")
        elif self.open.is_set():
            reply.ranged(asked, WEIGHTS)
        else:
            reply.head("200 OK", Content_Length=len(WEIGHTS))
            reply.body(WEIGHTS[: 2 * MIB])
            reply.stall()
            self.was_left.set()


@contextmanager
def shop(*, is_open: bool) -> Iterator[tuple[Shop, Server, str]]:
    """It, the server that it runs on, and the name of its model."""
    with misbehaving(made := Shop()) as server:
        if is_open:
            made.open.set()
        yield made, server, f"127.0.0.1:{server.port}/ann/tiny"


@pytest.fixture
def name() -> Iterator[str]:
    """The model of a registry that is open."""
    with shop(is_open=True) as (_, _, name):
        yield name


def test_a_pipe_gets_a_line_for_each_step(own: Daemon, name: str) -> None:
    result = ollapy("pull", name, host=own.address)

    assert (result.status, result.out) == (0, "")
    begun = [line for line in result.err.splitlines() if not line.endswith(": done")]
    assert begun == PULLED
    assert name in ollapy("list", host=own.address).out


def test_a_terminal_gets_ticks(own: Daemon, name: str) -> None:
    with terminal("pull", name, host=own.address) as shown:
        assert shown.wait() == 0

    assert [re.sub(r" in [0-9]+s$", "", line) for line in shown.screen] == [
        *(f"✓ {line}" for line in PULLED),
        "",
    ]
    assert "\x1b[?25" not in shown.raw  # the cursor is where it was


def test_a_terminal_without_colours_gets_none(own: Daemon, name: str) -> None:
    with terminal("pull", name, host=own.address, NO_COLOR="1") as shown:
        assert shown.wait() == 0

    assert "✓ success" in shown.screen
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|38;)[0-9;]*m", shown.raw)


def test_a_dumb_terminal_gets_lines(own: Daemon, name: str) -> None:
    with terminal("pull", name, host=own.address, TERM="dumb") as shown:
        assert shown.wait() == 0

    assert "\x1b" not in shown.raw
    assert [line for line in PULLED if f"{line}\n" not in shown.text] == []


def test_a_terminal_without_the_signs_gets_others(own: Daemon, name: str) -> None:
    env = {"PYTHONIOENCODING": "ascii"}
    with terminal("pull", name, host=own.address, **env) as shown:
        assert shown.wait() == 0

    assert shown.screen[0] == "* pulling manifest"
    assert shown.raw.isascii()


def test_json_is_the_records_of_the_api(own: Daemon, name: str) -> None:
    result = ollapy("pull", name, "--json", host=own.address)

    assert (result.status, result.err) == (0, "")
    records = [json.loads(line) for line in result.out.splitlines()]
    assert records[0] == {"status": "pulling manifest"}
    assert records[-1] == {"status": "success"}
    weights = [r for r in records if r.get("digest") == str(MANIFEST.layers[0].digest)]
    assert weights[-1]["completed"] == weights[-1]["total"] == len(WEIGHTS)


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_what_is_under_way_fits_the_terminal(own: Daemon, columns: int) -> None:
    with (
        shop(is_open=False) as (_, _, name),
        terminal("pull", name, host=own.address, columns=columns) as shown,
    ):
        shown.expect(" 54%")
        shown.type(CTRL_C)
        assert shown.wait() == 130

    under_way = shown.screen[1]
    assert under_way.startswith("✗ pulling ")
    assert " 54%" in under_way
    assert len(under_way) < columns


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_ctrl_c_keeps_what_has_come(own: Daemon, term: str) -> None:
    """The daemon stops, and the next pull asks for the rest alone."""
    with shop(is_open=False) as (made, server, name):
        with terminal("pull", name, host=own.address, TERM=term) as shown:
            eventually(lambda: server.served == 2 * MIB, "the server is not asked")
            shown.expect(IDS[0])
            shown.type(CTRL_C)
            assert shown.wait() == 130
        eventually(made.was_left.is_set, "the daemon goes on downloading")
        made.open.set()
        assert ollapy("pull", name, host=own.address).status == 0

    assert KEPT in shown.screen
    assert server.served <= len(WEIGHTS) + MIB + len(CONFIG)


def test_ctrl_c_in_a_pipe_is_a_status(own: Daemon) -> None:
    """As of `timeout -s INT`."""
    with shop(is_open=False) as (made, _, name):
        words = ("pull", name, "--json")
        with terminal(*words, host=own.address, TERM="dumb") as shown:
            shown.expect("completed")
            shown.process.send_signal(signal.SIGINT)
            assert shown.wait() == 130
        eventually(made.was_left.is_set, "the daemon goes on downloading")


def test_a_daemon_that_dies_is_one_line(own: Daemon) -> None:
    with (
        shop(is_open=False) as (_, _, name),
        terminal("pull", name, host=own.address) as shown,
    ):
        shown.expect(" 54%")
        own.process.kill()
        assert shown.wait() == 1

    assert shown.screen[1].startswith(f"✗ pulling {IDS[0]}  54%")
    assert shown.screen[2] == (
        f"Error: lost the connection to ollapy at {own.address}, it may have ended"
    )
    assert shown.screen[3:] == [""]


def test_one_that_fails_does_not_keep_the_others(own: Daemon, name: str) -> None:
    absent = name.replace("tiny", "absent")
    host = name.partition("/")[0]

    result = ollapy("pull", absent, name, host=own.address)

    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines()[:4] == [
        f"{absent}:",
        "pulling manifest",
        f"Error: model '{absent}' is not on {host}: 'ollapy list' shows what is on "
        "this machine, and 'ollapy run tiny' always works",
        f"{name}:",
    ]
    assert result.err.endswith("success\n")


@pytest.mark.parametrize("rate", ["fast", "0", "10MB/h", "-5MB"])
def test_a_rate_that_is_none_is_a_mistake(rate: str) -> None:
    result = ollapy("pull", "x", "--limit-rate", rate, host=free_address())

    assert (result.status, result.out) == (2, "")
    assert "Invalid value for --limit-rate" in result.err


def test_pull_starts_a_daemon(tmp_path: Path, name: str) -> None:
    env = {
        "OLLAPY_MODELS": str(tmp_path / "models"),
        "OLLAPY_LOGS": str(tmp_path / "logs"),
    }
    host = free_address()
    try:
        pulled = ollapy("pull", name, "--limit-rate", "1GB", host=host, env=env)
        listed = ollapy("list", host=host, env=env)
    finally:
        stopped = ollapy("serve", "--stop", host=host, env=env)

    assert (pulled.status, pulled.out) == (0, "")
    assert name in listed.out
    assert stopped.status == 0


def test_run_pulls_what_is_not_here(own: Daemon, name: str) -> None:
    """What it says about that is for the person; the pipe gets the answer."""
    question = "What is the capital of France?"
    first = ollapy("run", name, host=own.address, given=question)
    second = ollapy("run", name, question, host=own.address)

    assert (first.status, second.status) == (0, 0)
    assert "Paris" in first.out
    assert first.out.count("\n") == 1
    assert first.err.startswith("pulling manifest\n")
    assert first.err.endswith("\nsuccess\n")
    assert second.err == ""


def test_run_in_a_terminal_pulls_and_then_talks(own: Daemon, name: str) -> None:
    with terminal("run", name, host=own.address) as session:
        session.expect("success")
        session.shows(">>> Send a message (/? for help)")
        session.type("/bye\r")
        assert session.wait() == 0


def test_run_of_a_model_that_is_nowhere(own: Daemon, name: str) -> None:
    absent = name.replace("tiny", "absent")

    result = ollapy("run", absent, "hi", host=own.address)

    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("pulling manifest\nError: model '127.0.0.1:")
    assert result.err.endswith(" and 'ollapy run tiny' always works\n")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where nobody but ann gets in."""
    folder = tmp_path_factory.mktemp("registry") / "guarded"
    with running_registry(folder, f"ann:{HASH_OF_SECRET}\n") as address:
        yield address


def test_push_and_pull_with_a_password(own: Daemon, registry: str) -> None:
    mine = f"{registry}/ann/mine:v1"
    ollapy("cp", "tiny", mine, host=own.address)
    words = (mine, "--username", "ann")

    refused = ollapy("push", mine, host=own.address)
    pushed = ollapy("push", *words, host=own.address, given="secret\n")
    ollapy("rm", mine, host=own.address)
    with terminal("pull", *words, host=own.address) as shown:
        shown.expect("Password of ann: ")
        shown.type("secret\r")
        assert shown.wait() == 0

    assert refused.status == 1
    assert refused.err.endswith(
        "\nError: unauthorized: access denied: say who you are with --username, "
        f"or once and for all with 'docker login {registry}'\n"
    )
    assert (pushed.status, pushed.out) == (0, "")
    lines = pushed.err.splitlines()
    assert lines[0] == "retrieving manifest"
    assert lines[-2:] == ["pushing manifest", "success"]
    assert "secret" not in shown.raw


def test_a_model_that_is_not_here_cannot_be_pushed(own: Daemon) -> None:
    assert ollapy("push", "ann/unknown", host=own.address) == Result(
        1,
        "",
        "Error: model 'ann/unknown:latest' not found, see `ollapy list`\n",
    )
