"""Families: the architectures that can be converted, and what is particular to each.

LLAMA    pre-norm, RMS norms, grouped heads, SwiGLU     Llama, Mistral; with experts Mixtral
QWEN2    and biases of queries, keys and values
QWEN3    and norms of each head's queries and keys      with experts Qwen3-MoE
GEMMA    GeGLU, embeddings scaled, norms stored less 1  GEMMA2 and 3: norms after too, sliding windows
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ollapy.errors import InvalidModel, Unsupported

from .config import Config

_SILU = ("silu", "swish")
_GELU = ("gelu_pytorch_tanh", "gelu")  # Gemma's "gelu" means the other one too


@dataclass(frozen=True, kw_only=True)
class Family:
    """How the models of one architecture differ from a plain Llama."""

    architecture: str  # llama.cpp's name for it
    activations: tuple[str, ...] = _SILU
    defaults: Mapping[str, Any] = field(default_factory=dict)
    turns_neighbours: bool = False  # llama.cpp's rope, against Hugging Face's halves
    has_qkv_bias: bool = False
    may_have_bias: bool = False
    has_head_norms: bool = False
    has_post_norms: bool = False
    has_window: bool = False
    has_own_output: bool = True  # a matrix of its own, unless the file says it is tied
    norm_shift: float = 0.0
    # how an expert's matrices are called: {} its number, then gate, down, up
    experts: str = ""
    expert_parts: tuple[str, str, str] = ("gate_proj", "down_proj", "up_proj")
    router: str = ""


_BASE = {"rope_theta": 10000.0, "rms_norm_eps": 1e-6, "hidden_act": "silu"}

LLAMA = Family(
    architecture="llama",
    turns_neighbours=True,
    may_have_bias=True,
    defaults={**_BASE, "max_position_embeddings": 2048},
)
MIXTRAL = Family(
    architecture="llama",
    turns_neighbours=True,
    defaults={
        **_BASE,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1e6,
        "max_position_embeddings": 131072,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
    },
    experts="block_sparse_moe.experts.{}",
    expert_parts=("w1", "w2", "w3"),
    router="block_sparse_moe.gate",
)
QWEN2 = Family(
    architecture="qwen2",
    has_qkv_bias=True,
    defaults={**_BASE, "max_position_embeddings": 32768},
)
QWEN3 = Family(
    architecture="qwen3",
    has_head_norms=True,
    defaults={**_BASE, "max_position_embeddings": 32768, "head_dim": 128},
)
QWEN3_MOE = Family(
    architecture="qwen3moe",
    has_head_norms=True,
    defaults={**_BASE, "max_position_embeddings": 32768},
    experts="mlp.experts.{}",
    router="mlp.gate",
)
_GEMMA = {
    **_BASE,
    "hidden_activation": "gelu_pytorch_tanh",
    "tie_word_embeddings": True,
    "max_position_embeddings": 8192,
    "head_dim": 256,
}
GEMMA = Family(
    architecture="gemma",
    activations=_GELU,
    has_own_output=False,
    norm_shift=1.0,
    defaults=_GEMMA,
)
GEMMA2 = Family(
    architecture="gemma2",
    activations=_GELU,
    has_own_output=False,
    norm_shift=1.0,
    has_post_norms=True,
    has_window=True,
    defaults={
        **_GEMMA,
        "query_pre_attn_scalar": 256,
        "sliding_window": 4096,
        "sliding_window_pattern": 2,
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
    },
)
GEMMA3 = Family(
    architecture="gemma3",
    activations=_GELU,
    has_own_output=False,
    norm_shift=1.0,
    has_head_norms=True,
    has_post_norms=True,
    has_window=True,
    defaults={
        **_GEMMA,
        "rope_theta": 1e6,
        "rope_local_base_freq": 1e4,
        "max_position_embeddings": 131072,
        "query_pre_attn_scalar": 256,
        "sliding_window": 4096,
        "sliding_window_pattern": 6,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "vocab_size": 262208,
    },
)

FAMILIES = {
    "LlamaForCausalLM": LLAMA,
    "MistralForCausalLM": LLAMA,
    "MixtralForCausalLM": MIXTRAL,
    "Qwen2ForCausalLM": QWEN2,
    "Qwen3ForCausalLM": QWEN3,
    "Qwen3MoeForCausalLM": QWEN3_MOE,
    "GemmaForCausalLM": GEMMA,
    "Gemma2ForCausalLM": GEMMA2,
    "Gemma3ForCausalLM": GEMMA3,
}
# Those that see images too; of these the text model is converted.
_SEEING = {
    "Gemma3ForConditionalGeneration": GEMMA3,
    "Mistral3ForConditionalGeneration": LLAMA,
}
_SUPPORTED = "Llama, Mistral, Mixtral, Qwen2, Qwen3 and Gemma 1 to 3"
_ADVICE = "look on hf.co for a ready GGUF of the model, and run that as hf.co/<user>/<repository>"


@dataclass(frozen=True)
class Recognised:
    """A model's family, and its hyperparameters with the family's defaults."""

    family: Family
    config: Config
    sees: bool


def recognise(config: Config) -> Recognised:
    """The family of a model by the first of its `architectures`."""
    names = config.get("architectures")
    if not (isinstance(names, list) and names and isinstance(names[0], str)):
        raise InvalidModel("architectures of config.json is missing")
    name = Config({"architectures": names[0]}).text("architectures")
    if "quantization_config" in config:
        raise Unsupported(
            f"the weights are quantised already, which cannot be converted; {_ADVICE}"
        )
    if name in FAMILIES:
        family = FAMILIES[name]
        return Recognised(family, config.over(family.defaults), sees=False)
    text = config.part("text_config")
    # Mistral 3 has had text models of other kinds too
    if name in _SEEING and text and text.get("model_type") != "ministral3":
        family = _SEEING[name]
        return Recognised(family, text.over(family.defaults), sees=True)
    raise Unsupported(
        f"the architecture {name} cannot be converted, only {_SUPPORTED} can; {_ADVICE}"
    )
