"""No request reloads a model: contexts of any length, and any options, are served by one load whose KV pool grows and shrinks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ollapy.daemon.runners.footprint import Scale
from ollapy.daemon.runners.layout import Layout
from ollapy.daemon.runners.placement import footprint
from ollapy.gguf import read_header
from scripts.make_gguf import write_scripted
from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_model
from tests.support.waiting import eventually

CAPITAL = "What is the capital of Japan?"
LONG = "Say yes. " * 500  # two thousand tokens


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose pools begin with 512 cells."""
    folder = tmp_path_factory.mktemp("small")
    with running_daemon(folder, CONTEXT_LENGTH="512") as daemon:
        yield daemon


def loads(daemon: Daemon) -> int:
    return daemon.log.read_text().count("runner ready model=tiny")


def unload(daemon: Daemon) -> None:
    daemon.post("/api/generate", model="tiny", keep_alive=0)
    eventually(lambda: not daemon.runners, "the runner stays")


def size(daemon: Daemon, model: str = "tiny") -> int:
    rows = daemon.http.get("/api/ps").json()["models"]
    return next(int(r["size"]) for r in rows if r["name"].startswith(model))


def limit(answer: dict[str, Any]) -> tuple[int, int]:
    context = answer["ollapy"]["context"]
    return context["limit"], context["refused_tokens"]


def test_fifty_requests_with_other_options_each_are_one_load(small: Daemon) -> None:
    rng = random.Random(0)
    unload(small)
    loaded = loads(small)
    for n in range(50):
        options = {
            "temperature": 0,
            "seed": n,
            "num_ctx": rng.choice([64, 256, 512, 1024, 2048, 4096, 100_000]),
            "num_batch": rng.choice([1, 32, 512, 4096]),
            "num_thread": rng.choice([1, 2, 64]),
            "num_keep": rng.choice([0, 4, -1]),
            "num_predict": 40,
            "top_k": rng.choice([1, 40]),
            "repeat_penalty": rng.choice([1.0, 1.1]),
            "use_mmap": rng.choice([True, False]),
        }
        shift, truncate = rng.random() < 0.5, rng.random() < 0.5
        answer = small.generate(
            CAPITAL, options=options, shift=shift, truncate=truncate
        )
        assert "Tokyo" in answer["response"]

    assert loads(small) == loaded + 1


def test_a_long_prompt_gets_a_larger_pool_and_the_model_stays(small: Daemon) -> None:
    unload(small)  # what others have asked keeps its pool
    loaded = loads(small)
    small.generate(CAPITAL)
    vectors = small.post("/api/embed", model="tiny", input=CAPITAL).json()["embeddings"]
    before, runner = size(small), small.runners[0].pid

    answer = small.generate(LONG, options={"num_ctx": 4096, "num_predict": 4})

    assert answer["prompt_eval_count"] > 1500
    assert limit(answer) == (4096, 0)
    assert size(small) > before
    assert [child.pid for child in small.runners] == [runner]
    assert loads(small) == loaded + 1
    assert "Tokyo" in small.generate(CAPITAL)["response"]
    again = small.post("/api/embed", model="tiny", input=CAPITAL).json()["embeddings"]
    assert again == vectors


def test_a_request_is_told_of_the_memory_as_it_was_when_it_came(small: Daemon) -> None:
    small.generate(LONG, options={"num_ctx": 4096, "num_predict": 4})
    small.generate(CAPITAL)
    entry = small.http.get("/api/requests").json()["requests"][0]

    assert entry["placement"]["size"] == size(small)


def takes(model: Path, num_cells: int) -> int:
    """Bytes of a model with a pool of that size, as the daemon reckons."""
    needed = footprint(read_header(model), 0, Scale())
    return Layout({}).takes(needed, num_cells, "f16").host


def test_who_grew_gives_it_back_for_another(tmp_path: Path) -> None:
    write_scripted(other := tmp_path / "other.gguf", "here")
    memory = takes(TINY, 512) + takes(other, 512) + 1_000_000
    with running_daemon(
        tmp_path, CONTEXT_LENGTH="512", MAX_MEMORY=str(memory)
    ) as daemon:
        add_model(daemon.models, "other", other)
        daemon.generate(LONG, options={"num_ctx": 4096, "num_predict": 4})
        grown = size(daemon)

        assert daemon.generate("?", model="other")["response"] == "here"
        assert size(daemon) < grown
        assert "evicting" not in daemon.log.read_text()
        assert "Tokyo" in daemon.generate(CAPITAL)["response"]


def test_an_idle_model_goes_for_a_prompt_that_needs_its_memory(tmp_path: Path) -> None:
    write_scripted(other := tmp_path / "other.gguf", "here")
    memory = takes(TINY, 512) + takes(other, 512) + 1_000_000
    with running_daemon(
        tmp_path, CONTEXT_LENGTH="512", MAX_MEMORY=str(memory)
    ) as daemon:
        add_model(daemon.models, "other", other)
        daemon.generate(CAPITAL)
        daemon.generate("?", model="other")
        answer = daemon.generate(LONG, options={"num_ctx": 4096, "num_predict": 4})

        assert limit(answer) == (4096, 0)
        assert "evicting model=other" in daemon.log.read_text()
        eventually(lambda: len(daemon.runners) == 1, "the other one is gone")


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with the memory for 512 cells, and no more."""
    memory = str(takes(TINY, 512) + 1_000_000)
    folder = tmp_path_factory.mktemp("tight")
    with running_daemon(folder, CONTEXT_LENGTH="512", MAX_MEMORY=memory) as daemon:
        yield daemon


def test_without_memory_a_conversation_is_cut_to_what_there_is(tight: Daemon) -> None:
    turns = [{"role": "user", "content": "Say yes. " * 60}] * 5
    turns.append({"role": "user", "content": CAPITAL})
    answer = tight.post(
        "/api/chat",
        model="tiny",
        messages=turns,
        stream=False,
        think=False,
        options={"num_ctx": 4096, "temperature": 0, "num_predict": 40},
    ).json()

    assert limit(answer) == (512, 4096 - 512)
    assert answer["ollapy"]["context"]["dropped_messages"] > 0
    assert "Tokyo" in answer["message"]["content"]
    assert "no memory for a larger KV pool" in tight.log.read_text()


def test_without_memory_a_text_that_is_too_long_is_refused(tight: Daemon) -> None:
    response = tight.post(
        "/api/generate",
        model="tiny",
        prompt=LONG,
        raw=True,
        stream=False,
        options={"num_ctx": 4096},
    )

    assert response.status_code == 400
    assert "512 maximum context length" in response.json()["error"]
    assert "no memory for the 4096 tokens that it was to be" in response.json()["error"]


def test_without_memory_an_answer_ends_where_the_pool_does(tight: Daemon) -> None:
    options = {"num_ctx": 4096, "temperature": 0, "num_predict": 2000, "stop": []}
    answer = tight.generate("Count from 1 to 900.", options=options, shift=False)

    assert answer["done_reason"] in ("stop", "length")
    if answer["done_reason"] == "length":
        assert limit(answer) == (512, 4096 - 512)
