"""`ollapy run` with a prompt: the answer, and every way in which it does not come to its end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from scripts.make_gguf import write_embedder
from tests.support.cast import WILD, WILD_ON_A_TERMINAL, has_stopped
from tests.support.daemon import Daemon
from tests.support.models import add_model
from tests.support.terminal import (
    CTRL_C,
    REST_OF_A_WORD,
    Result,
    Terminal,
    command,
    environment,
    ollapy,
    terminal,
)
from tests.support.waiting import eventually

GREY, RESET = "\x1b[90m", "\x1b[0m"
ERASE = "\r\x1b[K"
LOST = "Error: lost the connection to ollapy at {}, it may have ended\n"


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (("What is the capital of France?",), ""),
        (("What", "is", "the", "capital", "of", "France?"), ""),
        ((), "What is the capital of France?\n"),
        (("What is the capital of France?", "--think"), ""),
    ],
    ids=["one word", "words", "piped", "thinking is not shown"],
)
def test_an_answer_is_all_that_a_pipe_gets(
    daemon: Daemon, words: tuple[str, ...], given: str
) -> None:
    result = ollapy("run", "tiny", *words, host=daemon.address, given=given)

    assert (result.status, result.err) == (0, "")
    assert "Paris" in result.out
    assert result.out.count("\n") == 1


def test_what_is_piped_in_comes_before_the_prompt(daemon: Daemon) -> None:
    """The counts show it: the same text, asked at once, has as many tokens."""
    asked = daemon.generate("Roses are red\nsay that again")
    words = ("run", "tiny", "say that again", "--think=false", "--verbose")

    result = ollapy(*words, host=daemon.address, given="Roses are red\n")

    assert f"prompt eval count:    {asked['prompt_eval_count']} token(s)" in result.err


def test_an_empty_prompt_only_loads(theatre: Daemon) -> None:
    words = ("run", "wild", "", "--keepalive", "72h")

    assert ollapy(*words, host=theatre.address) == Result(0, "", "")
    assert "2 days from now" in ollapy("ps", "wild", host=theatre.address).out


def test_verbose_figures_go_to_stderr(theatre: Daemon) -> None:
    result = ollapy("run", "thinker", "Why?", "--verbose", host=theatre.address)

    assert result.out == "Because.\n"
    labels = [line[:22].strip() for line in result.err.splitlines()]
    assert labels[0] == "total duration:"
    assert labels[-3:] == ["eval count:", "eval duration:", "eval rate:"]
    assert re.search(r"eval rate: {12}[0-9]+\.[0-9]{2} tokens/s\n", result.err)


def test_an_answer_that_is_cut_off_is_said_to_be(theatre: Daemon) -> None:
    assert ollapy("run", "brief", "go", host=theatre.address) == Result(
        0,
        "round \n",
        "Warning: the answer is cut off, it reached the limit of its length\n",
    )


def test_a_name_that_cannot_be_is_not_looked_for(daemon: Daemon) -> None:
    assert ollapy("run", "a/b/c/d", "hi", host=daemon.address) == Result(
        1, "", "Error: invalid model name: a/b/c/d\n"
    )


def answer_in(shown: Terminal) -> str:
    """What was sent once the spinner, if the answer let wait for it, was gone."""
    return shown.raw.rpartition(ERASE)[2].replace("\r\n", "\n")


def test_a_pipe_gets_the_text_as_it_is(theatre: Daemon) -> None:
    assert ollapy("run", "wild", "go", host=theatre.address).out == f"{WILD}\n"


def test_a_terminal_gets_it_harmless(theatre: Daemon) -> None:
    with terminal("run", "wild", "go", "--plain", host=theatre.address) as shown:
        assert shown.wait() == 0

    assert answer_in(shown) == f"{WILD_ON_A_TERMINAL}\n\n"


def test_an_encoding_without_the_character_gets_an_escape(theatre: Daemon) -> None:
    env = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}

    result = ollapy("run", "wild", "go", host=theatre.address, env=env)

    assert (result.status, result.err) == (0, "")
    assert result.out.endswith("tab \\U0001f600\n")


def test_a_pipe_without_an_end_is_not_read_to_it(daemon: Daemon) -> None:
    with Path("/dev/zero").open("rb") as endless:
        done = subprocess.run(
            command("run", "tiny", "hi"),
            stdin=endless,
            capture_output=True,
            env=environment(daemon.address),
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"more than 16,000,000 characters were piped in" in done.stderr


@pytest.mark.parametrize(
    ("words", "given", "sentence"),
    [
        (("caf\udce9",), b"", "the text of the request is not valid UTF-8"),
        ((), b"caf\xe9", "what was piped in is not utf-8 text"),
    ],
)
def test_bytes_that_are_no_text_are_an_error(
    daemon: Daemon, words: tuple[str, ...], given: bytes, sentence: str
) -> None:
    result = ollapy("run", "tiny", *words, host=daemon.address, given=given)

    assert result == Result(1, "", f"Error: {sentence}\n")


@pytest.mark.parametrize(
    ("env", "grey", "reset"),
    [({}, GREY, RESET), ({"NO_COLOR": "1"}, "", ""), ({"TERM": "dumb"}, "", "")],
    ids=["colour", "NO_COLOR", "dumb"],
)
def test_thinking_is_shown_on_a_terminal(
    theatre: Daemon, env: dict[str, str], grey: str, reset: str
) -> None:
    with terminal("run", "thinker", "Why?", host=theatre.address, **env) as shown:
        assert shown.wait() == 0

    assert answer_in(shown) == (
        f"{grey}Thinking...\nWhy would \\x1b[5mthat be?\n...done thinking.{reset}\n\n"
        "Because.\n\n"
    )


def test_hidethinking_hides_it(theatre: Daemon) -> None:
    words = ("run", "thinker", "Why?", "--hidethinking")
    with terminal(*words, host=theatre.address) as shown:
        assert shown.wait() == 0

    assert answer_in(shown) == "Because.\n\n"


def test_ctrl_c_ends_an_answer_and_the_work_on_it(theatre: Daemon) -> None:
    with terminal("run", "endless", "go", host=theatre.address) as shown:
        shown.expect("round and round")
        shown.type(CTRL_C)
        assert shown.wait() == 130

    assert re.search(rf"\^C{REST_OF_A_WORD}\n\Z", shown.text)
    eventually(lambda: has_stopped(theatre), "the daemon still generates")


def test_a_reader_that_leaves_ends_the_work(theatre: Daemon) -> None:
    with _piped("run", "endless", "go", host=theatre.address) as process:
        assert process.stdout
        assert process.stdout.read(20) == b"round and round and "
        process.stdout.close()
        assert process.wait(20) == 1
        assert process.stderr
        assert process.stderr.read() == b""

    eventually(lambda: has_stopped(theatre), "the daemon still generates")


def test_ctrl_c_while_the_prompt_is_read(daemon: Daemon) -> None:
    """Nothing is said about it, least of all where in the program it happened."""
    with _piped("run", "tiny", host=daemon.address, stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(bytes(2**20))  # more than a pipe holds, so it has read some
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_daemon_that_dies_is_one_line(own: Daemon) -> None:
    """On a terminal it is a line of its own, after what had come of the answer."""
    words = ("run", "endless", "go", "--nowordwrap")
    with (
        _piped(*words, host=own.address) as process,
        terminal(*words, host=own.address) as shown,
    ):
        shown.expect("round and round")
        assert process.stdout
        process.stdout.read(20)
        own.process.send_signal(signal.SIGKILL)
        _, err = process.communicate(timeout=20)

        assert (process.returncode, shown.wait()) == (1, 1)

    assert err.decode() == LOST.format(own.address)
    assert shown.text.endswith("\n" + LOST.format(own.address))
    assert shown.text.count("\n") == 2


def test_a_runner_that_dies_is_one_line(own: Daemon) -> None:
    words = ("run", "endless", "go", "--nowordwrap")
    with terminal(*words, host=own.address) as shown:
        shown.expect("round and round")
        own.runners[0].kill()
        assert shown.wait() == 1

    assert shown.text.count("\n") == 2
    assert "\nError: model runner has unexpectedly stopped" in shown.text


def _piped(
    *words: str, host: str, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(*words),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(host),
    )


def test_one_object_for_a_program(theatre: Daemon) -> None:
    result = ollapy("run", "thinker", "Why?", "--json", host=theatre.address)
    answer = json.loads(result.out)

    assert (answer["content"], answer["thinking"]) == (
        "Because.",
        "Why would \x1b[5mthat be?",
    )
    assert answer["eval_count"] > 0
    assert answer["total_duration"] > 0
    assert answer["context"]["limit"] == 4096


def test_options_and_system_reach_the_model(daemon: Daemon) -> None:
    words = ("--think=false", "-o", "num_predict=2", "--option", "temperature=0")
    asked = ("run", "tiny", "Hi", "--json", *words)
    plain = json.loads(ollapy(*asked, host=daemon.address).out)
    told = ollapy(*asked, "--system", "Be a pirate, and brief.", host=daemon.address)

    assert (plain["eval_count"], plain["done_reason"]) == (2, "length")
    assert json.loads(told.out)["prompt_eval_count"] > plain["prompt_eval_count"]


def test_an_answer_in_the_form_of_a_schema(daemon: Daemon, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(
        '{"type": "object", "properties": {"n": {"type": "boolean"}}, "required": ["n"]}'
    )
    words = ("run", "tiny", "Is it?", "--think=false", "--format", str(schema))

    assert isinstance(json.loads(ollapy(*words, host=daemon.address).out)["n"], bool)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--format", "nosuch"), "neither json nor a file"),
        (("--option", "warm"), "'warm' is not NAME=VALUE"),
        (("--option", "warm=1"), "unknown parameter 'warm'"),
        (("--option", "seed=x"), "invalid int value [x]"),
    ],
)
def test_mistakes_in_the_command_line(
    daemon: Daemon, words: tuple[str, ...], sentence: str
) -> None:
    result = ollapy("run", "tiny", "Hi", *words, host=daemon.address)

    assert (result.status, result.out) == (2, "")
    assert sentence in " ".join(result.err.split())


def test_lines_break_between_words(theatre: Daemon) -> None:
    words = ("run", "endless", "go", "--plain")
    with terminal(*words, host=theatre.address, columns=30) as shown:
        eventually(lambda: len(shown.lines) > 20, "no lines came")
        lines = shown.lines[:20]

    assert {word for line in lines for word in line.split()} == {"round", "and"}
    assert all(len(line) <= 25 for line in lines)


def test_an_embedding_model_prints_a_vector(own: Daemon, tmp_path: Path) -> None:
    write_embedder(tmp_path / "vectors.gguf")
    add_model(own.models, "vectors", tmp_path / "vectors.gguf")

    result = ollapy("run", "vectors", "one", host=own.address)
    short = ollapy("run", "vectors", "one", "--dimensions", "8", host=own.address)
    mute = ollapy("run", "vectors", host=own.address)

    assert (result.status, result.out.count("\n")) == (0, 1)
    assert len(json.loads(result.out)) == 64
    assert len(json.loads(short.out)) == 8
    assert (mute.status, mute.out) == (1, "")
    assert 'Usage: ollapy run vectors "your text here"' in mute.err
