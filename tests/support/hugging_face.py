"""Small Hugging Face models of random weights, written without the libraries that make the real ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.vocabularies import byte_tokenizer

Matrix = NDArray[np.float32]
Tensors = dict[str, Matrix]
Table = dict[str, Any]

_SIZES: Table = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 448,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "bos_token_id": 257,
    "eos_token_id": 258,
}
_GEMMA: Table = {
    "head_dim": 32,
    "hidden_act": "gelu_pytorch_tanh",
    "hidden_activation": "gelu_pytorch_tanh",
    "query_pre_attn_scalar": 32,
    "tie_word_embeddings": True,
}
_OWN: dict[str, Table] = {
    "LlamaForCausalLM": {},
    "MistralForCausalLM": {"head_dim": 32, "sliding_window": None},
    "MixtralForCausalLM": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "Qwen2ForCausalLM": {"tie_word_embeddings": True},
    "Qwen3ForCausalLM": {"head_dim": 32},
    "Qwen3MoeForCausalLM": {
        "head_dim": 32,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 48,
        "norm_topk_prob": True,
    },
    "GemmaForCausalLM": {**_GEMMA, "query_pre_attn_scalar": None},
    "Gemma2ForCausalLM": {
        **_GEMMA,
        "sliding_window": 8,
        "attn_logit_softcapping": 5.0,
        "final_logit_softcapping": 3.0,
    },
    "Gemma3ForCausalLM": {
        **_GEMMA,
        "num_hidden_layers": 4,
        "sliding_window": 8,
        "sliding_window_pattern": 3,
        "rope_theta": 1000000.0,
        "rope_local_base_freq": 10000.0,
    },
}
ARCHITECTURES = tuple(_OWN)


def config_of(architecture: str, **changes: Any) -> Table:
    """A config.json of a model small enough for a test."""
    return {"architectures": [architecture], **_SIZES, **_OWN[architecture], **changes}


def tensors_of(config: Mapping[str, Any], seed: int = 0) -> Tensors:
    """Random tensors under the names that such a model has on the hub.

    Norms are not neutral, and attention is sharp enough that every turn of a rope is seen in the logits.
    """
    random = np.random.default_rng(seed)
    is_gemma = config["architectures"][0].startswith("Gemma")

    def draw(name: str, shape: tuple[int, ...]) -> Matrix:
        values = random.standard_normal(shape, np.float32)
        if "norm" in name:
            return 0.2 * values + np.float32(0 if is_gemma else 1)
        scale = 3.0 if ".q_proj" in name or ".k_proj" in name else 1.5
        return values * np.float32(scale / np.sqrt(shape[-1]))

    return {name: draw(name, shape) for name, shape in _shapes(config).items()}


def _shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    width, vocab = config["hidden_size"], config["vocab_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocab, width),
        "model.norm.weight": (width,),
    }
    if not config.get("tie_word_embeddings"):
        shapes["lm_head.weight"] = (vocab, width)
    for number in range(config["num_hidden_layers"]):
        block = _attention(config) | _feed_forward(config) | _norms(config)
        shapes |= {f"model.layers.{number}.{n}": shape for n, shape in block.items()}
    return shapes


def _attention(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    width, heads = config["hidden_size"], config["num_attention_heads"]
    head = config.get("head_dim") or width // heads
    rows = {"q": heads * head, "k": config["num_key_value_heads"] * head}
    rows["v"] = rows["k"]
    shapes: dict[str, tuple[int, ...]] = {
        f"self_attn.{part}_proj.weight": (size, width) for part, size in rows.items()
    }
    shapes["self_attn.o_proj.weight"] = (width, heads * head)
    architecture = config["architectures"][0]
    if architecture.startswith("Qwen2") or config.get("attention_bias"):
        shapes |= {f"self_attn.{p}_proj.bias": (size,) for p, size in rows.items()}
    if config.get("attention_bias"):
        shapes["self_attn.o_proj.bias"] = (width,)
    if architecture.startswith(("Qwen3", "Gemma3")):
        shapes |= {f"self_attn.{part}_norm.weight": (head,) for part in "qk"}
    return shapes


def _feed_forward(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    width, ffn = config["hidden_size"], config["intermediate_size"]
    experts = config.get("num_local_experts") or config.get("num_experts")
    if not experts:
        return {
            "mlp.gate_proj.weight": (ffn, width),
            "mlp.up_proj.weight": (ffn, width),
            "mlp.down_proj.weight": (width, ffn),
        }
    ffn = config.get("moe_intermediate_size") or ffn
    parts = ("w1", "w3", "w2"), "block_sparse_moe"
    if "num_experts" in config:
        parts = ("gate_proj", "up_proj", "down_proj"), "mlp"
    (gate, up, down), where = parts
    shapes: dict[str, tuple[int, ...]] = {f"{where}.gate.weight": (experts, width)}
    for number in range(experts):
        expert = f"{where}.experts.{number}"
        shapes[f"{expert}.{gate}.weight"] = shapes[f"{expert}.{up}.weight"] = (
            ffn,
            width,
        )
        shapes[f"{expert}.{down}.weight"] = (width, ffn)
    return shapes


def _norms(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    names = ["input_layernorm", "post_attention_layernorm"]
    if config["architectures"][0].startswith(("Gemma2", "Gemma3")):
        names += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    return {f"{name}.weight": (config["hidden_size"],) for name in names}


def write_model(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Tensors,
    *,
    dtype: str = "F32",
    files: int = 1,
    tokenizer: Mapping[str, Any] | None = None,
) -> Path:
    """The folder with the model's files, its tensors spread over several where asked."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config)
    write_json(folder / "tokenizer.json", tokenizer or byte_tokenizer())
    if files == 1:
        write_safetensors(folder / "model.safetensors", tensors, dtype=dtype)
        return folder
    weight_map = {}
    for number in range(files):
        name = f"model-{number + 1:05}-of-{files:05}.safetensors"
        part = dict(list(tensors.items())[number::files])
        write_safetensors(folder / name, part, dtype=dtype)
        weight_map |= dict.fromkeys(part, name)
    write_json(folder / "model.safetensors.index.json", {"weight_map": weight_map})
    return folder


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def write_safetensors(path: Path, tensors: Tensors, *, dtype: str = "F32") -> None:
    table, data = {}, bytearray()
    for name, tensor in tensors.items():
        content = encoded(tensor, dtype)
        offsets = [len(data), len(data) + len(content)]
        data += content
        table[name] = {
            "dtype": dtype,
            "shape": list(tensor.shape),
            "data_offsets": offsets,
        }
    write_raw(path, {"__metadata__": {"format": "pt"}, **table}, bytes(data))


def write_raw(path: Path, table: Mapping[str, Any], data: bytes) -> None:
    """A safetensors file with whatever table."""
    header = json.dumps(table).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)


def encoded(tensor: Matrix, dtype: str) -> bytes:
    if dtype == "BF16":  # cut, not rounded: the test computes with what is stored
        return (tensor.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    return tensor.astype({"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype]).tobytes()
