"""Models that make vectors, or judge pairs of texts: bert, and a qwen2 that pools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf

from .decoders import add_attention, model_sizes, qwen_block
from .file import open_writer, write_tensors
from .tensors import Shape, Sizes, in_blocks, random_tensors
from .vocabulary import (
    BERT_TOKENS,
    PROMPT_TOKENS,
    add_bert_vocabulary,
    add_byte_vocabulary,
)

POOLINGS = ("mean", "cls", "last", "rank")


def write_embedder(
    path: Path,
    *,
    pooling: str = "mean",
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    context_length: int = 512,
    rerank_template: str = "",
    seed: int = 0,
) -> None:
    """A model of random weights that turns a text into a vector.

    It is a BERT whose vocabulary is single letters. With "rank" its vector has one
    number, the score of a reranker. With "last" it is a qwen2 of single bytes instead,
    and ends each text with its end token, as causal embedders do.
    `rerank_template` puts a query and a document together for one.
    With "mean", texts that share most of their letters get similar vectors.
    """
    is_causal = pooling == "last"
    shape = Shape(
        vocab=len(PROMPT_TOKENS if is_causal else BERT_TOKENS),
        context=context_length,
        width=width,
        layers=layers,
        heads=heads,
        kv_heads=heads,
        ffn=2 * width,
    )
    writer = open_writer(path, "qwen2" if is_causal else "bert", shape)
    writer.add_pooling_type(gguf.PoolingType[pooling.upper()])
    if is_causal:
        _add_qwen(writer, shape)
    else:
        _add_bert(writer)
    if rerank_template:
        writer.add_string("tokenizer.chat_template.rerank", rerank_template)
    sizes = _sizes(shape, pooling)
    write_tensors(writer, sizes, random_tensors(sizes, seed))


def _add_qwen(writer: Any, shape: Shape) -> None:
    add_attention(writer, shape)
    add_byte_vocabulary(writer, PROMPT_TOKENS, chat_template="")
    writer.add_add_eos_token(True)


def _add_bert(writer: Any) -> None:
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    add_bert_vocabulary(writer)


def _sizes(shape: Shape, pooling: str) -> Sizes:
    if pooling == "last":
        return model_sizes(shape, [qwen_block(shape)] * shape.layers)
    if pooling == "rank":
        return _bert_sizes(shape) | _score_sizes(shape)
    return _bert_sizes(shape)


def _bert_sizes(shape: Shape) -> Sizes:
    width, ffn = shape.width, shape.ffn
    block: Sizes = {
        "attn_q.weight": (width, width),
        "attn_k.weight": (width, width),
        "attn_v.weight": (width, width),
        "attn_output.weight": (width, width),
        "attn_output_norm.weight": (width,),
        "attn_output_norm.bias": (width,),
        "ffn_up.weight": (ffn, width),
        "ffn_down.weight": (width, ffn),
        "layer_output_norm.weight": (width,),
        "layer_output_norm.bias": (width,),
    }
    return {
        "token_embd.weight": (shape.vocab, width),
        "position_embd.weight": (shape.context, width),
        "token_embd_norm.weight": (width,),
        "token_embd_norm.bias": (width,),
        **in_blocks([block] * shape.layers),
    }


def _score_sizes(shape: Shape) -> Sizes:
    return {
        "cls.weight": (shape.width, shape.width),
        "cls.bias": (shape.width,),
        "cls.output.weight": (1, shape.width),
        "cls.output.bias": (1,),
    }
