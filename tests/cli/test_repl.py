"""The interactive session, typed at a real terminal and read from its screen."""

from __future__ import annotations

import base64
import json
import re
import signal
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.cast import has_stopped
from tests.support.daemon import Daemon
from tests.support.terminal import CTRL_C, CTRL_D, UP, Terminal, ollapy, terminal
from tests.support.waiting import eventually

PASTE, END_OF_PASTE = "\x1b[200~", "\x1b[201~"
CTRL_G, CTRL_J, CTRL_U = "\x07", "\n", "\x15"
READY = ">>> Send a message (/? for help)"
ROWS = 100  # nothing scrolls away


@pytest.fixture
def chat(daemon: Daemon) -> Iterator[Terminal]:
    """A session with tiny that waits for its first message."""
    with started("tiny", "--think=false", host=daemon.address) as session:
        session.shows(READY)
        yield session


def started(*words: str, host: str, **env: str) -> AbstractContextManager[Terminal]:
    return terminal("run", *words, host=host, rows=ROWS, **env)


def prompts(session: Terminal) -> list[int]:
    """The rows where entries begin."""
    return [y for y, line in enumerate(session.lines) if line.startswith(">>>")]


def ask(session: Terminal, entry: str, *, enter: str = "\r") -> list[str]:
    """Type an entry, and give back the lines that are shown up to the next prompt."""
    session.shows(READY)
    before = len(prompts(session))
    session.type(entry + enter)

    def is_answered() -> bool:
        rows = prompts(session)
        return len(rows) > before and session.lines[rows[-1]] == READY

    eventually(is_answered, f"no answer: {session!r}")
    *_, asked, end = prompts(session)
    lines = session.lines[asked + 1 : end]
    return [line for line in lines if not line.startswith("... ")]


def num_prompt(shown: list[str]) -> int:
    return int(
        next(line for line in shown if line.startswith("prompt eval count:")).split()[3]
    )


def test_a_conversation_is_remembered_until_it_is_cleared(daemon: Daemon) -> None:
    """The prompt grows by what was said, shrinks as it is undone, and begins anew after /clear."""
    with started("tiny", "--verbose", host=daemon.address) as session:
        first, second = num_prompt(ask(session, "Hi")), num_prompt(ask(session, "Hi"))
        assert ask(session, "/undo") == ["Forgot: Hi"]
        undone, retried = (
            num_prompt(ask(session, "Hi")),
            num_prompt(ask(session, "/retry")),
        )
        assert ask(session, "/clear") == ["Cleared session context"]
        cleared = num_prompt(ask(session, "Hi"))

    assert second > first
    assert (undone, retried, cleared) == (second, second, first)


def test_an_answer_ends_with_a_blank_line_and_the_bottom_line_counts(
    chat: Terminal,
) -> None:
    *answer, blank = ask(chat, "What is the capital of France?")

    assert "Paris" in answer[0]
    assert blank == ""
    chat.shows("tokens/s")
    assert re.fullmatch(
        r"tiny  ·  context \d+ / \d+  ·  [\d.]+ tokens/s", chat.lines[-1]
    )


def test_thinking_is_grey(theatre: Daemon) -> None:
    with started("thinker", host=theatre.address) as session:
        ask(session, "Why?")

        assert (
            "\x1b[90mThinking...\r\nWhy would \\x1b[5mthat be?\r\n...done thinking.\x1b[0m\r\n\r\nBecause.\r\n\r\n"
            in session.raw
        )


@pytest.mark.parametrize("keys", ["/bye\r", " /exit \r", CTRL_D])
def test_leaving(chat: Terminal, keys: str) -> None:
    chat.type(keys)

    assert chat.wait() == 0


def test_help_names_the_commands(chat: Terminal) -> None:
    shown = ask(chat, "/?")

    assert ask(chat, "/help") == shown
    for name in ("/clear", "/bye", "/?", '"""', "Ctrl-C", "/retry", "/set", "/show"):
        assert name in "\n".join(shown)
    assert "Ctrl-G" in "\n".join(ask(chat, "/? shortcuts"))
    assert ask(chat, "/? set")[0].startswith("  /set parameter NAME VALUE")


def test_commands_that_there_are_not(chat: Terminal) -> None:
    assert ask(chat, "/claer") == [
        "Unknown command '/claer'. Did you mean /clear? Type /? for help"
    ]
    assert ask(chat, "/set zzzz y") == ["Unknown command '/set zzzz'. Type /? for help"]
    assert ask(chat, "/undo") == ["There is no answer yet."]
    assert ask(chat, "  ") == []


def test_what_is_set_reaches_the_model(theatre: Daemon, tmp_path: Path) -> None:
    """And a model that is saved has it."""
    wide = 250  # a path of any length stays on its line
    with terminal(
        "run", "endless", host=theatre.address, rows=ROWS, columns=wide
    ) as session:
        assert ask(session, "/set parameter num_predict 3") == [
            "Set parameter 'num_predict' to '3'"
        ]
        assert ask(session, "/set parameter num_predict x") == [
            'Couldn\'t set parameter: "invalid int value [x]"'
        ]
        assert ask(session, "/system Be brief.") == ["Set system message."]
        assert ask(session, "/set think")[0] == (
            'warning: model "endless" does not support thinking output'
        )
        ask(session, "/set nothink")
        assert ask(session, "go") == [
            "round",
            "",
            "Warning: the answer is cut off, it reached the limit of its length",
        ]
        assert ask(session, "/show system") == ["Be brief."]
        assert ask(session, "/show parameters")[-2:] == [
            "User defined parameters:",
            "  num_predict    3",
        ]
        assert ask(session, f"/export {tmp_path}/said.md")[0].startswith("Wrote ")
        assert ask(session, f"/export {tmp_path}/said.md")[0].startswith(
            "Error: could not write"
        )
        assert ask(session, "/save a/b/c/d") == [
            "error: The model name 'a/b/c/d' is invalid"
        ]
        assert ask(session, "/save saved") == ["Created new model 'saved'"]
        assert ask(session, "/load nosuch")[-1] == "Couldn't find model 'nosuch'"
        session.type("/load saved\r")
        session.shows("Loading model 'saved'\n>>> go\n\nround\n\n" + READY)
        shown = theatre.post("/api/show", model="saved").json()

    assert (tmp_path / "said.md").read_text() == (
        "# endless\n\n## System\n\nBe brief.\n\n## User\n\ngo\n\n## Assistant\n\nround\n"
    )
    assert shown["system"] == "Be brief."
    assert shown["parameters"].split() == ["num_predict", "3"]
    assert [m["content"] for m in shown["messages"]] == ["go", "round "]
    theatre.delete("saved")


def test_what_is_shown_is_what_the_command_line_shows(
    daemon: Daemon, chat: Terminal
) -> None:
    shown = ollapy("show", "tiny", host=daemon.address).out
    listed = ollapy("list", host=daemon.address).out

    assert "\n".join(ask(chat, "/show info")).strip() == shown.strip()
    assert ask(chat, "/list ti")[0] == listed.split("\n")[0]
    assert [line.split() for line in ask(chat, "/list nosuch")] == [
        ["NAME", "ID", "SIZE", "MODIFIED"]
    ]


def test_a_retry_that_is_refused_leaves_the_answer(theatre: Daemon) -> None:
    with started("thinker", host=theatre.address) as session:
        ask(session, "/load brief")
        ask(session, "go")
        ask(session, "/set think")
        refused = ask(session, "/retry")

        assert refused == ['Error: "brief" does not support thinking']
        assert ask(session, "/undo") == ["Forgot: go"]


def test_copy_goes_through_the_terminal(theatre: Daemon) -> None:
    with started("thinker", host=theatre.address) as session:
        ask(session, "Why?")
        ask(session, "/copy")

        assert f"\x1b]52;c;{base64.b64encode(b'Because.').decode()}\x07" in session.raw


def test_tab_completes_commands_parameters_and_models(chat: Terminal) -> None:
    for begun, whole in (
        ("/set par\tnum_pr\t", ">>> /set parameter num_predict"),
        ("/load ti\t", ">>> /load tiny:latest"),
        ("\tx", ">>>         x"),
    ):
        chat.type(begun)
        chat.shows(whole)
        chat.type(CTRL_U)
        chat.shows(READY)


@pytest.mark.parametrize(
    "keys",
    [
        '"""What is the capital\rof France?"""',
        '"""\rWhat is the capital\rof France?\r"""',
        f"{PASTE}What is the capital\nof France?{END_OF_PASTE}",
        f"What is the capital{CTRL_J}of France?",
    ],
    ids=["on its lines", "on their own", "pasted", "Ctrl-J"],
)
def test_a_message_of_several_lines(daemon: Daemon, keys: str) -> None:
    """It is one message: a prompt as long as that of the same text at once."""
    expected = daemon.generate("What is the capital\nof France?")["prompt_eval_count"]

    words = ("tiny", "--think=false", "--verbose")
    with started(*words, host=daemon.address) as session:
        assert num_prompt(ask(session, keys)) == expected


def test_a_command_within_quotes_is_a_message(chat: Terminal) -> None:
    assert "Unknown command" not in "".join(ask(chat, '"""/nope"""'))


def test_ctrl_c_at_the_prompt(chat: Terminal) -> None:
    """It drops what was typed; where there is nothing it says how to leave."""
    chat.shows(READY)
    chat.type('"""never\rsent')
    chat.shows("... sent")
    chat.type(CTRL_C)
    chat.shows(READY)

    assert ask(chat, CTRL_C, enter="") == ["Use Ctrl + d or /bye to exit."]


def test_ctrl_g_writes_the_message_in_an_editor(daemon: Daemon, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "/nope" > "$1"\n')
    editor.chmod(0o700)

    with started("tiny", host=daemon.address, OLLAPY_EDITOR=str(editor)) as session:
        session.shows(READY)
        session.type(f"draft{CTRL_G}")
        session.shows(">>> /nope")
        session.type("\r")
        session.shows("Unknown command '/nope'")


def test_an_editor_that_is_not_there_leaves_the_message(daemon: Daemon) -> None:
    with started("tiny", host=daemon.address, OLLAPY_EDITOR="/nowhere") as session:
        session.shows(READY)
        session.type(f"draft{CTRL_G}")
        session.shows("Error: /nowhere: Editing failed")
        session.shows(">>> draft")
        assert "Traceback" not in session.raw


def test_what_cannot_be_remembered_is_said_once_and_on_a_line_of_its_own(
    daemon: Daemon,
) -> None:
    env = {"XDG_STATE_HOME": "/dev/null", "OLLAPY_NOHISTORY": ""}
    with started("tiny", host=daemon.address, **env) as session:
        first, second = ask(session, "/nope"), ask(session, "/nope")

    assert first == [
        "Warning: what you type is not remembered: /dev/null/ollapy/history: Not a direct",
        "ory",
        *second,
    ]


def test_told_to_end_it_leaves_the_terminal_as_it_was(chat: Terminal) -> None:
    chat.process.send_signal(signal.SIGTERM)

    assert chat.wait() == 128 + signal.SIGTERM
    assert chat.raw.rindex("\x1b[?2004l") > chat.raw.rindex("\x1b[?2004h")
    assert chat.echoes


def test_told_to_end_in_a_thought_it_leaves_the_colour(theatre: Daemon) -> None:
    with started("thinker", host=theatre.address) as session:
        session.shows(READY)
        session.type("Why?\r")
        session.expect("Thinking...")
        session.process.send_signal(signal.SIGTERM)

        assert session.wait() == 128 + signal.SIGTERM
        assert session.raw.rindex("\x1b[0m") > session.raw.rindex("\x1b[90m")


def test_a_model_to_talk_to_that_is_nearly_one_that_is_here(chat: Terminal) -> None:
    assert ask(chat, "/load tinny")[-1] == "Couldn't find model 'tinny', did you mean 'tiny'?"  # fmt: skip


def test_what_was_typed_is_remembered_and_private(
    daemon: Daemon, tmp_path: Path
) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path), "OLLAPY_NOHISTORY": ""}
    with started("tiny", host=daemon.address, **env) as session:
        ask(session, "/nope")
        ask(session, "/set nohistory")
        ask(session, "/secret")
        session.type(CTRL_D)
        session.wait()
    history = tmp_path / "ollapy" / "history"

    assert [json.loads(x) for x in history.read_text().splitlines()] == [
        "/nope",
        "/set nohistory",
    ]
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    with started("tiny", host=daemon.address, **env) as session:
        session.shows(READY)
        session.type(f"{UP}{UP}")
        session.shows(">>> /nope")


def test_ctrl_c_stops_an_answer_and_keeps_what_came(
    theatre: Daemon, tmp_path: Path
) -> None:
    with started("endless", host=theatre.address) as session:
        session.shows(READY)
        session.type("go\r")
        session.shows("round and round")
        session.type(CTRL_C)
        session.shows(READY)
        eventually(lambda: has_stopped(theatre), "the daemon still generates")
        ask(session, f"/export {tmp_path}/said.md")
        session.type("/bye\r")

        assert session.wait() == 0

    assert "## Assistant\n\nround and round" in (tmp_path / "said.md").read_text()


def test_a_runner_that_dies_does_not_end_the_session(own: Daemon) -> None:
    """The next message gets a fresh runner."""
    with started("endless", host=own.address) as session:
        session.shows(READY)
        session.type("go\r")
        session.shows("round and round")
        own.runners[0].kill()
        session.shows("Error: model runner has unexpectedly stopped")
        session.shows(READY)
        session.type("again\r")
        eventually(
            lambda: repr(session).rpartition(">>> again")[2].count("round") > 1,
            "no second answer",
        )


def test_a_daemon_that_dies_ends_the_session_with_one_line(own: Daemon) -> None:
    with started("tiny", host=own.address) as session:
        session.shows(READY)
        own.process.send_signal(signal.SIGKILL)
        own.process.wait()
        session.type("Hi\r")

        assert session.wait() == 1
        asked = session.lines.index(">>> Hi")
        assert session.lines[asked + 1].startswith("Error: ")
        assert "Traceback" not in session.raw


def test_what_no_longer_fits_is_said_before_the_answer(theatre: Daemon) -> None:
    with started("forgetful", host=theatre.address) as session:
        answers = [ask(session, "Are you there?") for _ in range(2)]

    assert answers == [
        ["Yes.", ""],
        [
            "Warning: the 2 oldest messages were left out, the context holds 64 tokens",
            "Yes.",
            "",
        ],
    ]


def test_a_narrow_terminal(theatre: Daemon) -> None:
    """Lines break between words, wide characters count, and the prompt still works."""
    words = ("run", "wild", "--hidethinking", "--plain")
    with terminal(*words, host=theatre.address, columns=20) as session:
        session.shows(">>> Send a message")
        session.type("字字字字字字\r")
        session.shows("\U0001f600")
        eventually(lambda: len(prompts(session)) > 1, "no prompt after the answer")
        shown = session.lines
        session.shows(">>> Send a message")  # before it, the key is the terminal's own
        session.type(CTRL_D)

        assert session.wait() == 0

    assert shown[0] == ">>> 字字字字字字"
    assert shown[1:5] == [
        "plain",
        "\\x1b[31mred\\x1b",
        "[0m \\x07bell",
        "\\u202eright to",
    ]


def test_a_dumb_terminal(theatre: Daemon) -> None:
    with started("thinker", host=theatre.address, TERM="dumb") as session:
        session.shows(">>>")
        session.type("Why?\r")
        session.shows("Because.")
        session.type(CTRL_D)

        assert session.wait() == 0
        assert "\x1b[" not in session.raw.replace("\\x1b[5m", "")
