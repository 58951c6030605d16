"""GGUF files byte by byte: a small valid model, and whatever malformed thing a test makes of it.

A value is its type number and its bytes, ready to be written: `u32(5)`, `text("x")`, `array(U8, ...)`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from random import Random
from struct import pack

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
_FORMATS = {
    U8: "B",
    I8: "b",
    U16: "H",
    I16: "h",
    U32: "I",
    I32: "i",
    F32: "f",
    BOOL: "?",
    U64: "Q",
    I64: "q",
    F64: "d",
}
_NUM_TOKENS = 120


def scalar(kind: int, value: float) -> bytes:
    return pack(f"<I{_FORMATS[kind]}", kind, value)


def u32(value: int) -> bytes:
    return scalar(U32, value)


def f32(value: float) -> bytes:
    return scalar(F32, value)


def boolean(value: int) -> bytes:
    return pack("<IB", BOOL, value)


def _string(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return pack("<Q", len(raw)) + raw


def text(value: str | bytes) -> bytes:
    return pack("<I", STRING) + _string(value)


def array(
    kind: int, values: Iterable[float | str | bytes], *, length: int | None = None
) -> bytes:
    """An array of numbers or strings; `length` lies about how many there are."""
    items = list(values)
    body = b"".join(
        _string(item)
        if isinstance(item, str | bytes)
        else pack(f"<{_FORMATS[kind]}", item)
        for item in items
    )
    return pack("<IIQ", ARRAY, kind, len(items) if length is None else length) + body


@dataclass(frozen=True)
class Row:
    """A row of the tensor table; without an offset it follows the one before."""

    name: str | bytes
    shape: tuple[int, ...]
    type: int = 0
    offset: int | None = None
    nbytes: int | None = None

    @property
    def size(self) -> int:
        return 4 * prod(self.shape) if self.nbytes is None else self.nbytes


def tokens() -> list[str]:
    return [f"t{number}" for number in range(_NUM_TOKENS)]


def model_keys(
    architecture: str = "llama", tokenizer: str = "gpt2"
) -> dict[str, bytes]:
    """The metadata of a model of one layer, which llama.cpp loads with `model_rows()`."""
    hyperparameters = {
        "context_length": u32(64),
        "embedding_length": u32(32),
        "block_count": u32(1),
        "feed_forward_length": u32(32),
        "attention.head_count": u32(4),
        "attention.head_count_kv": u32(2),
        "attention.layer_norm_rms_epsilon": f32(1e-5),
        "rope.dimension_count": u32(8),
        "rope.freq_base": f32(10000.0),
    }
    return {
        "general.architecture": text(architecture),
        **{f"{architecture}.{name}": value for name, value in hyperparameters.items()},
        "tokenizer.ggml.model": text(tokenizer),
        "tokenizer.ggml.pre": text("default"),
        "tokenizer.ggml.tokens": array(STRING, tokens()),
        "tokenizer.ggml.token_type": array(I32, [1] * _NUM_TOKENS),
        "tokenizer.ggml.merges": array(STRING, ["t 1"]),
        "tokenizer.ggml.bos_token_id": u32(1),
        "tokenizer.ggml.eos_token_id": u32(2),
    }


def model_rows(width: int = 32) -> list[Row]:
    """The tensors, with a feed-forward layer of that width."""
    layer = {
        "attn_norm": (32,),
        "attn_q": (32, 32),
        "attn_k": (32, 16),
        "attn_v": (32, 16),
        "attn_output": (32, 32),
        "ffn_norm": (32,),
        "ffn_gate": (32, width),
        "ffn_up": (32, width),
        "ffn_down": (width, 32),
    }
    return [
        Row("token_embd.weight", (32, _NUM_TOKENS)),
        Row("output_norm.weight", (32,)),
        *(Row(f"blk.0.{name}.weight", shape) for name, shape in layer.items()),
    ]


def write(
    keys: Mapping[str, bytes] | Iterable[tuple[str | bytes, bytes]],
    rows: Iterable[Row] = (),
    *,
    version: int = 3,
    num_keys: int | None = None,
    num_rows: int | None = None,
    alignment: int = 32,
    with_data: bool = True,
) -> bytes:
    """The file; weights are zeros. `num_keys` and `num_rows` lie about the counts."""
    pairs = list(keys.items() if isinstance(keys, Mapping) else keys)
    table = list(rows)
    counts = (
        len(table) if num_rows is None else num_rows,
        len(pairs) if num_keys is None else num_keys,
    )
    out = [pack("<4sIQQ", b"GGUF", version, *counts)]
    out += [_string(key) + value for key, value in pairs]
    running = 0
    for row in table:
        offset = running if row.offset is None else row.offset
        out.append(
            _string(row.name)
            + pack(f"<I{len(row.shape)}Q", len(row.shape), *row.shape)
            + pack("<IQ", row.type, offset % 2**64)
        )
        running = _padded(running + row.size, alignment)
    header = b"".join(out)
    return header.ljust(_padded(len(header), alignment), b"\0") + bytes(
        running if with_data else 0
    )


def _padded(number: int, alignment: int) -> int:
    return -(-number // alignment) * alignment


def model(
    changes: Mapping[str, bytes | None] | None = None, rows: list[Row] | None = None
) -> bytes:
    """The small valid model with some keys replaced, added or (None) left out."""
    keys = model_keys()
    for key, value in (changes or {}).items():
        if value is None:
            del keys[key]
        else:
            keys[key] = value
    return write(keys, model_rows() if rows is None else rows)


def weights(size: int = 64 << 10, seed: int = 0) -> bytes:
    """A model of so many bytes, at least 48 KiB, with weights that differ from seed to seed."""
    width = 32 + (size - len(model())) // (3 * 32 * 4)
    rows = model_rows(width)
    data = model({"llama.feed_forward_length": u32(width)}, rows)
    numbers = bytearray(Random(seed).randbytes(size))
    numbers[3::4] = b"\x3c" * len(numbers[3::4])  # as floats around 1/64
    header = len(data) - sum(_padded(row.size, 32) for row in rows)
    return data[:header] + bytes(numbers[header:])


def write_sparse(path: Path, size: int) -> Path:
    """A file of about that size, with a tensor that no model has, which takes next to nothing on the disk."""
    rows = [*model_rows(), Row("rest.weight", (1024, size // 4096))]
    header = write(model_keys(), rows, with_data=False)
    path.write_bytes(header)
    os.truncate(path, len(header) + sum(_padded(row.size, 32) for row in rows))
    return path
