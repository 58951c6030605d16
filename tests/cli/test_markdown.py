"""Markdown on a terminal: the screen at the end is the same, however the text came."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import termios
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pyte
import pytest

from ollapy.cli.markdown import Stream
from scripts.make_gguf import write_scripted
from tests.support.daemon import running_daemon
from tests.support.models import add_model
from tests.support.terminal import CTRL_D, ollapy, terminal

LETTER = """\
# A *letter*
Some *text* and `code` with **bold** words that go on and on over the end of the line.

- one
- two
  1. inner

  of the same item
2. second

```python
def f(x):
    return "a string that is longer than the line is wide"

# no heading
```

| a | b |
|---|---|
| 1 | 2 |

Roses are red
violets are <b>blue</b>

日本語のテキストはとても長いですから折り返します。日本語のテキストはとても長いです。
"""
SHOWN = """\
A letter

Some text and code with bold words
that go on and on over the end of the
line.

 • one
 • two
    1 inner
   of the same item

 2 second

def f(x):
    return "a string that is longer than
 the line is wide"

# no heading

 a  b
 ────
 1  2

Roses are red
violets are <b>blue</b>

日本語のテキストはとても長いですから折
り返します。日本語のテキストはとても長
いです。"""


@contextmanager
def stream_on(rows: int, columns: int = 40, begun: str = "") -> Iterator[Stream]:
    """A stream to a terminal of that size, which is never too slow."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, rows.to_bytes(2, "little") + columns.to_bytes(2, "little") + bytes(4))  # fmt: skip
    try:
        with open(slave, "w", encoding="utf-8") as out:  # noqa: PTH123  # a descriptor
            yield Stream(out, now=lambda: 0.0, begun=begun)
    finally:
        os.close(master)


def screen(
    pieces: Iterable[str], rows: int, columns: int = 40, begun: str = ""
) -> list[str]:
    """All lines, also those that have left the screen; `begun` is there before."""
    emulator = pyte.HistoryScreen(columns, rows, history=1000, ratio=0.001)
    terminal = pyte.Stream(emulator)
    terminal.feed(begun)
    with stream_on(rows, columns, begun) as stream:
        for piece in pieces:
            terminal.feed(stream.feed(piece).replace("\n", "\r\n"))
        terminal.feed(stream.finish().replace("\n", "\r\n"))
    gone = ["".join(line[x].data for x in range(columns)) for line in emulator.history.top]  # fmt: skip
    return [line.rstrip() for line in [*gone, *emulator.display]]


def cut(text: str, seed: int) -> list[str]:
    """The text in pieces of one to seven characters."""
    chance, at, pieces = random.Random(seed), 0, []
    while at < len(text):
        pieces.append(text[at : (at := at + chance.randint(1, 7))])
    return pieces


def test_a_text_that_comes_at_once() -> None:
    assert "\n".join(screen([LETTER], 60)).rstrip() == SHOWN


@pytest.mark.parametrize("seed", range(8))
def test_a_text_that_comes_in_pieces(seed: int) -> None:
    assert "\n".join(screen(cut(LETTER, seed), 60)).rstrip() == SHOWN


@pytest.mark.parametrize(
    "text",
    [LETTER, "**Bold**", " words\nand more", "- one\n- two", "A `b`", "1. *a*\n\n2. b"],
)
def test_what_was_written_before_it_could_be_rendered(text: str) -> None:
    """It is as if it had not been."""
    line = text.partition("\n")[0]
    for length in range(1, len(line) + 1):
        shown = screen([text[length:]], 60, begun=text[:length])
        assert shown == screen([text], 60)


@pytest.mark.parametrize("seed", range(4))
def test_a_screen_smaller_than_the_text(seed: int) -> None:
    assert screen(cut(LETTER, seed), 6)[-3:] == SHOWN.split("\n")[-3:]


def test_plain_words_are_only_added_to() -> None:
    with stream_on(24) as stream:
        assert [stream.feed(text) for text in ("One", " two", " three.")] == ["One", " two", " three."]  # fmt: skip


def test_what_comes_too_fast_is_shown_later() -> None:
    clock = count()
    with stream_on(24) as stream:
        slow = Stream(stream._out, now=lambda: float(next(clock)))
        shown = [slow.feed(letter) for letter in "abcdefgh"]

        assert shown == ["a", "", "", "", "bcde", "", "", ""]
        assert slow.finish() == "fgh"


def test_an_answer_on_a_terminal(tmp_path: Path) -> None:
    text = "## Title\n\nA **bold** word."
    write_scripted(tmp_path / "writer.gguf", text)
    add_model(tmp_path / "models", "writer", tmp_path / "writer.gguf")
    with running_daemon(tmp_path) as daemon:
        host = daemon.address
        with terminal("run", "writer", "go", host=host) as shown:
            assert shown.wait() == 0
            assert shown.lines == ["Title", "", "A bold word."]
        with terminal("run", "writer", "go", "--plain", host=host) as shown:
            assert shown.wait() == 0
            assert shown.lines == text.split("\n")
        assert ollapy("run", "writer", "go", host=host).out == f"{text}\n"
        with terminal("run", "writer", host=host) as shown:
            shown.shows(">>>")
            shown.type("/set nomarkdown\rgo\r")
            shown.shows("A **bold** word.")
            shown.shows("tokens/s")
            shown.type(CTRL_D)
            assert shown.wait() == 0
