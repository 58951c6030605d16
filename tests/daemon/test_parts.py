"""Models of several files through a real daemon: split weights, and adapters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ollapy.names import ModelName
from ollapy.store import Blobs, Layer, Manifest, Store
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE
from tests.support.daemon import Daemon, running_daemon
from tests.support.parts import split, write_lora

QUESTION = "What is the capital of Japan?"
ANSWER = "The capital of Japan is Tokyo."


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    with running_daemon(tmp_path) as daemon:
        yield daemon


def store(models: Path, name: str, *files: tuple[str, Path]) -> None:
    """Store a model whose layers are these files, by their kinds."""
    blobs = Blobs(models / "blobs")

    def layer(media_type: str, data: bytes) -> Layer:
        return Layer(media_type, str(blobs.add([data])), len(data))

    manifest = Manifest(
        config=layer(CONFIG_TYPE, b'{"model_format":"gguf"}'),
        layers=[layer(LAYER_TYPE + kind, path.read_bytes()) for kind, path in files],
    )
    Store(models).put(ModelName.parse(name), manifest)


def test_a_split_model_answers_as_the_whole_one(
    own: Daemon, tiny: Path, tmp_path: Path
) -> None:
    parts = split(tiny, tmp_path, 3)
    store(own.models, "cut", *(("model", part) for part in parts))

    assert own.generate(QUESTION, model="cut")["response"] == ANSWER
    shown = own.post("/api/show", model="cut").json()
    whole = own.post("/api/show", model="tiny").json()
    assert shown["tensors"] == whole["tensors"]
    assert shown["details"] == whole["details"]


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 1), (0, 1, 1)])
def test_parts_that_do_not_make_a_model(
    own: Daemon, tiny: Path, tmp_path: Path, order: tuple[int, ...]
) -> None:
    parts = split(tiny, tmp_path, 3)
    store(own.models, "cut", *(("model", parts[number]) for number in order))

    response = own.post("/api/generate", model="cut", prompt=QUESTION, stream=False)

    assert response.status_code == 400
    assert "says that it is number" in response.json()["error"]


def test_an_adapter_changes_the_answer(own: Daemon, tiny: Path, tmp_path: Path) -> None:
    """And only that of its own model, though both share the weights."""
    strong = write_lora(tmp_path / "strong.gguf", tiny, strength=0.3)
    weak = write_lora(tmp_path / "weak.gguf", tiny, strength=0.0)
    store(own.models, "strong", ("model", tiny), ("adapter", strong))
    store(own.models, "weak", ("model", tiny), ("adapter", weak))

    answers = {
        name: own.generate(
            QUESTION, model=name, options={"num_predict": 12, "temperature": 0}
        )["response"]
        for name in ("tiny", "strong", "weak")
    }

    assert answers["tiny"] == answers["weak"] == ANSWER
    assert answers["strong"] != answers["tiny"]
    assert len(own.runners) == 3


def test_an_adapter_of_another_model(own: Daemon, tiny: Path, tmp_path: Path) -> None:
    from scripts.make_gguf import write_random

    other = tmp_path / "other.gguf"
    write_random(other)
    adapter = write_lora(tmp_path / "adapter.gguf", other, strength=0.1)
    store(own.models, "wrong", ("model", tiny), ("adapter", adapter))

    response = own.post("/api/generate", model="wrong", prompt=QUESTION, stream=False)

    assert response.status_code == 500
    assert response.json()["error"].startswith("llama.cpp could not load the adapter")
    assert str(tmp_path) not in response.text
    assert own.generate(QUESTION)["response"] == ANSWER
