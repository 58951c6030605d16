"""Every model of the catalog, and how they are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from ollapy import catalog
from ollapy.catalog import Entry
from ollapy.create.layers import layers_of
from ollapy.modelfile import decode, parse
from ollapy.names import ModelName

FOLDER = Path(__file__).parents[2] / "modelfiles"
FILES = [file for file in FOLDER.glob("*/*") if file.parent.name != "examples"]
NAMES = sorted(f"{file.parent.name}:{file.name}" for file in FILES)
ENTRIES = catalog.entries()


def found(name: str) -> Entry:
    """The entry of a name that must have one."""
    entry = catalog.find(ModelName.parse(name))
    assert entry is not None, name
    return entry


def names(entries: list[Entry]) -> list[str]:
    return [str(entry.name) for entry in entries]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_ends_at_a_model_of_the_hub(name: str) -> None:
    """Aliases too; one that went in a circle would never be found."""
    entry = found(name)

    assert str(entry.name) == name
    (source,) = entry.modelfile.sources
    assert source.startswith("hf.co/")
    assert ModelName.parse(source).full == source
    assert entry.modelfile.licenses


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.name))
def test_an_entry_says_what_it_is(entry: Entry) -> None:
    maker, _, purpose = entry.summary.partition(": ")

    assert maker
    assert purpose
    assert len(entry.summary) <= 42
    assert 10_000_000 < entry.size < 500_000_000_000
    assert layers_of(entry.modelfile)  # which refuses a parameter of a wrong type


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_for_every_file_system(name: str) -> None:
    assert name == name.lower()
    assert name.count(":") == 1


def test_an_alias_is_nothing_but_another_name() -> None:
    aliases = [file for file in FILES if not file.read_text().startswith("#")]

    assert aliases
    for file in aliases:
        modelfile = parse(decode(file.read_bytes()))
        assert str(modelfile) == f"FROM {modelfile.sources[0]}\n"
        assert modelfile.sources[0] in NAMES


def test_an_alias_is_the_model_it_stands_for_under_its_own_name() -> None:
    alias, model = found("llama3.2"), found("llama3.2:3b")

    assert str(alias.name) == "llama3.2:latest"
    assert (alias.modelfile, alias.summary, alias.size) == (
        model.modelfile,
        model.summary,
        model.size,
    )


def test_every_model_is_listed_once() -> None:
    listed = names(ENTRIES)

    assert len(listed) == len(set(listed)) >= 80
    assert "llama3.2:3b" in listed
    assert "llama3.2:latest" not in listed


@pytest.mark.parametrize("name", ["LLAMA3.2:3B", "library/llama3.2:3b"])
def test_a_name_is_found_however_it_is_written(name: str) -> None:
    assert found(name).modelfile == found("llama3.2:3b").modelfile


@pytest.mark.parametrize(
    "name",
    [
        "llama3.2:99b",
        "llama9",
        "someone/llama3.2:3b",
        "registry.example.com/library/llama3.2:3b",
        "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF",
        "examples:pirate",
        "Examples:pirate",
        "README.md",
    ],
)
def test_other_names_have_no_entry(name: str) -> None:
    assert catalog.find(ModelName.parse(name)) is None


def test_the_words_of_a_search_are_all_there() -> None:
    entries = catalog.search(["Images", "google"])

    assert names(entries) == ["gemma3:4b", "gemma3:12b", "gemma3:27b"]


def test_a_search_for_nothing_finds_everything() -> None:
    assert catalog.search([]) == ENTRIES


def test_the_best_comes_first() -> None:
    """The model itself, then names that begin like it, those with it inside, and what is said to be it."""
    by_name = names(catalog.search(["qwen3"]))
    by_word = names(catalog.search(["llama"]))

    assert by_name[0] == "qwen3:0.6b"
    assert by_name.index("qwen3:235b-a22b") < by_name.index("qwen3-coder:30b")
    assert by_word.index("llama3.2:3b") < by_word.index("codellama:7b")
    assert by_word.index("tinyllama:1.1b") < by_word.index("hermes3:8b")


def test_a_name_that_is_not_quite_right_has_others_near() -> None:
    assert catalog.nearest("lama3.2")[0] == "llama3.2"
    assert catalog.nearest("Qwen2.5-codr:7b")[0] == "qwen2.5-coder:7b"
    assert catalog.nearest("mistrall:latest")[0] == "mistral"
    assert catalog.nearest("zzzzzzzz") == []
