"""A model whose layers have experts, of which each token meets a few."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .decoders import SMALL, model_sizes, open_decoder
from .file import write_tensors
from .tensors import Shape, Sizes, attention_sizes, random_tensors


def write_experts(
    path: Path,
    *,
    layers: int = 4,
    experts: int = 8,
    used: int = 2,
    context_length: int = 2048,
    seed: int = 0,
) -> None:
    """A llama of random weights, as Mixtral is one."""
    shape = replace(SMALL, context=context_length, layers=layers)
    writer = open_decoder(path, "llama", shape)
    writer.add_expert_count(experts)
    writer.add_expert_used_count(used)
    sizes = model_sizes(shape, [_block(shape, experts)] * layers, is_tied=False)
    write_tensors(writer, sizes, random_tensors(sizes, seed))


def _block(shape: Shape, experts: int) -> Sizes:
    width, ffn = shape.width, shape.ffn
    return attention_sizes(shape) | {
        "ffn_norm.weight": (width,),
        "ffn_gate_inp.weight": (experts, width),
        "ffn_gate_exps.weight": (experts, ffn, width),
        "ffn_up_exps.weight": (experts, ffn, width),
        "ffn_down_exps.weight": (experts, width, ffn),
    }
