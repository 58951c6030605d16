"""Lines broken between words, read back from the screen of an emulator."""

from __future__ import annotations

import pyte
import pytest

from ollapy.cli.wrap import Wrap


def screen(text: str, *, columns: int, pieces: int = 1) -> list[str]:
    """What a terminal shows of a text that comes in pieces of so many characters."""
    emulator = pyte.Screen(columns, 40)
    stream, wrap = pyte.Stream(emulator), Wrap(columns)
    for begin in range(0, len(text), pieces):
        stream.feed(wrap.feed(text[begin : begin + pieces]).replace("\n", "\r\n"))
    return "\n".join(line.rstrip() for line in emulator.display).rstrip().split("\n")


@pytest.mark.parametrize("pieces", [1, 3, 1000])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one two three four five six", ["one two three four", "five six"]),
        ("one two three four twenty", ["one two three four", "twenty"]),
        ("exactly twenty chars here", ["exactly twenty chars", "here"]),
        ("one two incomprehensibilities", ["one two", "incomprehensibilitie", "s"]),
        ("a" * 27, ["a" * 20, "a" * 7]),
        ("one\n\ntwo", ["one", "", "two"]),
        ("字" * 12, ["字" * 10, "字" * 2]),
        ("abcdefgh 字字字字字字字", ["abcdefgh 字字字字字", "字字"]),
    ],
)
def test_lines(text: str, shown: list[str], pieces: int) -> None:
    assert screen(text, columns=25, pieces=pieces) == ["".join(line) for line in shown]


def test_code_is_left_alone() -> None:
    code = "print('a long line of code')"

    assert Wrap(20).feed(f"```py\n{code}\n```\n") == f"```py\n{code}\n```\n"
    assert Wrap(20).feed(code) != code


def test_a_terminal_of_no_width_to_speak_of() -> None:
    assert "".join(screen("some words", columns=4)) == "somewords"
