"""More models than fit: who is idle leaves for who is asked, and nobody's answer fails."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.make_gguf import write_random, write_scripted
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless, add_model
from tests.support.waiting import eventually

WORDS = ("one", "two", "three")


@pytest.fixture
def two_fit(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with three models and the memory for two."""
    with running_daemon(tmp_path, MAX_MEMORY="250MB") as daemon:
        for word in WORDS:
            path = tmp_path / f"{word}.gguf"
            write_scripted(path, word)
            add_model(daemon.models, word, path)
        yield daemon


def loaded(daemon: Daemon) -> set[str]:
    models = daemon.http.get("/api/ps").json()["models"]
    return {str(m["name"]).removesuffix(":latest") for m in models}


def test_one_that_is_idle_leaves(two_fit: Daemon) -> None:
    for word in WORDS:
        assert two_fit.generate("?", model=word)["response"] == word

    assert "three" in loaded(two_fit)
    assert len(loaded(two_fit)) == 2
    assert "evicting model=" in two_fit.log.read_text()


def test_everybody_is_answered_whatever_is_asked_at_once(two_fit: Daemon) -> None:
    wanted = WORDS * 8
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(
            lambda word: two_fit.generate("?", model=word)["response"], wanted
        )
        assert tuple(answers) == wanted
    assert len(loaded(two_fit)) <= 2


def test_a_model_that_is_used_is_waited_for(tmp_path: Path) -> None:
    with running_daemon(tmp_path, MAX_LOADED_MODELS="1") as daemon:
        add_endless(daemon.models)
        with (
            ThreadPoolExecutor(1) as thread,
            daemon.stream("/api/generate", model="endless", prompt="?") as records,
        ):
            next(records)
            other = thread.submit(daemon.generate, "Hi", options={"num_predict": 1})
            for _ in range(20):
                next(records)
            assert not other.done()
            waits = "model=tiny:latest waits for the answers of model=endless:latest"
            eventually(lambda: waits in daemon.log.read_text(), "nobody says so")
        assert other.result()["done"]
        eventually(lambda: loaded(daemon) == {"tiny"}, "the other model stays")


def test_for_what_would_not_fit_alone_nobody_leaves(tmp_path: Path) -> None:
    large = tmp_path / "large.gguf"
    write_random(large, layers=16, width=512)
    with running_daemon(tmp_path, MAX_MEMORY="165MB") as daemon:
        add_model(daemon.models, "large", large)
        daemon.generate("Hi", options={"num_predict": 1})

        response = daemon.post("/api/generate", model="large", prompt="Hi")

        assert response.status_code == 500
        assert (
            "needs 210 MB of memory and 165 MB can be had" in response.json()["error"]
        )
        assert loaded(daemon) == {"tiny"}


def test_one_that_was_to_stay_leaves_last_and_loudly(two_fit: Daemon) -> None:
    two_fit.generate("?", model="one", keep_alive=-1)
    two_fit.generate("?", model="two")
    two_fit.generate("?", model="three", keep_alive=-1)
    assert loaded(two_fit) == {"one", "three"}
    assert "was to stay" not in two_fit.log.read_text()

    assert two_fit.generate("?", model="two")["response"] == "two"
    assert "model=one:latest was to stay, and leaves" in two_fit.log.read_text()


def test_a_name_that_was_stopped_is_kept_again_as_others_are(two_fit: Daemon) -> None:
    """Its weights have stayed for another name."""
    two_fit.post("/api/copy", source="one", destination="first")
    for name in ("one", "first"):
        two_fit.generate("?", model=name)
    two_fit.post("/api/generate", model="first", keep_alive=0)
    assert loaded(two_fit) == {"one"}

    two_fit.generate("?", model="first")
    assert loaded(two_fit) == {"one", "first"}
