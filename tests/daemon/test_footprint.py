"""What is reckoned from a header is what llama.cpp takes, for models of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ollapy.daemon.runners.footprint import KV_TYPES, Footprint
from ollapy.gguf import read_header
from ollapy.llama.context import open_context
from ollapy.llama.devices import buffers
from ollapy.llama.library import log
from ollapy.llama.model import open_model
from scripts.make_gguf import (
    write_experts,
    write_hybrid,
    write_qwen2,
    write_random,
    write_recurrent,
    write_sliding,
)

BATCH = 256
KINDS = (
    write_random,
    write_experts,
    write_qwen2,
    write_sliding,
    write_hybrid,
    write_recurrent,
)
WIDE = partial(write_random, heads=2, kv_heads=1)  # heads that are whole blocks


@pytest.mark.parametrize("num_cells", [512, 4096])
@pytest.mark.parametrize(
    ("write", "kv_type"),
    [
        *((write, "f16") for write in KINDS),
        *((WIDE, kv_type) for kv_type in KV_TYPES),
    ],
)
def test_weights_cache_and_state_to_the_byte(
    tmp_path: Path, write: Callable[[Path], None], num_cells: int, kv_type: str
) -> None:
    path = tmp_path / "model.gguf"
    write(path)
    known = len(log.buffers)
    with open_model([path], on_progress=lambda _: None) as model:
        footprint = Footprint(read_header(path), min(64, model.max_sequences), BATCH)
        with open_context(
            model,
            num_cells=num_cells,
            max_sequences=footprint.max_sequences,
            num_batch=BATCH,
            num_threads=1,
            kv_type=kv_type,
        ):
            taken = buffers()[known:]

    def size(*purposes: str) -> int:
        return sum(b.size for b in taken if b.purpose in purposes)

    hundredth = 2**20 // 100  # of a megabyte, to which the log is exact
    kept = sum(layer.keeps(num_cells, kv_type) for layer in footprint.layers)
    weights = footprint.inputs + footprint.output + sum(e.weights for e in footprint.layers)  # fmt: skip
    assert size("cache", "state") == pytest.approx(kept, abs=3 * hundredth)
    assert size("weights") == pytest.approx(weights, rel=0.01, abs=3 * hundredth)
    assert size("compute") < 1.1 * footprint.compute(num_cells) + 2**20
