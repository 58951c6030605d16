"""Headers: what is read from a good file, and that no bad one is taken for good.

The B numbers are the bad-input cases of the project's reliability notes.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import nan
from pathlib import Path

import gguf as reference
import llama_cpp
import pytest

from ollapy.errors import InvalidModel, StoreError
from ollapy.gguf import Array, Header, Tensor, read_header
from ollapy.gguf.tables import ARCHITECTURES, ENCODINGS, PRE_TOKENIZERS
from tests.support.raw_gguf import (
    BOOL,
    F32,
    I8,
    I32,
    STRING,
    U8,
    U16,
    U32,
    U64,
    Row,
    array,
    boolean,
    f32,
    model,
    model_keys,
    model_rows,
    scalar,
    text,
    tokens,
    u32,
    write,
)

TINY = Path(__file__).parents[1] / "ollapy" / "store" / "tiny.gguf"
GGML = "tokenizer.ggml."
LLAMA = "llama."
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Header]:
    """Reads the header of a file with these bytes."""

    def read(data: bytes, *, arrays: bool = False, part: bool = False) -> Header:
        path = tmp_path / "model.gguf"
        path.write_bytes(data)
        return read_header(path, arrays=arrays, part=part)

    return read


def vocabulary(tokenizer: str, words: Sequence[str | bytes], **keys: bytes) -> bytes:
    """A model with another vocabulary, its end-of-text tokens not given."""
    return model(
        {
            GGML + "model": text(tokenizer),
            GGML + "tokens": array(STRING, words),
            GGML + "token_type": array(I32, [1] * len(words)),
            GGML + "bos_token_id": None,
            GGML + "eos_token_id": None,
            **{GGML + name: value for name, value in keys.items()},
        }
    )


def hyper(**keys: bytes | None) -> bytes:
    """A model with other hyperparameters; a `__` in a name is a dot in the key."""
    return model(
        {LLAMA + name.replace("__", "."): value for name, value in keys.items()}
    )


def with_row(**changes: object) -> bytes:
    """A model whose last tensor is described differently."""
    rows = model_rows()
    return model(rows=[*rows[:-1], replace(rows[-1], **changes)])  # type: ignore[arg-type]


def raw_value(kind: int, rest: bytes) -> bytes:
    return kind.to_bytes(4, "little") + rest


def length(number: int) -> bytes:
    return number.to_bytes(8, "little")


# ---- good files


def test_tiny() -> None:
    header = read_header(TINY)

    assert header.version == 3
    assert header.architecture == "llama"
    assert header.get("block_count") == header.num_layers == 4
    assert header.context_length == 4096
    assert header.embedding_length == 256
    assert header.num_parameters == 3_541_248
    assert header.weights_bytes == 3_769_344
    assert header.file_type == "Q8_0"
    assert header.pooling_type is None
    assert not header.is_embedding
    assert header.can_infill
    assert header.kv_bytes_per_cell == 4 * 2 * 2 * (32 + 32)
    assert header.chat_template is not None
    assert "<think>" in header.chat_template


def test_metadata_and_tensors_are_those_of_the_reference_reader() -> None:
    expected = reference.GGUFReader(TINY)

    header = read_header(TINY, arrays=True)

    assert header.metadata == {
        name: tuple(field.contents())
        if isinstance(field.contents(), list)
        else field.contents()
        for name, field in expected.fields.items()
        if not name.startswith("GGUF.")
    }
    assert [
        (t.name, t.shape, t.type_name, t.offset, t.nbytes) for t in header.tensors
    ] == [
        (
            t.name,
            tuple(t.shape),
            t.tensor_type.name,
            t.data_offset - expected.data_offset,
            t.n_bytes,
        )
        for t in expected.tensors
    ]
    assert header.data_offset == expected.data_offset


def test_long_arrays_stay_in_the_file() -> None:
    header = read_header(TINY)

    found = header.metadata[GGML + "tokens"]
    assert isinstance(found, Array)
    assert (found.type, found.length) == ("string", 2048)


def test_encodings_are_those_of_the_gguf_package() -> None:
    """Two rows differ: the package's Q8_1 is an old one, and it does not know Q2_0 yet."""
    theirs = {int(kind): size for kind, size in reference.GGML_QUANT_SIZES.items()}
    ours = {
        kind: (encoding.block, encoding.nbytes) for kind, encoding in ENCODINGS.items()
    }

    assert ours == theirs | {9: (32, 36), 42: (64, 18)}
    assert all(
        reference.GGMLQuantizationType(kind).name == ENCODINGS[kind].name
        for kind in theirs
    )


def test_small_model(read: Callable[..., Header]) -> None:
    header = read(model())

    assert header.tensors[:2] == (
        Tensor("token_embd.weight", (32, 120), 0, 0),
        Tensor("output_norm.weight", (32,), 0, 32 * 120 * 4),
    )
    assert header.metadata[LLAMA + "rope.freq_base"] == 10000.0
    assert header.file_type == "unknown"
    assert header.chat_template is None


GOOD = {
    "version 2": write(model_keys(), model_rows(), version=2),
    "extra keys": model({"my.own.key": array(F32, [nan]), "other": text("")}),
    "value that is not UTF-8": model({"general.description": text(b"\xff")}),
    "alignment 64": write(model_keys() | {"general.alignment": u32(64)}, model_rows(), alignment=64),
    "experts": hyper(expert_count=u32(4), expert_used_count=u32(2)),
    "experts by layer": hyper(expert_count=u32(4), expert_used_count=array(U32, [2])),
    "expert groups": hyper(expert_count=u32(4), expert_used_count=u32(2), expert_group_count=u32(2), expert_group_used_count=u32(1)),
    "heads by layer": hyper(attention__head_count_kv=array(U32, [2])),
    "hybrid": hyper(
        block_count=u32(2),
        attention__head_count=array(U32, [0, 4]),
        attention__head_count_kv=array(U32, [0, 2]),
        ssm__state_size=u32(16),
    ),
    "mamba": hyper(attention__head_count=u32(0), attention__head_count_kv=None, ssm__state_size=u32(16)),
    "draft layer without heads": hyper(block_count=u32(2), nextn_predict_layers=u32(1), attention__head_count=array(U32, [4])),
    "wide heads": hyper(embedding_length=u32(33), attention__key_length=u32(8)),
    "yarn": hyper(rope__scaling__type=text("yarn"), rope__scaling__factor=f32(4)),
    "whole split": model({"split.count": scalar(U16, 1), "split.no": scalar(U16, 0)}),
    "no vocabulary": model({GGML + "model": text("no_vocab")}),
    "padding id for none": model({GGML + "padding_token_id": u32(2**32 - 1), GGML + "unknown_token_id": u32(2**32 - 1)}),
    "tokens that are not UTF-8": vocabulary("gpt2", [b"\xff", b"\xfe", *tokens()]),
    "empty tokens": vocabulary("gpt2", ["", "", *tokens()]),
    "sentencepiece": vocabulary("llama", [*tokens(), *BYTES], scores=array(F32, [0] * 376)),
    "sentencepiece of raw bytes": vocabulary("llama", [*tokens(), *(bytes([b]) for b in range(1, 256)), "<0x00>"]),
    "bert": vocabulary("bert", tokens()),
    "rwkv": vocabulary("rwkv", ["<", ">", "s", "\\n", "\\xe4", "<s>", "\\n\\n", "\\xe4\\xbd"]),
    "kimi without merges": model({GGML + "pre": text("kimi-k2"), GGML + "merges": None}),
    "projector": write({"general.architecture": text("clip"), "general.type": text("mmproj")}, model_rows()),
    "old projector": write({"general.architecture": text("clip")}, model_rows()),
    "adapter": write({"general.architecture": text("llama"), "general.type": text("adapter")}, model_rows()),
}  # fmt: skip


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_accepts(read: Callable[..., Header], data: bytes) -> None:
    read(data)


def test_kv_of_a_hybrid_counts_the_layers_with_attention(
    read: Callable[..., Header],
) -> None:
    assert read(GOOD["hybrid"]).kv_bytes_per_cell == 2 * 2 * (8 + 8)


def test_kv_of_every_second_layer(read: Callable[..., Header]) -> None:
    header = read(hyper(block_count=u32(4), full_attention_interval=u32(2)))

    assert header.kv_heads == (0, 2, 0, 2)


def test_kv_without_own_heads_or_with_own_widths(read: Callable[..., Header]) -> None:
    widths = {"attention__key_length": u32(16), "attention__value_length": u32(4)}

    assert read(
        hyper(attention__head_count_kv=None, **widths)
    ).kv_bytes_per_cell == 2 * 4 * (16 + 4)


def test_an_embedding_model_keeps_no_kv(read: Callable[..., Header]) -> None:
    header = read(hyper(pooling_type=u32(1), attention__causal=boolean(0)))

    assert header.is_embedding
    assert header.kv_bytes_per_cell == 0


def test_a_projector_has_no_lengths(read: Callable[..., Header]) -> None:
    header = read(GOOD["projector"])

    assert not header.is_model
    assert (header.context_length, header.num_layers, header.kv_bytes_per_cell) == (
        0,
        0,
        0,
    )


def test_a_part_of_a_split_model_is_read_on_demand(read: Callable[..., Header]) -> None:
    keys = {"split.count": scalar(U16, 3), "split.no": scalar(U16, 1)}

    assert len(read(write(keys, model_rows()), part=True).tensors) == len(model_rows())
    with pytest.raises(InvalidModel, match="part 2 of 3 of a split model"):
        read(model(keys))
    with pytest.raises(InvalidModel, match=r"split.no is 1"):
        read(model({"split.no": scalar(U16, 1)}), part=True)


# ---- bad files

NO_KEYS: dict[str, bytes] = {}
BAD = {
    "B095 empty": (b"", "not a GGUF file"),
    "B095 magic alone": (b"GGUF", "ends inside its header"),
    "B095 8 bytes": (model()[:8], "ends inside its header"),
    "B095 23 bytes": (model()[:23], "ends inside its header"),
    "B095 another format": (b"PK\3\4" + bytes(100), "not a GGUF file"),
    "B097 version 0": (write(NO_KEYS, version=0), "version 0"),
    "B097 version 99": (write(NO_KEYS, version=99), "version 99"),
    "B097 version max": (write(NO_KEYS, version=2**32 - 1), "version 4294967295"),
    "B097 big-endian": (write(NO_KEYS, version=3 << 24), "big-endian"),
    "B098 version 1": (write(NO_KEYS, version=1), "version 1 is not"),
    "B100 2^64-1 tensors": (write(model_keys(), num_rows=2**64 - 1), "tensors, more than"),
    "B100 2^63-1 tensors": (write(model_keys(), num_rows=2**63 - 1), "tensors, more than"),
    "B100 10^9 tensors": (write(model_keys(), num_rows=10**9), "tensors, more than"),
    "B100 more tensors than written": (write(model_keys(), model_rows(), num_rows=60_000, with_data=False), "tensor|ends"),
    "B100 2^64-1 keys": (write(model_keys(), num_keys=2**64 - 1), "keys, more than"),
    "B101 key of 2^63 bytes": (write(NO_KEYS, num_keys=1)[:24] + length(2**63), "a key has"),
    "B101 key of 2^32 bytes": (write(NO_KEYS, num_keys=1)[:24] + length(2**32), "a key has"),
    "B101 key of 64 KiB + 1": (model({"k" * (64 * 1024 + 1): u32(1)}), "a key has 65537 bytes"),
    "B101 empty key": (model({"": u32(1)}), "a key is empty"),
    "B101 key with NUL": (model({"a\0b": u32(1)}), "a key is empty or holds a NUL"),
    "B101 key that is not UTF-8": (write([(b"\xff\xfe", u32(1))]), "a key is not UTF-8"),
    "B103 block_count 0": (hyper(block_count=u32(0)), "block_count is 0"),
    "B103 block_count 513": (hyper(block_count=u32(513)), "block_count is 513"),
    "B103 block_count max": (hyper(block_count=u32(2**32 - 1)), "block_count is 4294967295"),
    "B103 block_count -1": (hyper(block_count=scalar(I32, -1)), "block_count is -1"),
    "B103 block_count string": (hyper(block_count=text("4")), "block_count is not a whole number"),
    "B103 block_count bool": (hyper(block_count=boolean(1)), "block_count is not a whole number"),
    "B103 block_count missing": (hyper(block_count=None), "block_count is missing"),
    "B104 duplicate key": (write([*model_keys().items(), ("general.architecture", text("x"))]), "general.architecture appears twice"),
    "B104 alignment 0": (model({"general.alignment": u32(0)}), "general.alignment"),
    "B104 alignment 3": (model({"general.alignment": u32(3)}), "general.alignment"),
    "B104 alignment 2^31": (model({"general.alignment": u32(2**31)}), "general.alignment"),
    "B104 alignment string": (model({"general.alignment": text("32")}), "general.alignment"),
    "B106 head_count 0": (hyper(attention__head_count=u32(0), attention__head_count_kv=None), "head_count is 0"),
    "B106 head_count missing": (hyper(attention__head_count=None), "head_count is 0"),
    "B106 head_count over embedding": (hyper(attention__head_count=u32(64)), "head_count is 64"),
    "B106 head_count max": (hyper(attention__head_count=u32(2**32 - 1)), "head_count is 4294967295"),
    "B106 head_count too short": (hyper(block_count=u32(3), attention__head_count=array(U32, [4, 4])), "head_count is not one number"),
    "B106 head_count too long": (hyper(attention__head_count=array(U32, [4, 4])), "head_count is not one number"),
    "B106 head_count of 600": (hyper(attention__head_count=array(U32, [4] * 600)), "head_count is not one number"),
    "B106 head_count of 60 000": (hyper(attention__head_count=array(U32, [4] * 60_000)), "head_count is not one number"),
    "B106 head_count of floats": (hyper(attention__head_count=array(F32, [nan])), "head_count is not one number"),
    "B106 head_count of strings": (hyper(attention__head_count=array(STRING, ["4"])), "head_count is not one number"),
    "B106 head_count_kv over head_count": (hyper(attention__head_count_kv=u32(8)), "head_count_kv is 8"),
    "B106 head_count_kv not dividing": (hyper(attention__head_count_kv=u32(3)), "head_count_kv is 3"),
    "B106 head_count_kv 0": (hyper(attention__head_count_kv=u32(0)), "head_count_kv is 0"),
    "B106 feed_forward_length too long": (hyper(feed_forward_length=array(U32, [32, 32])), "feed_forward_length is not one number"),
    "B106 key_length negative": (hyper(attention__key_length=scalar(I32, -8)), "key_length is -8"),
    "B107 scores u8": (model({GGML + "scores": array(U8, [0] * 120)}), "scores is not an array of f32"),
    "B107 scores short": (model({GGML + "scores": array(F32, [0] * 119)}), "scores has 119 elements"),
    "B107 token_type u8": (model({GGML + "token_type": array(U8, [1] * 120)}), "token_type is not an array of i32"),
    "B107 token_type short": (model({GGML + "token_type": array(I32, [1])}), "token_type has 1 elements"),
    "B107 token_type scalar": (model({GGML + "token_type": u32(1)}), "token_type is not an array"),
    "B107 merges missing": (model({GGML + "merges": None}), "merges is missing"),
    "B107 merges numbers": (model({GGML + "merges": array(U32, [1])}), "merges is not an array of string"),
    "B109 bos 10^9": (model({GGML + "bos_token_id": u32(10**9)}), "bos_token_id is 1000000000"),
    "B109 eos max": (model({GGML + "eos_token_id": u32(2**32 - 1)}), "eos_token_id is 4294967295"),
    "B109 eos one too large": (model({GGML + "eos_token_id": u32(120)}), "eos_token_id is 120"),
    "B109 eot": (model({GGML + "eot_token_id": u32(120)}), "eot_token_id is 120"),
    "B109 eom string": (model({GGML + "eom_token_id": text("1")}), "eom_token_id is 1"),
    "B109 bos added and missing": (vocabulary("rwkv", ["a"], add_bos_token=boolean(1)), "bos_token_id is missing"),
    "B110 plamo2 byte": (vocabulary("plamo2", [*BYTES, "<0x-1>"]), "has a byte token that is not"),
    "B110 plamo2 without bytes": (vocabulary("plamo2", tokens()), "no token for the byte 0"),
    "B110 sentencepiece without a byte": (vocabulary("llama", [*tokens(), *BYTES[:-1]]), "no token for the byte 255"),
    "B110 rwkv without a letter": (vocabulary("rwkv", ["ab"]), "no token for 'a' alone"),
    "B110 bert without specials": (vocabulary("bert", tokens()[:50]), "bos_token_id is missing"),
    "B110 bert with bytes": (vocabulary("bert", tokens(), token_type=array(I32, [6] * 120)), "token_type has byte tokens"),
    "B110 gemma4 without bos": (vocabulary("gemma4", tokens()), "bos_token_id is missing"),
    "B110 no_vocab of 2^31": (model({GGML + "model": text("no_vocab"), LLAMA + "vocab_size": u32(2**31)}), "vocab_size"),
    "B110 unknown model": (model({GGML + "model": text("cl100k")}), "tokenizer.ggml.model is not one of"),
    "B110 model missing": (model({GGML + "model": None}), "tokenizer.ggml.model is not one of"),
    "B110 model number": (model({GGML + "model": u32(1)}), "tokenizer.ggml.model is not one of"),
    "B110 unknown pre": (model({GGML + "pre": text("gpt-17")}), "tokenizer.ggml.pre"),
    "B110 no tokens": (vocabulary("gpt2", []), "tokenizer.ggml.tokens does not have"),
    "B110 tokens missing": (model({GGML + "tokens": None}), "tokenizer.ggml.tokens does not have"),
    "B110 tokens numbers": (model({GGML + "tokens": array(U32, [1] * 120)}), "tokens is not an array of string"),
    "B110 duplicate token": (vocabulary("gpt2", [*tokens(), "t7"]), "has the token 't7' twice"),
    "B110 duplicate up to NUL": (vocabulary("gpt2", [*tokens(), "t7\0x"]), "has the token 't7' twice"),
    "B112 charsmap of 1 byte": (vocabulary("t5", tokens(), precompiled_charsmap=array(U8, [1])), "precompiled_charsmap"),
    "B112 charsmap of 0xFF": (vocabulary("t5", tokens(), precompiled_charsmap=array(I8, [-1] * 64)), "precompiled_charsmap"),
    "B112 charsmap of words": (vocabulary("t5", tokens(), precompiled_charsmap=array(U32, [1])), "precompiled_charsmap"),
    "B113 odd rope": (hyper(rope__dimension_count=u32(7)), "rope.dimension_count is 7"),
    "B113 rope wider than a head": (hyper(rope__dimension_count=u32(64)), "rope.dimension_count is 64"),
    "B113 rope scale 0": (hyper(rope__scaling__factor=f32(0)), "rope.scaling.factor is 0.0"),
    "B113 rope scale NaN": (hyper(rope__scaling__factor=f32(nan)), "rope.scaling.factor is not a number"),
    "B113 old rope scale": (hyper(rope__scale_linear=f32(-1)), "rope.scale_linear is -1.0"),
    "B113 rope scaling type": (hyper(rope__scaling__type=text("su")), "rope.scaling.type"),
    "B113 context_length 0": (hyper(context_length=u32(0)), "context_length is 0"),
    "B113 context_length max": (hyper(context_length=u32(2**32 - 1)), "context_length is 4294967295"),
    "B113 context_length 2^40": (hyper(context_length=scalar(U64, 2**40)), "context_length is 1099511627776"),
    "B113 embedding_length 0": (hyper(embedding_length=u32(0)), "embedding_length is 0"),
    "B113 embedding_length 33": (hyper(embedding_length=u32(33)), "does not divide 33"),
    "B113 epsilon NaN": (hyper(attention__layer_norm_rms_epsilon=f32(nan)), "layer_norm_rms_epsilon is not a number"),
    "B113 epsilon negative": (hyper(attention__layer_norm_rms_epsilon=f32(-1)), "layer_norm_rms_epsilon is negative"),
    "B115 template of 4 MB": (model({"tokenizer.chat_template": text("x" * 4_000_000)}), "tokenizer.chat_template has 4000000"),
    "B115 named templates": (model({f"tokenizer.chat_template.n{n}": text("") for n in range(10_000)}), "10000 variants"),
    "B115 template number": (model({"tokenizer.chat_template": u32(1)}), "tokenizer.chat_template is not a string"),
    "B116 part 1 of 65535": (model({"split.count": scalar(U16, 65_535)}), "part 1 of 65535 of a split model"),
    "B116 part out of range": (model({"split.count": scalar(U16, 2), "split.no": scalar(U16, 2)}), "split.no is 2"),
    "B116 part string": (model({"split.count": text("2")}), "split.count is 2"),
    "B118 5 dimensions": (with_row(shape=(1, 1, 1, 1, 1)), "blk.0.ffn_down.weight has 5 dimensions"),
    "B118 0 dimensions": (with_row(shape=()), "blk.0.ffn_down.weight has 0 dimensions"),
    "B118 dimension 0": (with_row(shape=(32, 0)), "ffn_down.weight has the impossible shape"),
    "B118 dimension -1": (with_row(shape=(32, 2**64 - 1), nbytes=0), "ffn_down.weight has the impossible shape"),
    "B118 dimension 2^63": (with_row(shape=(2**63,), nbytes=0), "ffn_down.weight has the impossible shape"),
    "B119 elements overflow": (with_row(shape=(2**40, 2**40), nbytes=0), "ffn_down.weight has the impossible shape"),
    "B119 bytes overflow": (with_row(shape=(2**31, 2**31), nbytes=0), "ffn_down.weight goes beyond the end"),
    "B119 padding overflow": (with_row(shape=(2**62 - 1,), nbytes=0), "ffn_down.weight goes beyond the end"),
    "B121 row and block": (with_row(shape=(48, 32), type=8), "ffn_down.weight has rows of 48, not a multiple of 32"),
    "B121 removed type": (with_row(type=4), "ffn_down.weight has the unknown type 4"),
    "B121 type -1": (with_row(type=2**32 - 1), "ffn_down.weight has the unknown type"),
    "B122 odd offset": (with_row(offset=1), "ffn_down.weight is at 1, not at"),
    "B122 gap": (with_row(offset=1 << 20), "ffn_down.weight is at 1048576, not at"),
    "B122 overlap": (with_row(offset=0), "ffn_down.weight is at 0, not at"),
    "B122 offset 2^63": (with_row(offset=2**63), "ffn_down.weight is at"),
    "B122 offset -32": (with_row(offset=-32), "ffn_down.weight is at"),
    "B122 past the end": (model()[:-64], "ffn_down.weight goes beyond the end"),
    "B122 two of a name": (model(rows=[*model_rows(), Row("output_norm.weight", (32,))]), "output_norm.weight appears twice"),
    "B122 name of 64 bytes": (with_row(name="n" * 64), "a tensor's name has 64 bytes"),
    "B122 name not UTF-8": (with_row(name=b"\xff"), "a tensor's name is not UTF-8"),
    "B124 data missing": (write(model_keys(), model_rows(), with_data=False), "token_embd.weight goes beyond the end"),
    "B124 no tensors": (write(model_keys()), "has no tensors"),
    "B124 huge tensor": (with_row(shape=(2**50,), nbytes=0), "ffn_down.weight goes beyond the end"),
    "B257 more experts used than there": (hyper(expert_count=u32(2), expert_used_count=u32(3)), "expert_used_count is 3"),
    "B257 no experts used": (hyper(expert_count=u32(2)), "expert_used_count is 0"),
    "B257 experts used without any": (hyper(expert_used_count=u32(1)), "expert_used_count is 1"),
    "B257 1025 experts": (hyper(expert_count=u32(1025), expert_used_count=u32(1)), "expert_count is 1025"),
    "B257 expert groups": (hyper(expert_count=u32(4), expert_used_count=u32(1), expert_group_count=u32(3), expert_group_used_count=u32(1)), "expert_group_count"),
    "B257 expert groups unused": (hyper(expert_count=u32(4), expert_used_count=u32(1), expert_group_count=u32(2)), "expert_group_used_count is 0"),
    "B257 draft layers": (hyper(nextn_predict_layers=u32(2)), "nextn_predict_layers is 2"),
    "B257 rope base 0": (hyper(rope__freq_base=f32(0)), "rope.freq_base is 0.0"),
    "B257 rope base of sliding layers": (hyper(rope__freq_base_swa=f32(float("inf"))), "rope.freq_base_swa is inf"),
    "architecture missing": (write(NO_KEYS, model_rows()), "general.architecture is missing"),
    "unknown architecture": (write({"general.architecture": text("gptoss")}, model_rows()), "llama.cpp has no architecture 'gptoss'"),
    "pictures inside": (model(rows=[*model_rows(), Row("v.patch_embd.weight", (32,))]), "its picture encoder is in the same file"),
    "architecture number": (write({"general.architecture": u32(1)}, model_rows()), "general.architecture is missing"),
    "value type 13": (model({"key": raw_value(13, b"")}), "key has the unknown type 13"),
    "array of arrays": (model({"key": raw_value(9, raw_value(9, length(1)))}), "key is an array of the unknown type 9"),
    "array of 2^63": (model({"key": array(U8, [], length=2**63)}), "key has 9223372036854775808 elements"),
    "array longer than the file": (model({"key": array(BOOL, [], length=16 << 20)}), "ends inside its header"),
    "string of 2^63": (model({"key": raw_value(8, length(2**63))}), "key has 9223372036854775808 bytes"),
    "string in an array of 2^64-1": (model({"key": raw_value(9, raw_value(8, length(1)) + length(2**64 - 1))}), "key has a string of"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD)
def test_refuses(read: Callable[..., Header], data: bytes, reason: str) -> None:
    with pytest.raises(InvalidModel, match=reason) as caught:
        read(data)

    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_refuses_b125_a_sparse_file_of_2_tb(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(model())
    with path.open("r+b") as file:
        file.truncate(2 << 40)

    with pytest.raises(InvalidModel, match="bytes follow the last tensor"):
        read_header(path)


def test_a_header_longer_than_the_first_window_is_read(
    read: Callable[..., Header],
) -> None:
    filler = "x" * (3 << 20)

    assert read(model({"filler": text(filler)})).metadata["filler"] == filler


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match="not a regular file"):
        read_header(tmp_path)
    with pytest.raises(StoreError, match="could not be read") as caught:
        read_header(tmp_path / "absent")
    assert str(tmp_path) not in str(caught.value)


# ---- damaged files


def write_damaged(folder: Path, count: int, seed: int) -> list[Path]:
    """Tiny cut off, or with a bit or a number in its header changed; its weights are a hole in the file."""
    header, rng = read_header(TINY), random.Random(seed)
    whole = TINY.read_bytes()[: header.data_offset]

    def damage(path: Path) -> Path:
        at = rng.randrange(len(whole) if rng.random() < 0.3 else 2000)
        kind = rng.choice(["cut", "number", "bit", "bit"])
        number = rng.choice([0, 1, 2**16, 2**31 - 1, 2**32 - 1]).to_bytes(4, "little")
        bit = bytes([whole[at] ^ 1 << rng.randrange(8)])
        new = {"cut": b"", "number": number, "bit": bit}[kind]
        path.write_bytes(whole[:at] + new + (whole[at + len(new) :] if new else b""))
        if new:
            os.truncate(path, header.file_size)
        return path

    return [damage(folder / f"{number}.gguf") for number in range(count)]


def test_b127_a_damaged_header_is_read_or_refused(tmp_path: Path) -> None:
    refused = 0
    for path in write_damaged(tmp_path, 1000, seed=127):
        try:
            read_header(path, arrays=True)
        except InvalidModel:
            refused += 1

    assert 200 < refused < 900


QUIET = """
import sys, llama_cpp
silent = llama_cpp.llama_log_callback(lambda *_: None)
llama_cpp.llama_log_set(silent, None)
llama_cpp.llama_backend_init()
params = llama_cpp.llama_model_default_params()
"""
LOADER = """
params.use_extra_bufts = False  # no AMX: its kernels crash where the system forbids them
params.vocab_only = sys.argv[1] == "vocabulary"
for path in sys.argv[2:]:
    print(path, flush=True)
    model = llama_cpp.llama_model_load_from_file(path.encode(), params)
    if not model:
        continue
    vocab = llama_cpp.llama_model_get_vocab(model)
    found = (llama_cpp.llama_token * 256)()
    for text in ("Hello you\\n", "\\u4f60\\u597d \\0 \\U0001f600"):
        raw = text.encode()
        llama_cpp.llama_tokenize(vocab, raw, len(raw), found, 256, True, True)
    if not params.vocab_only:
        context = llama_cpp.llama_context_default_params()
        context.n_ctx = context.n_batch = 64
        context.n_threads = context.n_threads_batch = 1
        running = llama_cpp.llama_init_from_model(model, context)
        if running:
            llama_cpp.llama_decode(running, llama_cpp.llama_batch_get_one(found, 2))
            llama_cpp.llama_free(running)
    llama_cpp.llama_model_free(model)
"""


def load_in_llama_cpp(mode: str, paths: list[Path]) -> None:
    """Loads the files one after the other in one process, which must live to the end."""
    done = subprocess.run(
        [sys.executable, "-c", QUIET + LOADER, mode, *map(str, paths)],
        capture_output=True,
        text=True,
        env={"GGML_NO_BACKTRACE": "1"},
        check=False,
    )
    assert done.returncode == 0, (
        done.stdout.splitlines()[-1:] + done.stderr.splitlines()[-3:]
    )


def is_accepted(path: Path) -> bool:
    """Whether llama.cpp would be given this file as a model, and asked for tokens."""
    try:
        header = read_header(path)
    except InvalidModel:
        return False
    return header.is_model and header.metadata[GGML + "model"] != "no_vocab"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("mode", "count"), [("vocabulary", 1000), ("model", 300)])
def test_llama_cpp_survives_what_the_reader_accepts(
    tmp_path: Path, mode: str, count: int
) -> None:
    good = [tmp_path / f"{name}.gguf" for name in GOOD]
    for path in good:
        path.write_bytes(GOOD[path.stem])

    accepted = [
        path
        for path in [*good, *write_damaged(tmp_path, count, seed=31)]
        if is_accepted(path)
    ]
    assert len(accepted) > count // 10
    load_in_llama_cpp(mode, accepted)


NAMES_LOADED = """
from tests.support.raw_gguf import model, text
params.vocab_only = True
for name in sys.stdin.read().split():
    with open(sys.argv[1], "wb") as file:
        file.write(model({"tokenizer.ggml.pre": text(name)}))
    loaded = llama_cpp.llama_model_load_from_file(sys.argv[1].encode(), params)
    if loaded:
        print(name)
        llama_cpp.llama_model_free(loaded)
"""
ARCHITECTURES_KNOWN = """
from tests.support.raw_gguf import text, write
said = []
heard = llama_cpp.llama_log_callback(lambda _level, line, _data: said.append(line))
llama_cpp.llama_log_set(heard, None)
params.vocab_only = True
for name in sys.stdin.read().split():
    with open(sys.argv[1], "wb") as file:
        file.write(write({"general.architecture": text(name)}))
    said.clear()
    assert not llama_cpp.llama_model_load_from_file(sys.argv[1].encode(), params)
    if not any(b"unknown model architecture" in line for line in said):
        print(name)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_pre_tokenizers_are_those_of_the_library(tmp_path: Path) -> None:
    """Every text in the library is tried as a name; llama.cpp refuses the wrong ones cleanly."""
    tried = words_of_the_library() | PRE_TOKENIZERS

    assert those_known(NAMES_LOADED, tried, tmp_path) == PRE_TOKENIZERS


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_architectures_are_those_of_the_library(tmp_path: Path) -> None:
    tried = words_of_the_library() | ARCHITECTURES

    assert those_known(ARCHITECTURES_KNOWN, tried, tmp_path) == ARCHITECTURES


def words_of_the_library() -> set[str]:
    """Every text in it, and every end of one: the linker keeps a text that another ends with only once."""
    library = next(Path(llama_cpp.__file__).parent.glob("lib/libllama.*")).read_bytes()
    words = re.findall(rb"(?<=\0)(?!_Z)[A-Za-z0-9._-]{2,32}(?=\0)", library)
    return {word[start:].decode() for word in words for start in range(len(word) - 1)}


def those_known(script: str, names: set[str], folder: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", QUIET + script, str(folder / "model.gguf")],
        input="\n".join(names),
        cwd=TINY.parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())
