"""The tensors of a model: their sizes as tables, their values drawn at random."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Tensors = dict[str, Matrix]
Sizes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes that a model's tensors follow from."""

    vocab: int
    context: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def kv_width(self) -> int:
        return self.head_width * self.kv_heads


def attention_sizes(shape: Shape) -> Sizes:
    width, kv_width = shape.width, shape.kv_width
    return {
        "attn_norm.weight": (width,),
        "attn_q.weight": (width, width),
        "attn_k.weight": (kv_width, width),
        "attn_v.weight": (kv_width, width),
        "attn_output.weight": (width, width),
    }


def head_norm_sizes(shape: Shape) -> Sizes:
    """Norms of each head's query and key."""
    head = (shape.head_width,)
    return {"attn_q_norm.weight": head, "attn_k_norm.weight": head}


def ffn_sizes(shape: Shape) -> Sizes:
    width, ffn = shape.width, shape.ffn
    return {
        "ffn_norm.weight": (width,),
        "ffn_gate.weight": (ffn, width),
        "ffn_up.weight": (ffn, width),
        "ffn_down.weight": (width, ffn),
    }


def in_blocks(blocks: Iterable[Sizes], prefix: str = "blk") -> Sizes:
    """The layers' sizes under the names that they have in the file."""
    return {
        f"{prefix}.{number}.{name}": size
        for number, block in enumerate(blocks)
        for name, size in block.items()
    }


def neutral_tensors(sizes: Sizes) -> Tensors:
    """Tensors that change nothing on the way: norms of one, all else zero."""
    return {name: _neutral(name, size) for name, size in sizes.items()}


def random_tensors(sizes: Sizes, seed: int) -> Iterator[Matrix]:
    """One after the other: neutral norms, and matrices that keep a vector's length.

    Biases are small: they are the same for all tokens, which are to make the difference.
    """
    rng = np.random.default_rng(seed)
    for name, size in sizes.items():
        if "norm" in name:
            yield _neutral(name, size)
        else:
            values = rng.standard_normal(size, np.float32)
            values /= np.sqrt(np.float32(size[1] if len(size) == 2 else 16))
            yield values


def _neutral(name: str, size: tuple[int, ...]) -> Matrix:
    return np.full(size, name.endswith("norm.weight"), np.float32)
