"""Adapters' files: which of them fit a model. Those that are let through load and compute; the others might abort."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ollapy.errors import InvalidModel
from ollapy.gguf import check_adapter, read_header
from tests.support.raw_gguf import (
    F64,
    U32,
    Row,
    array,
    f32,
    model,
    model_rows,
    scalar,
    text,
    u32,
    write,
)

F16, Q8_0, I32, F64_TENSOR = 1, 8, 26, 28
KEYS = {
    "general.architecture": text("llama"),
    "general.type": text("adapter"),
    "adapter.type": text("lora"),
    "adapter.lora.alpha": f32(4.0),
}
UNTIED = [*model_rows(), Row("output.weight", (32, 120))]
QUERY = "blk.0.attn_q.weight"


def pair(
    name: str, inputs: int, outputs: int, rank: int = 4, rank_of_up: int | None = None
) -> list[Row]:
    return [
        Row(f"{name}.lora_a", (inputs, rank)),
        Row(f"{name}.lora_b", (rank_of_up or rank, outputs)),
    ]


def embedding(rank_of_up: int = 4) -> list[Row]:
    name = "token_embd.weight"
    return [
        Row(f"{name}.lora_a", (4, 120)),
        Row(f"{name}.lora_b", (rank_of_up, 32)),
    ]


QUERIES = pair(QUERY, 32, 32)
GOOD = {
    "one matrix": write(KEYS, QUERIES),
    "of another rank": write(KEYS, [*QUERIES, *pair("blk.0.attn_k.weight", 32, 16, 1)]),
    "without alpha": write({k: v for k, v in KEYS.items() if "alpha" not in k}, QUERIES),
    "with norms": write(KEYS, [*QUERIES, Row("blk.0.attn_norm.weight", (32,))]),
    "half floats": write(KEYS, [Row(r.name, r.shape, F16, nbytes=r.size // 2) for r in QUERIES]),
    "table": write(KEYS, embedding()),
    "output": write(KEYS, pair("output.weight", 32, 120)),
}  # fmt: skip
BAD = {
    "a model": (model(), "no LoRA adapter"),
    "a control vector": (write(KEYS | {"adapter.type": text("cvec")}, QUERIES), "no LoRA"),
    "another architecture": (write(KEYS | {"general.architecture": text("qwen2")}, QUERIES), "for a qwen2 model, and this one is llama"),
    "alpha of 64 bits": (write(KEYS | {"adapter.lora.alpha": scalar(F64, 4.0)}, QUERIES), "alpha is not a number of 32 bits"),
    "alpha whole": (write(KEYS | {"adapter.lora.alpha": u32(4)}, QUERIES), "alpha is not"),
    "alpha a text": (write(KEYS | {"adapter.lora.alpha": text("4")}, QUERIES), "alpha is not"),
    "alpha endless": (write(KEYS | {"adapter.lora.alpha": f32(float("inf"))}, QUERIES), "alpha is not"),
    "activated": (write(KEYS | {"adapter.alora.invocation_tokens": array(U32, [1])}, QUERIES), "activated LoRA"),
    "nothing": (write(KEYS), "changes nothing"),
    "half of a pair": (write(KEYS, QUERIES[:1]), f"has no {QUERY}.lora_b"),
    "other half": (write(KEYS, QUERIES[1:]), f"has no {QUERY}.lora_a"),
    "a tensor of its own": (write(KEYS, [*QUERIES, Row("extra", (32,))]), "tensor extra is no part"),
    "a layer more": (write(KEYS, pair("blk.7.attn_q.weight", 32, 32)), "another model, this one has no blk.7"),
    "other inputs": (write(KEYS, pair(QUERY, 16, 32)), "another size"),
    "other outputs": (write(KEYS, pair(QUERY, 32, 16)), "another size"),
    "other rank": (write(KEYS, pair(QUERY, 32, 32, 4, 2)), "another size"),
    "transposed": (write(KEYS, [Row(f"{QUERY}.lora_a", (4, 32)), Row(f"{QUERY}.lora_b", (32, 4))]), "another size"),
    "experts": (write(KEYS, [Row(f"{QUERY}.lora_a", (32, 4, 2)), Row(f"{QUERY}.lora_b", (4, 32, 2))]), "another size"),
    "a vector": (write(KEYS, pair("output_norm.weight", 32, 1)), "another size"),
    "table of two ranks": (write(KEYS, embedding(2)), "another size"),
    "whole numbers": (write(KEYS, [Row(r.name, r.shape, I32) for r in QUERIES]), "is I32, not floats"),
    "doubles": (write(KEYS, [Row(r.name, r.shape, F64_TENSOR, nbytes=r.size * 2) for r in QUERIES]), "is F64"),
}  # fmt: skip


def check(folder: Path, adapter: bytes, rows: list[Row]) -> tuple[Path, Path]:
    """The two files, where they fit."""
    (base := folder / "base.gguf").write_bytes(model(rows=rows))
    (file := folder / "adapter.gguf").write_bytes(adapter)
    check_adapter(read_header(file), read_header(base))
    return base, file


@pytest.mark.parametrize("adapter", GOOD.values(), ids=GOOD)
def test_what_fits_loads_and_computes(tmp_path: Path, adapter: bytes) -> None:
    assert computes(*check(tmp_path, adapter, UNTIED)) == 0


@pytest.mark.parametrize(("adapter", "sentence"), BAD.values(), ids=BAD)
def test_what_does_not_fit(tmp_path: Path, adapter: bytes, sentence: str) -> None:
    with pytest.raises(InvalidModel, match=sentence):
        check(tmp_path, adapter, UNTIED)


def test_a_table_that_is_the_output_too(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match="output as well"):
        check(tmp_path, GOOD["table"], model_rows())
    base, file = tmp_path / "base.gguf", tmp_path / "adapter.gguf"

    assert computes(base, file) < 0, "llama.cpp can do it now: let it"


SCRIPT = """
import resource, sys
from pathlib import Path

from ollapy.api.adapters import Adapter
from ollapy.llama.adapters import Adapters
from ollapy.llama.context import open_context
from ollapy.llama.model import open_model

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
base, file = sys.argv[1:]
with (
    open_model([Path(base)], on_progress=lambda _: None) as model,
    open_context(
        model, num_cells=64, max_sequences=1, num_batch=8, num_threads=1
    ) as context,
):
    Adapters(model).use(context, (Adapter("a", file, 0),))
    context.decode([3, 4], [0, 1], [0, 0], [1])
"""


def computes(base: Path, file: Path) -> int:
    """The exit status of a process that computes with the adapter; negative where a signal ended it."""
    command = [sys.executable, "-c", SCRIPT, str(base), str(file)]
    return subprocess.run(command, check=False, capture_output=True).returncode
