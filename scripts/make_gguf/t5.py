"""A model of two halves: an encoder reads the text, a decoder writes the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .decoders import SMALL
from .file import open_writer, write_tensors
from .tensors import Matrix, Shape, Sizes, ffn_sizes, in_blocks, random_tensors
from .vocabulary import T5_CONTROLS, T5_TOKENS, add_t5_vocabulary

_BUCKETS = 32  # of distances between tokens; llama.cpp has no positions here


def write_encoder_decoder(
    path: Path, *, context_length: int = 512, seed: int = 0
) -> None:
    """A T5 of random weights: every answer starts from <pad> and depends on all the text.

    Its vocabulary is single ASCII letters.
    """
    shape = replace(SMALL, vocab=len(T5_TOKENS), context=context_length, kv_heads=4)
    writer = open_writer(path, "t5", shape)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_relative_attn_buckets_count(_BUCKETS)
    writer.add_decoder_start_token_id(T5_CONTROLS.index("<pad>"))
    add_t5_vocabulary(writer)
    sizes = _sizes(shape)
    write_tensors(writer, sizes, _calm(sizes, shape, seed))


def _sizes(shape: Shape) -> Sizes:
    layers, embedding = shape.layers, (shape.vocab, shape.width)
    own = _attention("attn", shape) | {"attn_rel_b.weight": (_BUCKETS, shape.heads)}
    cross = _attention("cross_attn", shape)
    return {
        "token_embd.weight": embedding,
        "enc.output_norm.weight": (shape.width,),
        "dec.output_norm.weight": (shape.width,),
        **in_blocks([own | ffn_sizes(shape)] * layers, "enc.blk"),
        **in_blocks([own | cross | ffn_sizes(shape)] * layers, "dec.blk"),
    }


def _attention(name: str, shape: Shape) -> Sizes:
    square = (shape.width, shape.width)
    return {
        f"{name}_norm.weight": (shape.width,),
        **{f"{name}_{part}.weight": square for part in "qkvo"},
    }


def _calm(sizes: Sizes, shape: Shape, seed: int) -> Iterator[Matrix]:
    """Random tensors; a T5 does not scale its scores, so its queries have to be short."""
    for name, tensor in zip(sizes, random_tensors(sizes, seed), strict=True):
        is_query = name.endswith("attn_q.weight")
        yield tensor / shape.head_width**0.5 if is_query else tensor
