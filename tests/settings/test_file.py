"""The settings file: what it sets, and what is said of what it cannot."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ollapy.names import ModelName
from ollapy.settings import Settings, edit
from ollapy.settings.file import File
from ollapy.settings.models import ModelDefaults
from ollapy.settings.settings import explain
from ollapy.settings.table import TABLE

WHOLE = '''\
# mine
keep_alive = "1h"   # an hour

max_queue = 7
prune = false
origins = ["https://a.example", "https://b.example"]
rpc = [
  "10.0.0.2:50052",
  # a comment
  "10.0.0.3:50052",
]
editor = """
key = 1
"""

[models.mistral]
keep_alive = -1
options = { temperature = 0.5, stop = ["x"] }

[models."mistral:7b".options]
temperature = 0
'''


def read(folder: Path, text: str, **env: str) -> Settings:
    """The settings of a file with this text, which lies in the folder."""
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return Settings.from_env({"OLLAPY_CONFIG": str(file), **env})


def warnings(folder: Path, text: str) -> list[str]:
    """What is said of a file, without its path."""
    path = str(folder / "config.toml")
    found = read(folder, text).warnings
    assert all(told.startswith(f"{path}:") for told in found)
    return [told.removeprefix(f"{path}:") for told in found]


def test_values_come_with_their_lines(tmp_path: Path) -> None:
    settings = read(tmp_path, WHOLE)

    assert settings.warnings == ()
    assert (settings.keep_alive, settings.max_queue) == (3600.0, 7)
    assert not settings.prune
    assert settings.origins == ("https://a.example", "https://b.example")
    assert settings.workers == ("10.0.0.2:50052", "10.0.0.3:50052")
    lines = {key: entry.line for key, entry in settings.file.entries.items()}
    assert lines == {
        ("keep_alive",): 2,
        ("max_queue",): 4,
        ("prune",): 5,
        ("origins",): 6,
        ("rpc",): 7,
        ("editor",): 12,
        ("models", "mistral", "keep_alive"): 17,
        ("models", "mistral", "options", "temperature"): 18,
        ("models", "mistral", "options", "stop"): 18,
        ("models", "mistral:7b", "options", "temperature"): 21,
    }


def test_a_models_section_is_of_all_its_tags_and_one_with_a_tag_wins(
    tmp_path: Path,
) -> None:
    settings = read(tmp_path, WHOLE)
    of = {
        n: settings.defaults_of(ModelName.parse(n)) for n in ("mistral", "MISTRAL:7b")
    }

    assert of["mistral"] == ModelDefaults(-1, None, {"temperature": 0.5, "stop": ["x"]})
    assert of["MISTRAL:7b"].options == {"temperature": 0, "stop": ["x"]}
    assert settings.defaults_of(ModelName.parse("tiny")) == ModelDefaults()


def test_the_environment_wins_ollapys_names_first(tmp_path: Path) -> None:
    text = 'keep_alive = "1h"\nmax_queue = 7'
    env = {"OLLAMA_KEEP_ALIVE": "2h", "OLLAPY_MAX_QUEUE": "8", "OLLAMA_MAX_QUEUE": "9"}
    settings = read(tmp_path, text, **env)
    found = {it.setting.name: str(it.source) for it in explain(settings.file, env)}

    assert (settings.keep_alive, settings.max_queue) == (7200.0, 8)
    assert found["keep_alive"] == "OLLAMA_KEEP_ALIVE"
    assert found["max_queue"] == "OLLAPY_MAX_QUEUE"
    assert found["max_memory"] == "default"


def test_what_a_variable_cannot_mean_is_taken_from_the_file(tmp_path: Path) -> None:
    settings = read(tmp_path, 'keep_alive = "1h"', OLLAPY_KEEP_ALIVE="soon")

    assert settings.keep_alive == 3600.0
    assert settings.warnings == ("OLLAPY_KEEP_ALIVE='soon' is not usable, using 1h",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\nkeep_alvie = 1", "2: there is no setting 'keep_alvie', did you mean keep_alive?"),
        ("OLLAPY_DEBUG = true", "1: there is no setting 'OLLAPY_DEBUG', did you mean debug?"),
        ("[daemon]\nhost = ':1'", "2: there is no setting 'daemon.host', did you mean host?"),
        ("[[a]]\nb = 1", "2: there is no setting 'a.b'"),
        ("models = '/x'", "1: models are sections such as [models.tiny], the folder is models_dir"),
        ("[models]\nkeep_alive = 1", "2: 'keep_alive' belongs to a model, such as [models.\"mistral\"]"),
        ("max_queue = '7'", "1: max_queue must be a whole number above zero"),
        ("max_queue = true", "1: max_queue must be a whole number above zero"),
        ("origins = [1]", "1: origins must be a list of texts"),
        ("\nkeep_alive = 'soon'", "2: keep_alive must be a duration such as \"5m\", or seconds, not 'soon', using 5m"),
        ("vllm_url = 'ftp://me:secret@h'", "1: vllm_url must be an http or https address without a password, not 'h', using the default"),
        ("[models.'a b']\nthink = true", "2: 'a b' is no name of a model"),
        ("[models.a]\nthink = 'much'", "2: think must be true, false, low, medium, high, max or a number of tokens"),
        ("[models.a]\nkeepalive = 1", "2: there is no setting 'keepalive' of a model, did you mean keep_alive?"),
        ("[models.a.options]\ntemprature = 1", "2: there is no setting 'temprature' of options, did you mean temperature?"),
        ("[models.a.options]\ntop_k = 'x'", '2: option "top_k" must be of type integer'),
        ("[models.a]\nkeep_alive = 'soon'", '2: time: invalid duration "soon"'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, text: str, told: str
) -> None:
    assert warnings(tmp_path, text) == [told]


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\n???\n", 2), ("a = 1\na = 2", 2), ('a = "', 1)]
)
def test_what_is_not_toml_sets_nothing(tmp_path: Path, text: str, line: int) -> None:
    (told,) = warnings(tmp_path, f"max_queue = 7\n{text}")
    assert told.startswith(f"{line + 1} is not TOML, so nothing of the file is used")
    assert read(tmp_path, f"max_queue = 7\n{text}").max_queue == 512


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"a = " + b"[" * 9999, b"#" * (1 << 21), b"\xef\xbb\xbfx = 1"]
)
def test_any_bytes_are_read(data: bytes) -> None:
    file = File.of(data, Path("config.toml"))
    assert file.problem or file.entries


def test_every_setting_has_a_default_that_it_takes() -> None:
    for name, it in TABLE.items():
        value = getattr(Settings.from_env({}), name)
        assert type(value) is type(it.kind.empty) or isinstance(value, Path | str)
        if it.default_text:
            it.kind.parse(it.default_text)


def test_a_new_file_says_nothing_but_the_defaults(tmp_path: Path) -> None:
    """Also with every line of it in force."""
    file = tmp_path / "config.toml"
    edit.create(file)
    text = file.read_text().partition("# What requests of a model")[0]
    settings = read(
        tmp_path, re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.MULTILINE)
    )

    assert settings.warnings == ()
    assert len(settings.file.entries) == len(TABLE)
    for name in TABLE:
        assert getattr(settings, name) == getattr(Settings.from_env({}), name)
