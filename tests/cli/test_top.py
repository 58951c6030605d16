"""`ollapy top`: on a terminal until it is left, elsewhere once."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import pytest
from rich.cells import cell_len

from ollapy.api.snapshot import ModelState, OperationState, Snapshot
from ollapy.api.status import RequestEntry
from ollapy.cli.top.rates import rates
from ollapy.cli.top.view import lines
from tests.support.daemon import Daemon
from tests.support.strangers import free_address
from tests.support.terminal import CTRL_C, ollapy, terminal

_OFF, _ON = "\x1b[?1049l", "\x1b[?1049h"  # the screen for programs that take all of it


def model(name: str = "big", **counters: float) -> ModelState:
    known = {"running": 2, "waiting": 1, "cells": 4096, "used_cells": 99, "tokens": 0, "rows": 0}  # fmt: skip
    return ModelState(name, 4_900_000_000, 0, 4096, "3000-01-01T00:00:00Z", {**known, **counters})  # fmt: skip


def snapshot(at: float, *models: ModelState, **fields: Any) -> Snapshot:
    known = {"requests": [], "operations": [], **fields}
    return Snapshot("1.0", at, 93784.0, 16 * 10**9, 5 * 10**9, 3, [*models], **known)


PULL = OperationState(4, "pull", "mistral:latest", "pulling 4af…", 30, 60, 9.0)
FULL = snapshot(
    1.0,
    model("漢字\x1b[2J:latest"),
    requests=[RequestEntry(id=9, kind="chat", model="big", created_at="", outcome="running")],
    operations=[PULL],
)  # fmt: skip


def test_what_changed_in_the_seconds_between() -> None:
    before = snapshot(10.0, model(tokens=100, rows=40), operations=[PULL])
    arrived = OperationState(4, "pull", "mistral:latest", "", 50, 60)
    now = snapshot(12.0, model(tokens=300, rows=60), model("new"), operations=[arrived])
    found = rates(before, now)

    assert found.generated == {"big": 10.0}
    assert found.read == {"big": 90.0}
    assert found.arriving == {4: 10.0}
    assert rates(None, now) == rates(now, now) == rates(now, before)


def test_a_model_that_was_loaded_again_counts_anew() -> None:
    before, now = snapshot(1.0, model(tokens=9, rows=9)), snapshot(2.0, model())

    assert rates(before, now).generated == {}


@pytest.mark.parametrize("width", [1, 8, 20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    shown = [*lines(FULL, rates(None, FULL), width)]

    assert max(map(cell_len, shown)) <= width
    assert "\x1b" not in "".join(shown)
    text = "\n".join(shown)
    assert ("UNTIL" in text) == (width >= 80)
    assert ("漢字" in text) == (width >= 4)
    if width >= 80:
        assert "2+1" in text
        assert "99/4096" in text
        assert "50% of 60 B" in text
        assert "up 1d2h" in text


def test_without_a_terminal_it_is_printed_once(own: Daemon) -> None:
    empty = ollapy("top", host=own.address)
    own.generate("Hi", keep_alive=-1)
    loaded = ollapy("top", host=own.address)
    told = json.loads(ollapy("top", "--json", host=own.address).out)

    assert (empty.status, empty.err) == (0, "")
    assert empty.out.endswith("\nNo model is loaded.\n")
    row = loaded.out.splitlines()[5].split()
    assert row[0] == "tiny:latest"
    assert row[4] == "0+0"
    assert row[-1] == "Forever"
    assert told["models"][0]["name"] == "tiny:latest"
    assert told["models"][0]["counters"]["tokens"] > 0
    assert 0 < told["memory_available"] < told["memory_total"]


def test_a_terminal_without_escapes_gets_it_once_too(own: Daemon) -> None:
    with terminal("top", host=own.address, columns=20, TERM="dumb") as shown:
        assert shown.wait() == 0
        raw = shown.raw
    assert "\x1b" not in raw
    assert "No model is loaded." in raw


@pytest.mark.parametrize(
    ("keys", "status"), [("q", 0), (CTRL_C, 0), ("\x1b[Aq", 0), ("\x1b", 0)], ids=repr
)
def test_the_terminal_is_as_it_was_once_it_is_left(
    own: Daemon, keys: str, status: int
) -> None:
    with terminal("top", "-i", "0.2", host=own.address) as shown:
        shown.shows("No model is loaded.")
        own.generate("Hi")
        shown.shows("tiny:latest")
        for key in [keys[:-1], keys[-1]] if len(keys) > 1 else [keys]:
            shown.type(key)
        assert shown.wait() == status
        raw = shown.raw
    assert raw.count(_ON) == raw.count(_OFF) == 1
    assert raw.rindex(_OFF) > raw.rindex("tiny:latest")
    assert raw.rindex("\x1b[?25h") > raw.rindex("\x1b[?25l")


def test_told_to_end_it_leaves_the_terminal_as_it_was(own: Daemon) -> None:
    with terminal("top", host=own.address) as shown:
        shown.shows("No model is loaded.")
        shown.process.send_signal(signal.SIGTERM)
        assert shown.wait() == 128 + signal.SIGTERM
        assert shown.raw.endswith(_OFF) or _OFF in shown.raw[-40:]


def test_the_daemon_ends_meanwhile(own: Daemon) -> None:
    with terminal("top", "-i", "0.2", host=own.address) as shown:
        shown.shows("No model is loaded.")
        own.stop()
        assert shown.wait() == 1
        raw = shown.raw
    assert "Error: could not connect to ollapy" in raw[raw.rindex(_OFF) :]


def test_on_twenty_columns_without_colours(own: Daemon) -> None:
    own.generate("Hi")
    with terminal("top", host=own.address, columns=20, rows=6, NO_COLOR="1") as shown:
        shown.shows("tiny:latest")
        assert shown.lines[0].startswith("ollapy ")
        shown.type("q")
        assert shown.wait() == 0
        assert "\x1b[3" not in shown.raw


def test_what_runs_is_seen(own: Daemon) -> None:
    """A request and its speed, while it lasts."""
    options = {"num_predict": 10**6}
    seen = threading.Event()

    def answer() -> None:
        with own.stream("/api/generate", model="endless", prompt="go", shift=True, options=options) as records:  # fmt: skip
            for _ in records:
                if seen.is_set():
                    return

    asking = threading.Thread(target=answer)
    asking.start()
    try:
        with terminal("top", "-i", "0.2", host=own.address) as shown:
            shown.shows("answering")
            shown.shows("endless:latest")
            shown.type("q")
            assert shown.wait() == 0
    finally:
        seen.set()
        asking.join()


def test_no_daemon() -> None:
    result = ollapy("top", host=free_address())

    assert result.status == 1
    assert result.err.startswith("Error: could not connect to ollapy")
