"""What llama.cpp says that a load would take, without the load."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ollapy.api.engine import Buffer, Place, Rehearsal
from ollapy.daemon.runners import probe
from ollapy.llama.context import open_context
from ollapy.llama.devices import buffers
from ollapy.llama.library import log
from ollapy.llama.model import open_model
from ollapy.settings import Settings
from tests.conftest import TINY
from tests.support.daemon import running_daemon


def rehearsed(*paths: Path) -> list[Buffer] | None:
    asked = Rehearsal([str(path) for path in paths], 2048, 8, 256, "f16", Place())
    return asyncio.run(probe.rehearse(asked, Settings.from_env().runner_env))


def test_it_is_what_the_load_takes() -> None:
    known = len(log.buffers)
    with (
        open_model([TINY], on_progress=lambda _: None) as model,
        open_context(
            model, num_cells=2048, max_sequences=8, num_batch=256, num_threads=1
        ),
    ):
        taken = [b for b in buffers()[known:] if b.purpose == "compute"]
    assert rehearsed(TINY) == taken


def test_what_cannot_be_loaded_is_for_the_load_to_say(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(TINY.read_bytes()[:5000])
    assert rehearsed(damaged) is None
    assert rehearsed(tmp_path / "none") is None


def test_only_where_memory_is_short(tmp_path: Path) -> None:
    with running_daemon(tmp_path) as daemon:
        daemon.generate("Hi", options={"num_predict": 1})
        assert "rehearsed compute=" not in daemon.log.read_text()
    little = tmp_path / "little"
    little.mkdir()
    with running_daemon(little, MAX_MEMORY="140MB") as daemon:
        assert daemon.generate("Hi", options={"num_predict": 1})["done"]
        assert "rehearsed compute=" in daemon.log.read_text()
