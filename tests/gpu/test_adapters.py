"""Adapters on a real GPU: switched there as they are on the processor, and to the same effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.make_gguf import write_lora
from tests.conftest import TINY
from tests.support.daemon import Daemon
from tests.support.models import add_files

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(300)]

QUESTION = "What is the capital of Japan?"
OPTIONS = {"temperature": 0, "num_predict": 12}


@pytest.fixture(scope="module")
def names(folder: Path) -> list[str]:
    """Models of the same weights."""
    for seed, name in enumerate(("red", "blue")):
        lora = write_lora(folder / f"{name}.gguf", TINY, strength=0.3, seed=seed)
        add_files(folder / "models", name, ("model", TINY), ("adapter", lora))
    return ["tiny", "red", "blue"]


def vector(daemon: Daemon, model: str) -> Any:
    response = daemon.post("/api/embed", model=model, input=QUESTION)
    assert response.status_code == 200, response.text
    return np.array(response.json()["embeddings"][0])


def test_vectors_are_those_of_the_processor(
    on_gpu: Daemon, on_cpu: Daemon, names: list[str]
) -> None:
    for name in names * 2:
        assert float(vector(on_gpu, name) @ vector(on_cpu, name)) > 0.999
    assert float(vector(on_gpu, "red") @ vector(on_gpu, "tiny")) < 0.999


def test_by_turns(on_gpu: Daemon, names: list[str]) -> None:
    def ask(name: str) -> str:
        answer = on_gpu.generate(QUESTION, model=name, options=OPTIONS)
        return str(answer["response"])

    alone = {name: ask(name) for name in names}

    assert len(set(alone.values())) == len(names)
    for name in names * 5:
        assert ask(name) == alone[name]
    assert len(on_gpu.runners) == 1
