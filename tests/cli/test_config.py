"""`ollapy config`: values in and out of the file, as a person and a program see them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.support.daemon import running_daemon
from tests.support.terminal import Result, ollapy
from tests.support.waiting import eventually

NOTED = '# why\nkeep_alive = "5m"  # short\n'


class Config:
    """A settings file, and the commands for it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, *words: str, **env: str) -> Result:
        env = {"OLLAPY_CONFIG": str(self.file), **env}
        return ollapy("config", *words, host="", env=env)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path / "folder" / "config.toml")


def test_set_keeps_what_its_author_wrote(config: Config) -> None:
    config.file.parent.mkdir()
    config.file.write_text(NOTED)

    assert config("set", "keep_alive", "1h") == Result(0, "", "")
    assert config("set", "models.qwen2.5:7b.options.top_k", "3") == Result(0, "", "")
    assert config.file.read_text() == (
        '# why\nkeep_alive = "1h"  # short\n\n'
        '[models."qwen2.5:7b".options]\ntop_k = 3\n'
    )
    assert config("unset", "models.qwen2.5:7b.options.top_k") == Result(0, "", "")
    assert config.file.read_text().rstrip() == '# why\nkeep_alive = "1h"  # short'


def test_the_file_is_its_owners(config: Config) -> None:
    config("set", "api_key", "secret")

    assert stat.S_IMODE(config.file.stat().st_mode) == 0o600
    assert "secret" not in config("show").out
    assert config("get", "api_key") == Result(0, "secret\n", "")


def test_show_says_where_values_come_from(config: Config) -> None:
    config("set", "max_queue", "9")
    shown = json.loads(
        config("show", "--json", OLLAMA_DEBUG="1", OLLAPY_NOPRUNE="1").out
    )
    found = {row["name"]: (row["value"], row["source"]) for row in shown}

    assert found["max_queue"] == ("9", f"{config.file}:1")
    assert found["debug"] == ("true", "OLLAMA_DEBUG")
    assert found["prune"] == ("false", "OLLAPY_NOPRUNE")
    assert found["keep_alive"] == ("5m", "default")
    assert f"max_queue             9      {config.file}:1\n" in _squeezed(
        config("show").out
    )


def _squeezed(table: str) -> str:
    """The rows without the width that the longest path gives the columns."""
    rows = (line.split() for line in table.splitlines())
    return "".join(f"{row[0]:<22}{row[1]:<7}{' '.join(row[2:])}\n" for row in rows)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("set", "keep_alvie", "1"), "there is no setting 'keep_alvie', did you mean keep_alive?"),
        (("set", "max_queue", "0"), "max_queue must be a whole number above zero, not '0'"),
        (("set", "debug", "maybe"), "debug must be true or false, not 'maybe'"),
        (("set", "models.a.keepalive", "1"), "there is no setting 'keepalive' of a model, did you mean keep_alive?"),
        (("set", "models.a b.keep_alive", "1"), "invalid model name"),
        (("get", "models.a.keep_alive"), "models.a.keep_alive is not set"),
    ],
)  # fmt: skip
def test_mistakes_are_named_and_change_nothing(
    config: Config, words: tuple[str, ...], told: str
) -> None:
    assert config(*words) == Result(1, "", f"Error: {told}\n")
    assert not config.file.exists()


def test_a_broken_file_is_left_for_its_author(config: Config) -> None:
    config.file.parent.mkdir()
    config.file.write_text("keep_alive == 1\n")
    told = config("set", "keep_alive", "1h")

    assert told.status == 1
    assert f"{config.file}:1 is not TOML" in told.err
    assert "correct it with `ollapy config edit`" in told.err
    assert config.file.read_text() == "keep_alive == 1\n"
    assert config("show").status == 0


def test_what_is_not_used_at_once_is_said(config: Config) -> None:
    restart = "A running daemon uses it after a restart: `ollapy serve --stop`.\n"
    wins = "OLLAPY_KEEP_ALIVE is set, and wins over the file.\n"

    assert config("set", "keep_alive", "-1") == Result(0, "", "")
    assert config("set", "origins", "a,b") == Result(0, "", restart)
    assert config("set", "keep_alive", "1h", OLLAPY_KEEP_ALIVE="2h").err == wins


def test_edit_begins_with_all_settings_as_comments(
    config: Config, tmp_path: Path
) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/^# max_queue = .*/max_queue = 3/' \"$1\"\n")
    editor.chmod(0o700)

    assert config("edit", VISUAL=str(editor)) == Result(0, "", "")
    assert config("get", "max_queue") == Result(0, "3\n", "")
    assert config("edit", OLLAPY_EDITOR="/nowhere/vi").err == (
        "Error: '/nowhere/vi' cannot be started (No such file or directory): set EDITOR to your editor\n"
    )


def test_a_running_daemon_reads_what_changed(tmp_path: Path) -> None:
    with running_daemon(tmp_path) as daemon:
        config = Config(tmp_path / "config.toml")
        daemon.generate("Hi")
        config("set", "models.tiny.options.num_predict", "1")
        eventually(lambda: "settings read anew" in daemon.log.read_text(), "not read")

        assert daemon.generate("Tell me a story")["eval_count"] == 1
        asked = {"num_predict": 3, "temperature": 0}
        assert daemon.generate("Tell me a story", options=asked)["eval_count"] == 3

        config("set", "models.tiny.keep_alive", "0")
        config("set", "origins", "https://a.example")
        eventually(
            lambda: "after a restart: origins" in daemon.log.read_text(), "not said"
        )
        daemon.generate("Hi")
        eventually(lambda: not daemon.runners, "the model stays loaded")

        config.file.write_text("nonsense")
        eventually(lambda: "is not TOML" in daemon.log.read_text(), "not said")
        assert daemon.generate("Tell me a story")["eval_count"] == 1
