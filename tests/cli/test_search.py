"""`ollapy search`, which needs no daemon."""

from __future__ import annotations

import json

import pytest

from tests.support.strangers import free_address
from tests.support.terminal import Result, ollapy


def search(*words: str) -> Result:
    """The command, where nobody answers."""
    return ollapy("search", *words, host=free_address())


def test_search_shows_what_fits() -> None:
    assert search("llama3.2", "Meta") == Result(
        0,
        "NAME           SIZE      SUMMARY\n"
        "llama3.2:1b    1.3 GB    Meta: for small machines\n"
        "llama3.2:3b    2 GB      Meta: small and quick, tools\n",
        "",
    )


def test_search_alone_shows_everything_in_eighty_columns() -> None:
    lines = search().out.splitlines()

    assert len(lines) > 80
    assert max(map(len, lines)) <= 80


def test_search_as_json() -> None:
    (model,) = json.loads(search("llama3.2:3b", "--json").out)["models"]

    assert model == {
        "name": "llama3.2:3b",
        "size": 2_000_000_000,
        "summary": "Meta: small and quick, tools",
        "from": "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M",
    }


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("mistrall",),
            "Error: nothing in the catalog fits 'mistrall', did you mean 'mistral'",
        ),
        (
            ("zzz", "zzz"),
            "Error: nothing in the catalog fits 'zzz zzz', 'ollapy search' lists all that it has\n",
        ),
    ],
)
def test_a_search_in_vain_says_what_else_there_is(
    words: tuple[str, ...], error: str
) -> None:
    result = search(*words)

    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(error)
    assert result.err.count("\n") == 1
