"""The daemon and the command line with models of other programs, and no network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.offer import offer
from tests.support.others import Others
from tests.support.raw_gguf import weights
from tests.support.terminal import ollapy, terminal

CONFIG = b'{"model_format":"gguf","model_family":"llama","model_type":"3.5M","file_type":"Q4_K_M"}'
NAME = "hf.co/ann/Tiny-GGUF:Q8_0"
QUESTION = "What is the capital of France?"


@pytest.fixture
def own(others: Others, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon whose user has `small` of Ollama's and a file of LM Studio's."""
    others.add_to_ollama("small", offer(config=CONFIG, model=TINY.read_bytes()))
    others.add_to_lm_studio("ann/Tiny-GGUF", Tiny__Q8_0=weights())
    with running_daemon(tmp_path) as daemon:
        yield daemon


def test_the_route(own: Daemon) -> None:
    models = own.http.get("/api/neighbours").json()["models"]

    found = {model["name"]: model for model in models}
    assert {*found} == {"small:latest", NAME}
    assert found["small:latest"] == {
        "name": "small:latest",
        "model": "small:latest",
        "owner": "Ollama",
        "modified_at": found["small:latest"]["modified_at"],
        "size": TINY.stat().st_size,
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "llama",
            "families": None,
            "parameter_size": "3.5M",
            "quantization_level": "Q4_K_M",
        },
    }
    assert found[NAME]["owner"] == "LM Studio"
    assert found[NAME]["details"]["quantization_level"] == "Q8_0"
    times = [model["modified_at"] for model in models]
    assert times == sorted(times, reverse=True)
    assert str(own.models.parent) not in json.dumps(models)


def test_list_all(own: Daemon) -> None:
    plain = ollapy("list", host=own.address)
    shown = ollapy("list", "--all", host=own.address)
    some = ollapy("list", "--all", "HF.co/", host=own.address)
    printed = ollapy("list", "--all", "--json", "sm", host=own.address)

    assert "OWNER" not in plain.out
    assert "small" not in plain.out
    rows = [line.split() for line in shown.out.splitlines()]
    assert rows[0] == ["NAME", "ID", "SIZE", "MODIFIED", "OWNER"]
    assert [(row[0], row[-1]) for row in rows[1:]] == [
        ("tiny:latest", "ollapy"),
        (NAME, "Studio"),
        ("small:latest", "Ollama"),
    ]
    assert [line.split()[0] for line in some.out.splitlines()[1:]] == [NAME]
    answer = json.loads(printed.out)
    assert answer["models"] == []
    assert [model["name"] for model in answer["neighbours"]] == ["small:latest"]


def test_run_uses_what_is_there(own: Daemon, others: Others) -> None:
    """It is said whose it is, and is then a model like any other."""
    before = others.state()

    first = ollapy("run", "small", host=own.address, given=QUESTION)
    second = ollapy("run", "small", QUESTION, host=own.address)

    assert (first.status, second.status) == (0, 0)
    assert "Paris" in first.out
    assert "using Ollama's copy of " in first.err
    assert first.err.endswith("\nsuccess\n")
    assert (second.out, second.err) == (first.out, "")
    assert "small" in ollapy("list", host=own.address).out
    assert own.http.get("/api/neighbours").json()["models"]
    own.delete("small")
    assert others.state() == before


def test_run_in_a_terminal(own: Daemon) -> None:
    with terminal("run", "small", host=own.address) as session:
        session.expect("using Ollama's copy of ")
        session.expect(">>> ")
        session.type("/bye\r")
        assert session.wait() == 0


def test_pull_local(own: Daemon) -> None:
    result = ollapy("pull", "--local", NAME, host=own.address)

    assert result.status == 0
    assert "using LM Studio's copy of Tiny-Q8_0.gguf" in result.err
    assert NAME in ollapy("list", host=own.address).out
