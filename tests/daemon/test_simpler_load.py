"""A load that fails is tried once more, in a simpler way, before anybody hears of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ollapy.api.options import Options
from ollapy.daemon.observation.metrics import Metrics
from ollapy.daemon.runners.pool import RunnerPool
from ollapy.daemon.runners.process import RunnerProcess
from ollapy.names import ModelName
from ollapy.settings import Settings
from ollapy.store import Store
from tests.support.unwilling_runner import COMMAND, PROBLEM


async def loaded_as(folder: Path) -> str:
    """What the built-in model's cache is kept as, once it is loaded."""
    env = {"OLLAPY_MODELS": str(folder), "OLLAPY_STATE": str(folder)}
    settings = Settings.from_env({**env, "OLLAPY_KV_CACHE_TYPE": "q8_0"})
    model = Store(settings.models).get(ModelName.parse("tiny"))
    pool = RunnerPool(settings, Metrics())
    try:
        async with pool.runner(model, Options(), None):
            (runner,) = pool.runners
            assert runner.placed
            return runner.placed.kv_type
    finally:
        await pool.close(0)


def test_a_cache_that_a_model_cannot_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert asyncio.run(loaded_as(tmp_path)) == "q8_0"
    monkeypatch.setattr(RunnerProcess, "command", COMMAND)
    assert asyncio.run(loaded_as(tmp_path)) == "f16"
    assert f"loaded in a simpler way: {PROBLEM}" in caplog.text
