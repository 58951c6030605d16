"""The interactive session, typed at a real terminal."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import pytest

from tests.support.cast import has_stopped
from tests.support.daemon import Daemon
from tests.support.terminal import (
    CTRL_C,
    CTRL_D,
    REST_OF_A_WORD,
    UP,
    Terminal,
    terminal,
)
from tests.support.waiting import eventually

PROMPT = ">>> "
PASTE, END_OF_PASTE = "\x1b[200~", "\x1b[201~"


@pytest.fixture
def chat(daemon: Daemon) -> Iterator[Terminal]:
    """A session with tiny that waits for its first message."""
    with terminal("run", "tiny", "--think=false", host=daemon.address) as session:
        session.expect(f"Send a message (/? for help)\n{PROMPT}")
        yield session


def ask(session: Terminal, *lines: str) -> str:
    """Type lines, and give back what is shown up to the next prompt."""
    for line in lines[:-1]:
        session.type(f"{line}\r")
        session.expect("... ")
    session.type(f"{lines[-1]}\r")
    session.expect(f"{lines[-1]}\n")
    return session.expect(PROMPT).removesuffix(PROMPT)


def test_a_conversation_is_remembered_until_it_is_cleared(daemon: Daemon) -> None:
    """The prompt grows by what was said, and after /clear it is as long as the first one was."""
    with terminal("run", "tiny", "--verbose", host=daemon.address) as session:
        session.expect(PROMPT)
        first, second = _num_prompt(ask(session, "Hi")), _num_prompt(ask(session, "Hi"))
        assert ask(session, "/clear") == "Cleared session context\n"
        third = _num_prompt(ask(session, "Hi"))

    assert second > first
    assert third == first


def _num_prompt(shown: str) -> int:
    return int(shown.partition("prompt eval count:")[2].split()[0])


def test_an_answer_ends_with_a_blank_line(chat: Terminal) -> None:
    answer = ask(chat, "What is the capital of France?")

    assert "Paris" in answer
    assert answer.endswith("\n\n")


def test_thinking_is_grey(theatre: Daemon) -> None:
    with terminal("run", "thinker", host=theatre.address) as session:
        session.expect(PROMPT)
        answer = ask(session, "Why?")

    assert answer == (
        "\x1b[90mThinking...\nWhy would \\x1b[5mthat be?\n...done thinking.\x1b[0m\n\n"
        "Because.\n\n"
    )


@pytest.mark.parametrize("command", ["/bye", " /exit "])
def test_bye_ends_the_session(chat: Terminal, command: str) -> None:
    chat.type(f"{command}\r")

    assert chat.wait() == 0
    assert chat.text.endswith(f"{command}\n")


def test_ctrl_d_ends_the_session(chat: Terminal) -> None:
    chat.type(CTRL_D)

    assert chat.wait() == 0
    assert chat.text.endswith(f"{PROMPT}\n")


def test_help_names_the_commands(chat: Terminal) -> None:
    shown = ask(chat, "/?")

    assert ask(chat, "/help") == shown
    assert all(name in shown for name in ("/clear", "/bye", "/?", '"""', "Ctrl-C"))


def test_an_unknown_command_is_not_sent_to_the_model(chat: Terminal) -> None:
    assert ask(chat, "/set x y") == "Unknown command '/set'. Type /? for help\n"


def test_an_empty_line_asks_again(chat: Terminal) -> None:
    assert ask(chat, "  ") == ""


@pytest.mark.parametrize(
    "lines",
    [
        ['"""What is the capital', 'of France?"""'],
        ['"""', "What is the capital", "of France?", '"""'],
        ['"""What is the capital of France?"""'],
        [f"{PASTE}What is the capital\nof France?{END_OF_PASTE}"],
    ],
    ids=["on its lines", "on their own", "on one line", "pasted"],
)
def test_a_message_of_several_lines(daemon: Daemon, lines: list[str]) -> None:
    """It is one message: a prompt as long as that of the same text at once."""
    separator = " " if len(lines) == 1 and "\n" not in lines[0] else "\n"
    text = f"What is the capital{separator}of France?"
    expected = daemon.generate(text)["prompt_eval_count"]

    words = ("run", "tiny", "--think=false", "--verbose")
    with terminal(*words, host=daemon.address) as session:
        session.expect(PROMPT)
        for line in lines:
            session.type(f"{line}\r")
        shown = session.expect(f"\n{PROMPT}")

    assert _num_prompt(shown) == expected


def test_a_command_within_quotes_is_a_message(chat: Terminal) -> None:
    assert "Unknown command" not in ask(chat, '"""/nope"""')


def test_the_arrow_brings_the_last_line_back(chat: Terminal) -> None:
    ask(chat, "/nope")
    chat.type(f"{UP}\r")

    assert "Unknown command '/nope'" in chat.expect(PROMPT)


def test_ctrl_c_at_the_prompt_says_how_to_leave(chat: Terminal) -> None:
    chat.type(f"never sent{CTRL_C}")
    chat.expect(f"\nUse Ctrl + d or /bye to exit.\n{PROMPT}")

    assert ask(chat, "/clear") == "Cleared session context\n"


def test_ctrl_c_drops_a_message_of_several_lines(chat: Terminal) -> None:
    chat.type('"""one\r')
    chat.expect("... ")
    chat.type(CTRL_C)

    chat.expect(f"\nUse Ctrl + d or /bye to exit.\n{PROMPT}")


def test_ctrl_c_stops_an_answer_and_keeps_the_session(theatre: Daemon) -> None:
    with terminal("run", "endless", host=theatre.address) as session:
        session.expect(PROMPT)
        session.type("go\r")
        session.expect("round and round")
        session.type(CTRL_C)
        session.expect("^C")
        assert re.fullmatch(rf"{REST_OF_A_WORD}\n\n{PROMPT}", session.expect(PROMPT))
        eventually(lambda: has_stopped(theatre), "the daemon still generates")
        session.type("/bye\r")

        assert session.wait() == 0


def test_a_runner_that_dies_does_not_end_the_session(own: Daemon) -> None:
    """The next message gets a fresh runner."""
    with terminal("run", "endless", host=own.address) as session:
        session.expect(PROMPT)
        session.type("go\r")
        session.expect("round and round")
        own.runners[0].kill()
        session.expect("\nError: model runner has unexpectedly stopped")
        session.expect(PROMPT)
        session.type("go\r")
        session.expect("round and round")


def test_a_daemon_that_dies_ends_the_session_with_one_line(own: Daemon) -> None:
    with terminal("run", "tiny", host=own.address) as session:
        session.expect(PROMPT)
        own.process.send_signal(signal.SIGKILL)
        own.process.wait()
        session.type("Hi\r")

        assert session.wait() == 1

    error = session.text.partition("Hi\n")[2]
    assert error.startswith("Error: ")
    assert error.count("\n") == 1


def test_what_no_longer_fits_is_said(theatre: Daemon) -> None:
    with terminal("run", "forgetful", host=theatre.address) as session:
        session.expect(PROMPT)
        answers = [ask(session, "Are you there?") for _ in range(2)]

    assert answers == [
        "Yes.\n\n",
        "Yes.\n\n"
        "Warning: the 2 oldest messages were left out, the context holds 64 tokens\n",
    ]
