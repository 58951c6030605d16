"""A real GPU, where there is one and the build uses it; else every test here is skipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ollapy.api.engine import Device
from scripts.make_gguf import (
    write_embedder,
    write_experts,
    write_hybrid,
    write_random,
    write_scripted,
    write_shape,
    write_sliding,
)
from tests.support.daemon import Daemon, running_daemon
from tests.support.gpus import asked
from tests.support.models import add_endless, add_model


@pytest.fixture(scope="session")
def gpu() -> Device:
    """The first one."""
    found = asked()
    if not found:
        pytest.skip("no GPU, or llama.cpp is built without what drives it")
    return found[0]


@pytest.fixture(scope="module")
def folder(gpu: Device, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a store of models that are small and of all kinds."""
    folder = tmp_path_factory.mktemp("gpu")
    models, weights = folder / "models", folder / "weights.gguf"
    write_random(weights, layers=8, width=512, vocab=4096, context_length=8192)
    add_model(models, "random", weights)
    write_shape(weights, layers=8, vocab=8000)
    add_model(models, "shape", weights)
    write_embedder(weights)
    add_model(models, "embedder", weights)
    for name, write in {
        "experts": write_experts,
        "hybrid": write_hybrid,
        "sliding": write_sliding,
    }.items():
        write(weights)
        add_model(models, name, weights)
    write_scripted(weights, "the script")
    add_model(models, "scripted", weights)
    add_endless(models)
    return folder


@pytest.fixture(scope="module")
def on_gpu(folder: Path, gpu: Device) -> Iterator[Daemon]:
    """One for which it is named, as very small models stay with the processor otherwise."""
    with running_daemon(folder, DEVICE=gpu.name) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def on_cpu(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that must not touch the GPU, with the same models."""
    own = tmp_path_factory.mktemp("cpu")
    with running_daemon(own, MODELS=str(folder / "models"), DEVICE="cpu") as daemon:
        yield daemon
