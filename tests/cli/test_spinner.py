"""The sign of life, as a terminal gets it."""

from __future__ import annotations

import io

import pytest

from ollapy.cli.spinner import Spinner
from tests.support.waiting import eventually


class Screen(io.TextIOWrapper):
    """A stream that says that it is a terminal."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        """What was written."""
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode()


def test_it_turns_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with Spinner() as spinner:
        eventually(lambda: "⠙" in screen.text, "it does not turn")
        spinner.stop()

    assert screen.text.startswith("\r\x1b[K⠋ \r\x1b[K⠙ ")
    assert screen.text.endswith(" \r\x1b[K")


def test_what_is_quick_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    with Spinner():
        pass

    assert screen.text == ""
