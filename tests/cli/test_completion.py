"""Completion as shells ask for it: by their variables, and by Tab in a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ollapy
from tests.support.daemon import Daemon
from tests.support.strangers import free_address, mute_listener
from tests.support.terminal import command, environment, on_terminal


def ask(*words: str, host: str, **env: str) -> tuple[str, ...]:
    """What bash would offer for the last word, nothing said on stderr."""
    asked = {
        "_OLLAPY_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(("ollapy", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        command(),
        capture_output=True,
        env={**environment(host, **env), **asked},
        timeout=30,
        check=False,
    )
    assert done.stderr == b""
    return tuple(done.stdout.decode().split())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with names in it, of which completion reads no more."""
    for name in ("library/qwen3/4b", "library/qwen3/latest", "me/bot/v1"):
        file = tmp_path / "manifests" / "registry.ollama.ai" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("show", "q"), ("qwen3", "qwen3:4b")),
        (("rm", "tiny", "me"), ("me/bot:v1",)),
        (("cp", "q"), ("qwen3", "qwen3:4b")),
        (("show", "qwen3", ":", "4"), ("4b",)),
        (("show", "qwen3", ":"), ("4b",)),
        (("run", "tinyl"), ("tinyllama", "tinyllama:1.1b")),
        (("pull", "mistral", ":"), ("7b",)),
        (("run", "--think", "m"), ()),  # which alone is true: what follows is the model
        (("run", "--format", "j"), ("json",)),
        (("run", "--option", "top"), ("top_k=", "top_p=")),
        (("config", "get", "max_q"), ("max_queue",)),
        (("config", "set", "models.me"), ("models.me/bot", "models.me/bot")),
        (("stop", "q"), ()),
        (("sho",), ("show",)),
    ],
)
def test_what_is_offered_without_a_daemon(
    store: Path, words: tuple[str, ...], offered: tuple[str, ...]
) -> None:
    found = ask(*words, host=free_address(), OLLAPY_MODELS=str(store))
    if words[:2] == ("config", "set"):
        found = tuple(word.partition(":")[0] for word in found)
    assert found == offered


def test_a_daemon_is_asked_for_its_models(daemon: Daemon) -> None:
    daemon.generate("Hi")
    assert ask("show", "t", host=daemon.address) == ("tiny",)
    assert ask("stop", "t", host=daemon.address) == ("tiny",)


def test_a_daemon_that_does_not_answer_is_not_waited_for(store: Path) -> None:
    with mute_listener() as address:
        offered = ask("show", "q", host=address, OLLAPY_MODELS=str(store))
    assert offered == ("qwen3", "qwen3:4b")


def test_nothing_is_said_of_what_goes_wrong(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("nonsense")
    env = {"OLLAPY_CONFIG": str(config), "OLLAPY_MODELS": "/dev/null"}
    assert ask("show", "t", host=free_address(), **env) == ("tiny",)
    assert ask("show", "t", host="nowhere.invalid:1", **env) == ()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_ask_in_their_own_way(store: Path, shell: str) -> None:
    asked = {
        "_OLLAPY_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "ollapy show qwen3:",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    env = environment(free_address(), OLLAPY_MODELS=str(store))
    done = subprocess.run(
        command(), capture_output=True, env={**env, **asked}, timeout=30, check=False
    )
    assert (done.stderr, b"qwen3" in done.stdout) == (b"", True)
    assert b"4b" in done.stdout


@pytest.fixture
def installed(store: Path) -> dict[str, str]:
    """The environment of a shell that finds `ollapy`, and the store in its models' place."""
    binary = store / "bin" / "ollapy"
    binary.parent.mkdir()
    run = "from ollapy.cli.main import main; main()"
    binary.write_text(f"#!{sys.executable}\n{run}\n")
    binary.chmod(0o700)
    path = f"{binary.parent}{os.pathsep}{os.environ['PATH']}"
    env = environment(free_address(), OLLAPY_MODELS=str(store), PATH=path)
    root = str(Path(ollapy.__file__).parents[1])
    return {**env, "PYTHONPATH": root, "HOME": str(store)}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_tab_in_bash(installed: dict[str, str]) -> None:
    """The script that is installed, and the colon that bash cuts words at."""
    script = """
source <(ollapy --show-completion bash)
COMP_WORDS=(ollapy show qwen3 : 4) COMP_CWORD=4
_ollapy_completion ollapy
echo "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True,
        env=installed,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"4b\n", b"")


_ZSH = "autoload -U compinit; compinit -u; source <(ollapy --show-completion zsh)"
_FISH = "ollapy --show-completion fish | source"


@pytest.mark.parametrize(
    ("shell", "install"),
    [
        pytest.param(
            words,
            install,
            id=words[0],
            marks=pytest.mark.skipif(
                shutil.which(words[0]) is None, reason=f"there is no {words[0]}"
            ),
        )
        for words, install in (
            (["zsh", "-f"], _ZSH),
            (["fish", "--no-config"], _FISH),
        )
    ],
)
def test_tab_at_a_prompt(
    installed: dict[str, str], shell: list[str], install: str
) -> None:
    """Commands, names with colons, and one of several."""
    with on_terminal(shell, installed, columns=100) as shown:
        shown.type(f"{install}; echo in''stalled\r")
        shown.shows("installed\n")
        for typed, completed in (
            ("ollapy sho\t", "ollapy show"),
            ("\x15ollapy rm me\t", "ollapy rm me/bot:v1"),
            ("\x15ollapy show qwen3:4\t", "ollapy show qwen3:4b"),
        ):
            shown.type(typed)
            shown.shows(completed)
