"""Models that are damaged, hostile or of a kind that cannot be converted: one sentence each."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ollapy.create.convert.conversion import convert_folder
from ollapy.create.convert.sentencepiece import read_pieces
from ollapy.errors import Unsupported
from tests.support.hugging_face import (
    config_of,
    tensors_of,
    write_json,
    write_model,
    write_raw,
    write_safetensors,
)
from tests.support.vocabularies import byte_tokenizer, pieces_file

CONFIG = config_of("LlamaForCausalLM", num_hidden_layers=1)
TENSORS = tensors_of(CONFIG)
NORM = "model.norm.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path, CONFIG, TENSORS)


def refusal(folder: Path, out_type: str = "auto") -> str:
    """The sentence of the one error."""
    target = folder / "model.gguf"
    with pytest.raises(Unsupported) as caught:
        convert_folder(folder, target, out_type, lambda *_: None)
    assert str(folder) not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"architectures": None}, "architectures of config.json is missing"),
        ({"architectures": []}, "architectures of config.json is missing"),
        (
            {"architectures": ["Phi3ForCausalLM"]},
            "the architecture Phi3ForCausalLM cannot be converted, only Llama, Mistral, Mixtral, "
            "Qwen2, Qwen3 and Gemma 1 to 3 can; look on hf.co for a ready GGUF of the model, "
            "and run that as hf.co/<user>/<repository>",
        ),
        (
            {"num_hidden_layers": 10**9},
            "num_hidden_layers of config.json is 1000000000, not between 1 and 512",
        ),
        (
            {"num_hidden_layers": "many"},
            "num_hidden_layers of config.json is not a whole number",
        ),
        (
            {"num_hidden_layers": 2},
            "tensor model.layers.1.self_attn.q_proj.weight is missing",
        ),
        ({"hidden_size": None}, "hidden_size of config.json is missing"),
        (
            {"vocab_size": 512},
            "tensor model.embed_tokens.weight has the shape [448, 64], and by config.json it is [512, 64]",
        ),
        ({"rms_norm_eps": -1}, "rms_norm_eps of config.json is not a positive number"),
        ({"hidden_act": "relu"}, "hidden_act of config.json is relu, not silu"),
        (
            {"rope_scaling": {"rope_type": "longrope"}},
            "the rope scaling 'longrope' is not supported",
        ),
        (
            {"sliding_window": "far"},
            "sliding_window of config.json is not a whole number",
        ),
        ({"rope_scaling": []}, "rope_scaling of config.json is not a table"),
        (
            {"rope_scaling": {"rope_type": "linear"}},
            "rope_scaling.factor of config.json is missing",
        ),
        (
            {"partial_rotary_factor": 0.5},
            "partial_rotary_factor of config.json is not supported",
        ),
        (
            {"attention_bias": True},
            "tensor model.layers.0.self_attn.q_proj.bias is missing",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_configuration_is_refused(
    folder: Path, change: dict[str, Any], sentence: str
) -> None:
    write_json(folder / "config.json", {**CONFIG, **change})

    assert refusal(folder) == sentence


def test_quantised_weights_are_refused(folder: Path) -> None:
    write_json(folder / "config.json", {**CONFIG, "quantization_config": {"bits": 4}})

    assert refusal(folder).startswith("the weights are quantised already")


def test_gemma_of_another_scale_is_refused(tmp_path: Path) -> None:
    config = config_of("Gemma2ForCausalLM", query_pre_attn_scalar=99)
    write_model(tmp_path, config, tensors_of(config))

    assert refusal(tmp_path) == (
        "query_pre_attn_scalar of config.json is 99, and llama.cpp computes with 32"
    )


def _entry(**changes: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [64], "data_offsets": [0, 256], **changes}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            {NORM: _entry(data_offsets=[0, 2**63])},
            "tensor model.norm.weight of model.safetensors lies beyond the end of the file",
        ),
        (
            {NORM: _entry(data_offsets=[128, 0])},
            "tensor model.norm.weight of model.safetensors lies beyond the end of the file",
        ),
        (
            {NORM: _entry(data_offsets=[-256, 0])},
            "tensor model.norm.weight of model.safetensors lies beyond the end of the file",
        ),
        (
            {NORM: _entry(shape=[2**62, 2**62])},
            "tensor model.norm.weight of model.safetensors has 256 bytes, which its shape does not need",
        ),
        (
            {NORM: _entry(shape=[-8, -8])},
            "tensor model.norm.weight of model.safetensors has 256 bytes, which its shape does not need",
        ),
        (
            {NORM: _entry(), "other": _entry(data_offsets=[128, 384])},
            "tensors model.norm.weight and other of model.safetensors overlap",
        ),
    ],
    ids=["beyond", "backwards", "negative", "overflow", "negative shape", "overlap"],
)
def test_tensor_table_is_refused(
    folder: Path, table: dict[str, Any], sentence: str
) -> None:
    write_raw(folder / "model.safetensors", table, bytes(512))

    assert refusal(folder) == sentence


def test_malformed_tables_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    for table in ({NORM: 5}, {NORM: {"dtype": "F32"}}, [1], {NORM: _entry(shape="x")}):
        header = json.dumps(table).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header)

        assert refusal(folder).startswith("model.safetensors cannot be read: ")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        bytes(8)[:7],
        (2**62).to_bytes(8, "little") + b"{}",
        b"\x80\x02" * 9,
    ],
    ids=["empty", "one byte", "seven bytes", "endless table", "a pickle"],
)
def test_what_is_no_safetensors_file_is_refused(folder: Path, data: bytes) -> None:
    (folder / "model.safetensors").write_bytes(data)

    assert refusal(folder) == (
        "model.safetensors is cut short, or is not a safetensors file"
    )


def test_tensors_that_nothing_is_known_of_are_refused(folder: Path) -> None:
    more = {**TENSORS, "model.layers.0.self_attn.q_norm.weight": np.ones(16, "f4")}
    write_safetensors(folder / "model.safetensors", more)

    assert refusal(folder) == (
        "tensor model.layers.0.self_attn.q_norm.weight is not one that can be converted"
    )


def test_unneeded_tensors_are_left_out(folder: Path) -> None:
    more = {"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(8, "f4"), **TENSORS}
    write_safetensors(folder / "model.safetensors", more)

    assert convert_folder(folder, folder / "x.gguf", "auto", lambda *_: None) == []


def test_eight_bit_floats_are_refused(folder: Path) -> None:
    entry = _entry(dtype="F8_E4M3", data_offsets=[0, 64])
    shapes = {n: list(t.shape) for n, t in TENSORS.items()}
    table = {n: {**entry, "shape": shapes[n]} for n in TENSORS}
    write_raw(folder / "model.safetensors", table, bytes(64))

    assert refusal(folder) == (
        "tensor model.embed_tokens.weight is stored as F8_E4M3, only F64, F32, F16, BF16 can be converted"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_what_is_no_number_is_refused(folder: Path, value: float, dtype: str) -> None:
    broken = TENSORS[NORM].copy()
    broken[7] = value
    changed = {**TENSORS, NORM: broken}
    write_safetensors(folder / "model.safetensors", changed, dtype=dtype)

    assert refusal(folder) == (
        "tensor model.norm.weight holds an infinity or what is not a number"
    )


def test_numbers_too_large_for_the_type_are_refused(folder: Path) -> None:
    name = "lm_head.weight"
    changed = {**TENSORS, name: TENSORS[name] * np.float32(1e6)}
    write_safetensors(folder / "model.safetensors", changed)

    assert refusal(folder, "F16") == (
        "tensor lm_head.weight holds numbers too large for F16, convert to BF16 or F32"
    )


@pytest.mark.parametrize(
    "name", ["../model.safetensors", "/etc/passwd", "a/b.safetensors"]
)
def test_index_may_not_lead_out_of_the_folder(folder: Path, name: str) -> None:
    index = {"weight_map": {NORM: name}}
    write_json(folder / "model.safetensors.index.json", index)

    assert refusal(folder) == (
        f"model.safetensors.index.json names {name!r}, which is no file beside it"
    )


def test_incomplete_index_is_refused(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    write_json(index, {"weight_map": {NORM: "model-2.safetensors"}})
    assert refusal(folder) == (
        "model-2.safetensors is missing, which model.safetensors.index.json names"
    )

    write_json(index, {"weight_map": {"other": "model.safetensors"}})
    assert refusal(folder) == "tensor other is not in model.safetensors"


def _without_weights(folder: Path, *names: str) -> None:
    (folder / "model.safetensors").unlink()
    for name in names:
        (folder / name).write_bytes(b"\x80\x02")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "the folder holds no .safetensors file"),
        (
            ["pytorch_model.bin"],
            "the weights are PyTorch files, which may run code when",
        ),
        (
            ["consolidated.00.pth"],
            "the weights are PyTorch files, which may run code when",
        ),
        (["adapter_model.safetensors"], "the folder holds an adapter and no model"),
        (["ready.gguf"], "the folder holds a GGUF: name that file"),
        (
            ["model-1.safetensors", "model-2.safetensors"],
            "model.safetensors.index.json is missing, which says what the files hold",
        ),
    ],
    ids=["nothing", "bin", "pth", "adapter", "gguf", "no index"],
)
def test_folder_without_weights_is_refused(
    folder: Path, names: list[str], sentence: str
) -> None:
    _without_weights(folder, *names)

    assert refusal(folder).startswith(sentence)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": {"type": "Unigram", "vocab": []}}, "tokenizer.json is no BPE"),
        ({"normalizer": {"type": "Lowercase"}}, "tokenizer.json changes the text"),
        (
            {"pre_tokenizer": {"type": "Whitespace"}},
            "tokenizer.json splits text in a way",
        ),
        (
            {"added_tokens": [{"id": 2**40, "content": "x"}]},
            "an added token has the id",
        ),
        (
            {"added_tokens": [{"id": -1, "content": "x"}]},
            "an added token has the id -1",
        ),
        ({"added_tokens": [{"id": "a"}]}, "tokenizer.json cannot be read: "),
        (
            {"model": {"vocab": {"a": 2**40}, "merges": []}},
            "tokenizer.json has token ids out",
        ),
        (
            {"model": {"vocab": {"a": 0}, "merges": ["a b c"]}},
            "a merge of tokenizer.json",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_tokenizer_is_refused(
    folder: Path, change: dict[str, Any], sentence: str
) -> None:
    write_json(folder / "tokenizer.json", {**byte_tokenizer(), **change})

    assert refusal(folder).startswith(sentence)


def test_tokenizer_of_another_size_is_refused(folder: Path) -> None:
    tokens = {f"token {number}": number for number in range(600)}
    tokenizer = byte_tokenizer()
    tokenizer["model"]["vocab"] = tokens
    write_json(folder / "tokenizer.json", tokenizer)

    assert refusal(folder) == (
        "the tokenizer has 600 tokens, and by config.json there are 448"
    )


def test_damaged_sentencepiece_file_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    assert refusal(folder) == "tokenizer.json and tokenizer.model are missing"

    whole = pieces_file()
    for data in (whole[:-5], b"\x0a\xff\xff\xff\xff\x7f", b"\xff" * 40, b"\x0f\x01"):
        (folder / "tokenizer.model").write_bytes(data)
        assert refusal(folder).startswith("tokenizer.model is ")


def test_every_cut_of_a_sentencepiece_file_is_read_or_refused() -> None:
    whole = pieces_file()

    for end in range(0, len(whole), 7):
        with suppress(Unsupported):
            read_pieces(whole[:end])


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "generation_config.json"]
)
@pytest.mark.parametrize(
    "data", [b"{", b"[]", b"\xff\xfe", b"[" * 100_000], ids=range(4)
)
def test_files_that_are_no_json_are_named(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)

    assert refusal(folder).startswith(f"{name} cannot be read: ")


def test_files_of_no_sensible_size_are_refused(folder: Path) -> None:
    (folder / "config.json").write_bytes(b" " * (1 << 20) + b"{}")

    assert refusal(folder) == "config.json is larger than 1 MB"
