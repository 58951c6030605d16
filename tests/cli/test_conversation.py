"""A conversation, its commands and its history, without a terminal."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ollapy.api.ollama import Message
from ollapy.cli.repl import Conversation
from ollapy.cli.repl.command import find, unknown
from ollapy.cli.repl.entry import is_unfinished, message
from ollapy.cli.repl.history import EntryHistory
from ollapy.cli.repl.set_commands import SET_COMMANDS
from ollapy.cli.repl.show_commands import SHOW_COMMANDS
from ollapy.cli.repl.talk_commands import TALK_COMMANDS

COMMANDS = (*TALK_COMMANDS, *SHOW_COMMANDS, *SET_COMMANDS)


def test_a_question_comes_after_what_was_said() -> None:
    talk = Conversation("m", system="Be brief.", options={"seed": 1})
    talk.keep(Message("user", "Hi"), "Hello.")
    asked = talk.asking(Message("user", "Why?"))

    assert [(m.role, m.content) for m in asked.messages or []] == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "Why?"),
    ]
    assert asked.options == {"seed": 1}
    assert talk.loading().messages is None


def test_undo_takes_the_last_exchange_back() -> None:
    talk = Conversation("m")
    talk.keep(Message("user", "one"), "1")
    talk.keep(Message("user", "two"), "2")

    assert (talk.undo(), talk.answer) == (Message("user", "two"), "1")
    assert (talk.undo(), talk.answer) == (Message("user", "one"), "")
    assert talk.undo() is None


def test_what_is_saved_has_what_the_model_had() -> None:
    talk = Conversation("m", options={"seed": 1})
    talk.keep(Message("user", "one"), "1")
    saved = talk.saving("n", [Message("user", "zero"), Message("assistant", "0")])

    assert (saved.model, saved.from_, saved.system) == ("n", "m", None)
    assert [m.content for m in saved.messages or []] == ["zero", "0", "one", "1"]
    assert saved.parameters == {"seed": 1}


@pytest.mark.parametrize(
    ("entry", "name", "rest"),
    [
        ("/set parameter  stop a b", "/set parameter", "stop a b"),
        ("/set   verbose", "/set verbose", ""),
        ("/exit", "/bye", ""),
        ("/help set", "/?", "set"),
        ('/set system """a\n b"""', "/set system", '"""a\n b"""'),
        ("  /clear  ", "/clear", ""),
    ],
)
def test_an_entry_finds_its_command(entry: str, name: str, rest: str) -> None:
    found = find(COMMANDS, entry)

    assert found
    assert (found[0].name, found[1]) == (name, rest)


def test_names_are_told_apart() -> None:
    names = [name for c in COMMANDS for name in (c.name, *c.also)]

    assert len(names) == len({*names})
    assert "/set parameter NAME VALUE" in unknown(COMMANDS, "/set")


@pytest.mark.parametrize(
    ("entry", "is_open", "said"),
    [
        ("one line", False, "one line"),
        ('"""', True, ""),
        ('"""one\ntwo', True, "one\ntwo"),
        ('"""one\ntwo"""', False, "one\ntwo"),
        ('say """ this', False, 'say """ this'),
    ],
)
def test_several_lines(entry: str, is_open: bool, said: str) -> None:
    assert (is_unfinished(entry), message(entry)) == (is_open, said)
    assert is_unfinished(f"/set system {entry}") == is_open


def test_a_system_message_of_several_lines() -> None:
    assert is_unfinished('/set system """one')
    assert is_unfinished('/system """one')
    assert not is_unfinished('/export """one')


def test_a_history_keeps_its_end_and_its_mode(tmp_path: Path) -> None:
    """Of one that has grown long the last thousand, and a line that was cut harms no other."""
    path = tmp_path / "state" / "history"
    history = EntryHistory(path, is_kept=True)
    for i in range(2001):
        history.store_string(f"entry\n{i}")
    with path.open("ab") as file:
        file.write(b'"half a li')
    path.chmod(0o644)

    loaded = [*EntryHistory(path, is_kept=True).load_history_strings()]

    assert loaded == [f"entry\n{i}" for i in range(2000, 1001, -1)]
    assert [p.name for p in path.parent.iterdir()] == ["history"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_history_that_cannot_be_written_says_so_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    history = EntryHistory(tmp_path / "file" / "history", is_kept=True)
    history.store_string("one")
    told = history.take_problem()
    history.store_string("two")

    assert "is not remembered" in told
    assert history.take_problem() == ""
