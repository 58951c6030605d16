"""Models that are one and the same but for their adapters: loaded once, and each answers as itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scripts.make_gguf import write_random
from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_files
from tests.support.parts import write_lora

QUESTION = "What is the capital of Japan?"
ANSWER = "The capital of Japan is Tokyo."
NAMES = ("tiny", "red", "blue")
OPTIONS = {"temperature": 0, "num_predict": 12}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("adapters")
    with running_daemon(folder) as daemon:
        for seed, name in enumerate(("red", "blue")):
            # strong enough for another answer
            lora = write_lora(folder / f"{name}.gguf", TINY, strength=0.3, seed=seed)
            add_files(daemon.models, name, ("model", TINY), ("adapter", lora))
        weak = write_lora(folder / "weak.gguf", TINY, strength=0.0)
        add_files(daemon.models, "weak", ("model", TINY), ("adapter", weak))
        yield daemon


@pytest.fixture(scope="module")
def alone(own: Daemon) -> dict[str, str]:
    """What each of them says when no other has been loaded."""
    answers = {}
    for name in NAMES:
        answers[name] = ask(own, name)
        own.post("/api/generate", model=name, keep_alive=0)
    return answers


def ask(daemon: Daemon, model: str, **options: Any) -> str:
    answer = daemon.generate(QUESTION, model=model, options={**OPTIONS, **options})
    return str(answer["response"])


def loads(daemon: Daemon) -> float:
    """Weights loaded so far."""
    lines = daemon.http.get("/metrics").text.splitlines()
    return sum(
        float(line.split()[-1])
        for line in lines
        if line.startswith("ollapy_loads_total{")
    )


def test_each_answers_as_itself(own: Daemon, alone: dict[str, str]) -> None:
    assert alone["tiny"] == ANSWER == ask(own, "weak")
    assert len(set(alone.values())) == len(NAMES)


def test_fifty_requests_by_turns_load_once(own: Daemon, alone: dict[str, str]) -> None:
    own.post("/api/generate", model="tiny", keep_alive=0)
    before = loads(own)

    for number in range(50):
        name = NAMES[number % len(NAMES)]
        assert ask(own, name) == alone[name]

    assert loads(own) == before + 1
    assert len(own.runners) == 1


def test_all_at_once(own: Daemon, alone: dict[str, str]) -> None:
    names = NAMES * 6

    with ThreadPoolExecutor(len(names)) as pool:
        answers = list(pool.map(lambda name: ask(own, name), names))

    assert answers == [alone[name] for name in names]
    assert len(own.runners) == 1


def test_a_prompt_is_read_once_for_each(own: Daemon, alone: dict[str, str]) -> None:
    assert alone
    for name in NAMES:
        ask(own, name)
    for name in NAMES:
        answer = own.generate(QUESTION, model=name, options=OPTIONS)
        report = answer["ollapy"]["context"]
        assert report["cached_tokens"] == report["prompt_tokens"] - 1


def test_vectors_are_of_the_model_that_was_asked(own: Daemon) -> None:
    vectors = [
        own.post("/api/embed", model=name, input=QUESTION).json()["embeddings"][0]
        for name in (*NAMES, *NAMES)
    ]

    assert vectors[:3] == [pytest.approx(v, abs=1e-3) for v in vectors[3:]]
    assert len({tuple(vector) for vector in vectors[:3]}) == 3


def test_an_adapter_of_another_model(
    own: Daemon, alone: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other.gguf"
    write_random(other)
    adapter = write_lora(tmp_path / "adapter.gguf", other, strength=0.1)
    add_files(own.models, "wrong", ("model", TINY), ("adapter", adapter))
    ask(own, "red")
    (runner,) = own.runners

    response = own.post("/api/generate", model="wrong", prompt=QUESTION, stream=False)

    assert response.status_code == 400
    assert response.json()["error"].startswith(
        "the adapter of 'wrong:latest' cannot be used: its shapes for blk.0.attn_v.weight"
    )
    assert str(tmp_path) not in response.text
    assert ask(own, "red") == alone["red"]
    assert own.runners == [runner]
