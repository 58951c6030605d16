"""Models whose layers all have attention: llama, qwen2, gemma3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .file import open_writer, write_tensors
from .templates import CHATML
from .tensors import (
    Shape,
    Sizes,
    attention_sizes,
    ffn_sizes,
    head_norm_sizes,
    in_blocks,
    random_tensors,
)
from .vocabulary import ChatTemplates, add_byte_vocabulary, padded_vocabulary

SMALL = Shape(vocab=512, context=2048, width=64, layers=2, heads=4, kv_heads=2, ffn=128)


def write_random(
    path: Path,
    *,
    architecture: str = "llama",
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    kv_heads: int = 2,
    vocab: int = 512,
    context_length: int = 2048,
    seed: int = 0,
    chat_template: ChatTemplates = CHATML,
) -> None:
    """A llama of random weights: its logits depend on every token of the context.

    Another `architecture` changes the name in the file, not the tensors.
    """
    shape = Shape(
        vocab=vocab,
        context=context_length,
        width=width,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        ffn=2 * width,
    )
    writer = open_decoder(path, architecture, shape, chat_template=chat_template)
    sizes = model_sizes(shape, [llama_block(shape)] * layers, is_tied=False)
    write_tensors(writer, sizes, random_tensors(sizes, seed))


def write_qwen2(path: Path, *, context_length: int = 2048, seed: int = 0) -> None:
    """A qwen2 of random weights: biases on queries, keys and values, no output matrix."""
    shape = replace(SMALL, context=context_length)
    writer = open_decoder(path, "qwen2", shape)
    sizes = model_sizes(shape, [qwen_block(shape)] * shape.layers)
    write_tensors(writer, sizes, random_tensors(sizes, seed))


def write_qwen2vl(path: Path, *, context_length: int = 2048, seed: int = 0) -> None:
    """A qwen2vl of random weights: a qwen2 whose positions have a time, a row and a column."""
    shape = replace(SMALL, context=context_length)
    marks = ("<|vision_start|>", "<|vision_end|>")
    writer = open_decoder(path, "qwen2vl", shape, controls=marks)
    writer.add_rope_dimension_sections([2, 3, 3, 0])
    sizes = model_sizes(shape, [qwen_block(shape)] * shape.layers)
    write_tensors(writer, sizes, random_tensors(sizes, seed))


def write_sliding(
    path: Path,
    *,
    window: int = 32,
    layers: int = 4,
    context_length: int = 2048,
    controls: Sequence[str] = (),
    seed: int = 0,
) -> None:
    """A gemma3 of random weights: in every other layer a token sees `window` tokens only."""
    shape = replace(SMALL, context=context_length, layers=layers)
    writer = open_decoder(path, "gemma3", shape, controls=controls)
    writer.add_sliding_window(window)
    writer.add_sliding_window_pattern(2)
    sizes = model_sizes(shape, [_gemma_block(shape)] * layers)
    write_tensors(writer, sizes, random_tensors(sizes, seed))


def open_decoder(
    path: Path,
    architecture: str,
    shape: Shape,
    *,
    kv_heads: Sequence[int] | None = None,
    chat_template: ChatTemplates = CHATML,
    controls: Sequence[str] = (),
) -> Any:
    """A writer that holds what small decoders have in common, the vocabulary too.

    `controls` are control tokens of its own.
    """
    writer = open_writer(path, architecture, shape, kv_heads=kv_heads)
    add_attention(writer, shape)
    tokens = [*padded_vocabulary(shape.vocab - len(controls)), *controls]
    add_byte_vocabulary(writer, tokens, chat_template, controls=controls)
    return writer


def add_attention(writer: Any, shape: Shape) -> None:
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.head_width)


def model_sizes(
    shape: Shape, blocks: Iterable[Sizes], *, is_tied: bool = True
) -> Sizes:
    """All tensors; a tied model has its token embeddings for an output matrix too."""
    embedding = (shape.vocab, shape.width)
    return {
        "token_embd.weight": embedding,
        "output_norm.weight": (shape.width,),
        **({} if is_tied else {"output.weight": embedding}),
        **in_blocks(blocks),
    }


def llama_block(shape: Shape) -> Sizes:
    return attention_sizes(shape) | ffn_sizes(shape)


def qwen_block(shape: Shape) -> Sizes:
    biases: Sizes = {
        "attn_q.bias": (shape.width,),
        "attn_k.bias": (shape.kv_width,),
        "attn_v.bias": (shape.kv_width,),
    }
    return llama_block(shape) | biases


def _gemma_block(shape: Shape) -> Sizes:
    norms: Sizes = {
        "post_attention_norm.weight": (shape.width,),
        "post_ffw_norm.weight": (shape.width,),
    }
    return llama_block(shape) | head_norm_sizes(shape) | norms
