"""What the short commands print, and how they end."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from ollapy import __version__
from tests.support.daemon import Daemon
from tests.support.strangers import free_address, http_server, mute_listener
from tests.support.terminal import Result, command, environment, ollapy, terminal

HEADER = "NAME           ID              SIZE      MODIFIED\n"
ROW = r"tiny:latest    [0-9a-f]{12}    3\.8 MB    \S.* ago\n"
SHOWN = """\
  Model
    architecture        llama
    parameters          3.54M
    context length      4096
    embedding length    256
    quantization        Q8_0
    template            in the weights

  Capabilities
    completion
    tools
    thinking
    insert
"""


@pytest.mark.parametrize("words", [("list",), ("ls",), ("list", "TI")])
def test_list_shows_the_models(daemon: Daemon, words: tuple[str, ...]) -> None:
    result = ollapy(*words, host=daemon.address)

    assert (result.status, result.err) == (0, "")
    assert re.fullmatch(re.escape(HEADER) + ROW, result.out), result.out


def test_list_shows_no_other_names(daemon: Daemon) -> None:
    result = ollapy("list", "mistral", host=daemon.address)

    assert result == Result(0, "NAME    ID    SIZE    MODIFIED\n", "")


def test_show_says_what_a_model_is(daemon: Daemon) -> None:
    assert ollapy("show", "tiny", host=daemon.address) == Result(0, SHOWN, "")


def test_show_verbose_keeps_every_entry_on_its_line(daemon: Daemon) -> None:
    shown = ollapy("show", "-v", "tiny", host=daemon.address).out

    assert "    tokenizer.ggml.token_type                 [3, 3, 3" in shown
    assert "    token_embd.weight           Q8_0    [256, 2048]\n" in shown
    assert "<|fim_middle|>, <think>, </think>, ... +2040 more]\n" in shown
    assert max(map(len, shown.splitlines())) < 200


@pytest.mark.parametrize("part", ["template", "modelfile", "system"])
def test_show_prints_one_part_as_it_is(daemon: Daemon, part: str) -> None:
    expected = daemon.post("/api/show", model="tiny").json().get(part, "")

    result = ollapy("show", f"--{part}", "tiny", host=daemon.address)

    assert result == Result(0, f"{expected}\n", "")


@pytest.mark.parametrize(
    ("words", "path"), [(("list", "tiny"), "/api/tags"), (("ps",), "/api/ps")]
)
def test_json_is_the_answer_of_the_api(
    own: Daemon, words: tuple[str, ...], path: str
) -> None:
    own.generate("Hi", keep_alive=-1)
    answer = own.http.get(path).json()
    answer["models"] = [m for m in answer["models"] if m["name"] == "tiny:latest"]

    result = ollapy(*words, "--json", host=own.address)

    assert (result.status, result.err) == (0, "")
    assert json.loads(result.out) == answer


def test_show_json_is_everything_about_a_model(daemon: Daemon) -> None:
    result = ollapy("show", "tiny", "--json", host=daemon.address)

    assert json.loads(result.out) == daemon.post("/api/show", model="tiny").json()


def test_copy_and_remove(daemon: Daemon) -> None:
    copied = ollapy("cp", "tiny", "twin", host=daemon.address)
    listed = ollapy("list", "twin", host=daemon.address).out
    removed = ollapy("rm", "nobody", "twin", "tiny", host=daemon.address)

    assert copied == Result(0, "copied 'tiny' to 'twin'\n", "")
    assert "twin:latest" in listed
    assert removed == Result(
        1,
        "deleted 'twin'\n",
        "Error: model 'nobody' not found, see `ollapy list`\n"
        "Error: model 'tiny:latest' is built in and cannot be removed\n",
    )


def test_ps_and_stop(own: Daemon) -> None:
    empty = Result(0, "NAME    ID    SIZE    PROCESSOR    CONTEXT    UNTIL\n", "")
    assert ollapy("ps", host=own.address) == empty

    own.generate("Hi")
    loaded = ollapy("ps", "TINY", host=own.address)
    assert re.search(
        r"\ntiny:latest +[0-9a-f]{12} +[0-9]+ MB +\S.*\S +4096 +4 minutes from now\n",
        loaded.out,
    )

    stopped = ollapy("stop", "nobody", "tiny", host=own.address)
    assert stopped == Result(
        1, "", 'Error: couldn\'t find model "nobody" to stop, see `ollapy list`\n'
    )
    assert ollapy("ps", host=own.address) == empty


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "nobody"), "model 'nobody:latest' not found, see `ollapy list`"),
        (("cp", "nobody", "x"), 'model "nobody" not found, see `ollapy list`'),
        (("show", "a\x1b[31m\nb"), "invalid model name"),
        (("show", "caf\udce9"), "the text of the request is not valid UTF-8"),
        (("rm", "a\x1b[31m"), 'name "a\\x1b[31m" is invalid'),
    ],
)
def test_an_error_is_one_sentence(
    daemon: Daemon, words: tuple[str, ...], sentence: str
) -> None:
    assert ollapy(*words, host=daemon.address) == Result(1, "", f"Error: {sentence}\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nope",), "No such command 'nope'."),
        (("run", "tiny", "hi", "--think=x"), "Invalid value for --think: 'x' is not"),
        (("run", "tiny", "hi", "--keepalive=5"), "'5' is not a duration such as 5m"),
        (("show", "--system", "--license", "tiny"), "only one of"),
        (("stop",), "name models or use --all"),
        (("stop", "--all", "tiny"), "name models or use --all"),
        (("cp", "tiny"), "Missing argument"),
    ],
)
def test_a_mistake_in_the_command_line_is_status_2(
    words: tuple[str, ...], sentence: str
) -> None:
    result = ollapy(*words, host=free_address())

    assert (result.status, result.out) == (2, "")
    assert sentence in result.err


def test_help_of_a_command() -> None:
    assert ollapy("help", "cp", host=free_address()) == ollapy(
        "cp", "--help", host=free_address()
    )


@pytest.mark.parametrize("words", [(), ("-h",), ("help",)])
def test_help_names_every_command(words: tuple[str, ...]) -> None:
    result = ollapy(*words, host=free_address())

    assert (result.status, result.err) == (0, "")
    assert "..." not in result.out.partition("Commands:")[2]  # whole sentences
    commands = re.findall(r"^  ([a-z]+)  ", result.out, re.MULTILINE)
    assert commands == [
        "serve",
        "run",
        "pull",
        "push",
        "search",
        "list",
        "ps",
        "top",
        "show",
        "create",
        "import",
        "stop",
        "cp",
        "rm",
        "du",
        "prune",
        "verify",
        "bench",
        "why",
        "doctor",
        "config",
        "service",
        "key",
    ]


def test_version_is_that_of_program_and_daemon(daemon: Daemon) -> None:
    own = Result(0, f"ollapy {__version__}\n", "")

    assert ollapy("--version", host=daemon.address) == own
    assert ollapy("-v", host=free_address()) == own


def test_version_says_when_ollama_answers() -> None:
    with http_server(version="0.9.1") as address:
        result = ollapy("--version", host=address)

    assert (result.status, result.out) == (0, f"ollapy {__version__}\n")
    assert result.err.startswith(f"Warning: Ollama 0.9.1 is running at {address}")


@pytest.mark.parametrize("words", [("list",), ("rm", "x"), ("stop", "x")])
def test_without_a_daemon_the_error_says_how_to_start_it(
    words: tuple[str, ...],
) -> None:
    address = free_address()

    assert ollapy(*words, host=address) == Result(
        1,
        "",
        f"Error: could not connect to ollapy at {address}, run 'ollapy serve' to start it\n",
    )


@pytest.mark.parametrize("words", [("serve", "--stop"), ("stop", "--all")])
def test_stopping_a_daemon_that_is_not_there_is_fine(words: tuple[str, ...]) -> None:
    assert ollapy(*words, host=free_address()) == Result(0, "", "")


@pytest.mark.parametrize(
    "words", [("rm", "x"), ("run", "x", "hi"), ("serve", "--stop")]
)
def test_ollama_is_not_taken_for_ollapy(words: tuple[str, ...]) -> None:
    """Its models are not ours to change, and nobody is to think that ollapy answered."""
    with http_server(version="0.9.1") as address:
        assert ollapy(*words, host=address) == Result(
            1,
            "",
            f"Error: Ollama 0.9.1 is running at {address}: stop it, "
            "or set OLLAPY_HOST to another address such as 127.0.0.1:11435\n",
        )


def test_another_server_is_named_as_such() -> None:
    with http_server() as address:
        assert ollapy("list", host=address) == Result(
            1,
            "",
            f"Error: another program at {address} answers '404 Not Found': stop it, "
            "or set OLLAPY_HOST to another address such as 127.0.0.1:11435\n",
        )


def test_a_program_that_never_answers_is_not_waited_for() -> None:
    with mute_listener() as address:
        result = ollapy("run", "tiny", "hi", host=address)

    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(
        f"Error: {address} is taken by a program that does not answer: stop it"
    )


@pytest.mark.parametrize(
    ("host", "beginning"),
    [
        ("nobody.invalid", "could not connect to ollapy at nobody.invalid:11434: "),
        ("[::::]", "could not connect to ollapy at [::::]:11434: "),
        ("a..b", "could not connect to ollapy at a..b:11434: "),
        ("127.0.0.1:0", "could not connect to ollapy at 127.0.0.1:0"),
    ],
)
def test_an_address_that_leads_nowhere_is_an_error(host: str, beginning: str) -> None:
    result = ollapy("run", "tiny", "hi", host=host)

    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(f"Error: {beginning}")
    assert result.err.count("\n") == 1


def test_an_unusable_setting_is_named(daemon: Daemon) -> None:
    result = ollapy("list", host=daemon.address, env={"OLLAPY_MAX_QUEUE": "plenty"})

    assert result.status == 0
    assert "MAX_QUEUE='plenty' is not usable, using 512" in result.err


@pytest.mark.parametrize(
    ("line", "err"),
    [
        ("{} list | true", ""),
        ("{} run tiny Hi | true", ""),
        ("{} -h | true", ""),
        ("{} list >/dev/full", "Error: No space left on device\n"),
        ("{} list >&-", ""),
        ("{} nope 2>&-", ""),
        ("{} run tiny <&-", ""),
    ],
)  # fmt: skip
def test_a_stream_that_is_closed_or_full_is_no_crash(
    daemon: Daemon, line: str, err: str
) -> None:
    result = _shell(line, daemon.address)

    assert result.err == err


def _shell(line: str, host: str) -> Result:
    done = subprocess.run(
        ["sh", "-c", line.format(shlex.join(command()))],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(host),
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_text_of_the_model_cannot_drive_the_terminal(theatre: Daemon) -> None:
    piped = ollapy("show", "rude", "--system", host=theatre.address)
    with terminal("show", "rude", "--system", host=theatre.address) as shown:
        shown.wait()

    assert piped.out == "Be \x1b[2Jrude.\n"
    assert shown.raw == "Be \\x1b[2Jrude.\r\n"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("./x.gguf", "'./x.gguf' is a path and no model's name: `ollapy import ./x.gguf` gives it one"),
        ("x.gguf", "'x.gguf' is a path and no model's name: `ollapy import x.gguf` gives it one"),
        ("./y.gguf", "'./y.gguf' is a path and no model's name, and nothing is there"),
        ("./Modelfile", "'./Modelfile' is a Modelfile: `ollapy create NAME -f ./Modelfile` makes a model of it"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("word", ["run", "pull"])
def test_a_file_in_a_models_place(
    daemon: Daemon, tmp_path: Path, word: str, name: str, told: str
) -> None:
    for file in ("x.gguf", "Modelfile"):
        (tmp_path / file).touch()
    result = ollapy(word, name, host=daemon.address, folder=tmp_path)
    assert result == Result(1, "", f"Error: {told}\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show", "tinny"), "model 'tinny:latest' not found"),
        (("rm", "tinny"), "model 'tinny' not found"),
        (("cp", "tinny", "x"), 'model "tinny" not found'),
        (("stop", "tinny"), 'couldn\'t find model "tinny" to stop'),
        (("push", "tinny"), "model 'tinny:latest' not found"),
        (("verify", "tinny"), "model 'tinny:latest' not found"),
    ],
)
def test_a_name_that_is_nearly_one_that_is_here(
    daemon: Daemon, words: tuple[str, ...], told: str
) -> None:
    told = f"Error: {told}, did you mean 'tiny'?\n"
    assert ollapy(*words, host=daemon.address) == Result(1, "", told)


def test_a_name_that_nobody_can_be_asked_for(own: Daemon) -> None:
    """It may mean one that is here."""
    registry = free_address()
    ollapy("cp", "tiny", f"{registry}/library/tiny", host=own.address)
    result = ollapy("run", "--insecure", f"{registry}/library/tinny", "Hi", host=own.address)  # fmt: skip

    assert (result.status, result.out) == (1, "")
    assert result.err.endswith(f"; did you mean '{registry}/library/tiny', which is here?\n")  # fmt: skip
    assert result.err.count("did you mean") == 1


def test_the_address_of_a_page_is_a_name(daemon: Daemon) -> None:
    page = "https://ollama.com/library/tiny"
    assert ollapy("show", page, host=daemon.address) == Result(0, SHOWN, "")


@pytest.mark.parametrize("group", ["config", "service", "key"])
def test_help_of_a_group_is_in_whole_sentences(group: str) -> None:
    result = ollapy(group, "--help", host=free_address())
    assert (result.status, result.err) == (0, "")
    assert "..." not in result.out.partition("Commands:")[2].partition("Example")[0]
