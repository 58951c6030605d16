"""Models that are one and the same but for their adapters: loaded once, and each answers as itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scripts.make_gguf import write_lora, write_random
from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_files
from tests.support.waiting import eventually

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
    for name in loaded(own):
        own.post("/api/generate", model=name, keep_alive=0)
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


def test_a_request_names_its_adapters(own: Daemon, alone: dict[str, str]) -> None:
    """By the models that have them: in place of the model's own, none where the list is empty."""
    red, blue = {"model": "red"}, {"model": "blue:latest", "scale": 1}

    assert ask(own, "tiny", adapters=[red]) == alone["red"]
    assert ask(own, "red", adapters=[blue]) == alone["blue"]
    assert ask(own, "red", adapters=[]) == ANSWER
    assert ask(own, "red", adapters=[{"model": "red", "scale": 0}]) == ANSWER
    assert ask(own, "tiny", adapters=[red, blue]) not in alone.values()
    both = ask(own, "tiny", adapters=[red, blue])
    assert (
        ask(
            own,
            "blue",
            adapters=[blue, {"model": "red", "scale": 2}, {**red, "scale": -1}],
        )
        == both
    )
    assert len(own.runners) == 1


def test_a_weak_adapter_changes_less(own: Daemon, alone: dict[str, str]) -> None:
    scaled = [{"model": "red", "scale": scale} for scale in (1e-6, -1.0)]
    almost, contrary = (ask(own, "tiny", adapters=[one]) for one in scaled)

    assert almost == ANSWER
    assert contrary not in alone.values()


BAD_CHOICES = {
    "no list": ("red", 400, "must be an array of objects"),
    "names": (["red"], 400, "must be an array of objects"),
    "a path": ([{"path": "/etc/passwd"}], 400, "must be an array of objects"),
    "path as well": ([{"model": "red", "path": "/etc/passwd"}], 400, "unknown field `path`"),
    "scale of another type": ([{"model": "red", "scale": "much"}], 400, "scale"),
    "a path for a name": ([{"model": "/etc/passwd"}], 400, "invalid model name"),
    "unknown": ([{"model": "green"}], 404, "model 'green' not found, whose adapters are wanted"),
    "without": ([{"model": "tiny"}], 400, "'tiny' has no adapters"),
    "too many": ([{"model": f"many{n}"} for n in range(5)], 400, "5 adapters are too many"),
    "of another model": ([{"model": "foreign"}], 400, "the adapter of 'foreign:latest' cannot be used with 'tiny:latest': its shapes"),
}  # fmt: skip


@pytest.fixture(scope="module")
def strangers(own: Daemon, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("strangers")
    for number in range(5):
        lora = write_lora(folder / "lora.gguf", TINY, strength=0.1, seed=number + 10)
        add_files(own.models, f"many{number}", ("model", TINY), ("adapter", lora))
    base = folder / "base.gguf"
    write_random(base, architecture="llama", layers=6)
    lora = write_lora(folder / "foreign.gguf", base, strength=0.1)
    add_files(own.models, "foreign", ("model", base), ("adapter", lora))


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize(
    ("choice", "status", "sentence"), BAD_CHOICES.values(), ids=BAD_CHOICES
)
def test_bad_choices(own: Daemon, choice: object, status: int, sentence: str) -> None:
    options = {**OPTIONS, "adapters": choice}
    for path in ("/api/generate", "/api/embed"):
        response = own.post(
            path, model="tiny", prompt="Hi", input="Hi", options=options, stream=False
        )
        assert (response.status_code, sentence in response.json()["error"]) == (
            status,
            True,
        ), response.text


def test_texts_are_computed_with_what_the_request_names(own: Daemon) -> None:
    def vector(model: str, **options: Any) -> list[float]:
        answer = own.post("/api/embed", model=model, input=QUESTION, options=options)
        found: list[float] = answer.json()["embeddings"][0]
        return found

    assert vector("tiny", adapters=[{"model": "red"}]) == pytest.approx(
        vector("red"), abs=1e-3
    )
    assert vector("red", adapters=[]) == pytest.approx(vector("tiny"), abs=1e-3)


def test_a_model_does_not_name_the_adapters_of_another(own: Daemon) -> None:
    response = own.post(
        "/api/create",
        model="x",
        **{"from": "tiny"},
        parameters={"adapters": [{"model": "red"}]},
        stream=False,
    )

    assert response.status_code == 400
    assert "is an option of requests" in response.json()["error"]


def loaded(daemon: Daemon) -> set[str]:
    models = daemon.http.get("/api/ps").json()["models"]
    return {model["name"].removesuffix(":latest") for model in models}


def test_each_is_kept_and_stopped_by_its_own_name(own: Daemon) -> None:
    for name in ("red", "blue"):
        ask(own, name)
    own.generate(QUESTION, model="weak", options=OPTIONS, keep_alive=0)
    (runner,) = own.runners

    assert {"red", "blue"} <= loaded(own)
    assert "weak" not in loaded(own)
    for name in loaded(own) - {"blue"}:
        own.post("/api/generate", model=name, keep_alive=0)
        assert own.runners == [runner]
    assert loaded(own) == {"blue"}
    own.post("/api/generate", model="blue", keep_alive=0)
    eventually(lambda: not own.runners, "the last has gone, and the weights with it")


def test_who_is_deleted_leaves_the_others(own: Daemon, tmp_path: Path) -> None:
    lora = write_lora(tmp_path / "lora.gguf", TINY, strength=0.1, seed=99)
    add_files(own.models, "brief", ("model", TINY), ("adapter", lora))
    ask(own, "brief")
    ask(own, "red")
    (runner,) = own.runners

    own.delete("brief")

    assert ask(own, "tiny") == ANSWER
    assert own.runners == [runner]
    assert "brief" not in loaded(own)
