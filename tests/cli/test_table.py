"""Tables are as wide as the terminal has room for."""

from __future__ import annotations

from ollapy.cli.table import columns, fitted, hanging
from tests.support.daemon import Daemon
from tests.support.terminal import terminal

HEADER = ("NAME", "SIZE", "SUMMARY")
ROWS = [
    ("mistral:7b", "4.3 GB", "a quick all-rounder with tools"),
    ("漢字", "5 GB", "short"),
]


def test_columns_count_the_cells_of_the_terminal() -> None:
    assert columns(ROWS) == [
        "mistral:7b    4.3 GB    a quick all-rounder with tools",
        "漢字          5 GB      short",
    ]


def test_gaps_are_the_first_to_shrink() -> None:
    assert fitted(HEADER, ROWS, 54)[1] == columns([HEADER, *ROWS])[1]
    assert fitted(HEADER, ROWS, 53)[1:] == [
        "mistral:7b  4.3 GB  a quick all-rounder with tools",
        "漢字        5 GB    short",
    ]


def test_then_the_last_column_is_broken_between_words() -> None:
    assert fitted(HEADER, ROWS, 44) == [
        "NAME        SIZE    SUMMARY",
        "mistral:7b  4.3 GB  a quick all-rounder with",
        "                    tools",
        "漢字        5 GB    short",
    ]


def test_then_a_row_is_a_paragraph() -> None:
    assert fitted(HEADER, ROWS, 20) == [
        "NAME     mistral:7b",
        "SIZE     4.3 GB",
        "SUMMARY  a quick all-rounder with tools",
        "",
        "NAME     漢字",
        "SIZE     5 GB",
        "SUMMARY  short",
    ]


def test_no_rows() -> None:
    assert fitted(HEADER, [], 80) == ["NAME    SIZE    SUMMARY"]
    assert fitted(HEADER, [], 10) == ["NAME  SIZE  SUMMARY"]


def test_a_text_hangs_behind_what_it_is_about() -> None:
    text = "one two three four five six seven"

    assert hanging("ok   ", text, 80) == [f"ok   {text}"]
    assert hanging("ok   ", text, 29) == [
        "ok   one two three four five",
        "     six seven",
    ]
    assert hanging("ok   ", text, 20) == [
        "ok",
        "  one two three four",
        "  five six seven",
    ]
    assert hanging("ok   ", "", 80) == ["ok"]


def test_a_narrow_terminal_and_a_wide_one(daemon: Daemon) -> None:
    for room, first in ((20, "NAME      tiny:latest"), (80, "NAME           ID")):
        with terminal("list", host=daemon.address, columns=room) as shown:
            assert shown.wait() == 0
            assert "".join(shown.lines).startswith(first)
