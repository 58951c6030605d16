"""Models that remember by a state: of some of their layers (lfm2), of all (mamba)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from .decoders import SMALL, model_sizes, open_decoder
from .file import open_writer, write_tensors
from .templates import CHATML
from .tensors import (
    Matrix,
    Shape,
    Sizes,
    attention_sizes,
    ffn_sizes,
    head_norm_sizes,
    in_blocks,
    random_tensors,
)
from .vocabulary import add_byte_vocabulary, padded_vocabulary

_KERNEL = 4  # tokens that a convolution sees
_STATE = 16  # numbers that a channel of a mamba remembers
_STEP_RANK = 4


def write_hybrid(path: Path, *, context_length: int = 2048, seed: int = 0) -> None:
    """An LFM2 of random weights: short convolutions in two layers, attention in two."""
    shape = replace(SMALL, context=context_length, layers=4)
    kv_heads = [0, shape.kv_heads] * 2
    writer = open_decoder(path, "lfm2", shape, kv_heads=kv_heads)
    writer.add_shortconv_l_cache(_KERNEL)
    sizes = _lfm_sizes(shape, kv_heads)
    write_tensors(writer, sizes, random_tensors(sizes, seed))


def write_recurrent(path: Path, *, context_length: int = 2048, seed: int = 0) -> None:
    """A Mamba of random weights: all that it remembers is a state of fixed size."""
    shape = replace(SMALL, context=context_length, heads=0, kv_heads=0, ffn=0)
    writer = open_writer(path, "mamba", shape)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_ssm_conv_kernel(_KERNEL)
    writer.add_ssm_inner_size(2 * shape.width)
    writer.add_ssm_state_size(_STATE)
    writer.add_ssm_time_step_rank(_STEP_RANK)
    add_byte_vocabulary(writer, padded_vocabulary(shape.vocab), CHATML)
    sizes = _mamba_sizes(shape)
    values = zip(sizes, random_tensors(sizes, seed), strict=True)
    write_tensors(
        writer, sizes, (_remembering(name, tensor) for name, tensor in values)
    )


def _lfm_sizes(shape: Shape, kv_heads: list[int]) -> Sizes:
    width = shape.width
    attention = attention_sizes(shape) | head_norm_sizes(shape)
    convolution: Sizes = {
        "attn_norm.weight": (width,),
        "shortconv.conv.weight": (width, _KERNEL),
        "shortconv.in_proj.weight": (3 * width, width),
        "shortconv.out_proj.weight": (width, width),
    }
    blocks = [
        (attention if count else convolution) | ffn_sizes(shape) for count in kv_heads
    ]
    return {
        "token_embd.weight": (shape.vocab, width),
        "token_embd_norm.weight": (width,),  # of the output, whatever its name says
        **in_blocks(blocks),
    }


def _mamba_sizes(shape: Shape) -> Sizes:
    width, inner = shape.width, 2 * shape.width
    block: Sizes = {
        "attn_norm.weight": (width,),
        "ssm_in.weight": (2 * inner, width),
        "ssm_conv1d.weight": (inner, _KERNEL),
        "ssm_conv1d.bias": (inner,),
        "ssm_x.weight": (_STEP_RANK + 2 * _STATE, inner),
        "ssm_dt.weight": (inner, _STEP_RANK),
        "ssm_dt.bias": (inner,),
        "ssm_a": (inner, _STATE),
        "ssm_d": (inner,),
        "ssm_out.weight": (width, inner),
    }
    return model_sizes(shape, [block] * shape.layers)


def _remembering(name: str, tensor: Matrix) -> Matrix:
    """A mamba's tensor such that its states fade over hundreds of tokens."""
    if name.endswith("ssm_a"):
        return (-np.exp(tensor) / 16).astype(np.float32)
    if name.endswith("ssm_dt.bias"):
        return tensor - 3  # steps of a twentieth or so, softplus being next
    return tensor
