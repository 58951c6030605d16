"""Models of random weights with vocabularies of their own: with marks, or of SentencePiece's kind."""

from __future__ import annotations

from pathlib import Path

import gguf

from scripts.make_gguf.decoders import SMALL, add_attention, llama_block, model_sizes
from scripts.make_gguf.file import open_writer, write_tensors
from scripts.make_gguf.templates import CHATML
from scripts.make_gguf.tensors import random_tensors
from scripts.make_gguf.vocabulary import CONTROLS, PROMPT_TOKENS


def write_marked(
    path: Path,
    marks: list[str],
    *,
    keys: tuple[str, ...] = (),
    adds_bos: bool = False,
    chat_template: str = CHATML,
) -> None:
    """A model of random weights whose last tokens are marks, named by keys where those are given."""
    shape = SMALL
    words = [f"Ġw{n}" for n in range(shape.vocab - len(PROMPT_TOKENS) - len(marks))]
    tokens = [*PROMPT_TOKENS, *words, *marks]
    kinds = [gguf.TokenType.NORMAL] * len(tokens)
    for token in [*CONTROLS, *marks]:
        kinds[tokens.index(token)] = gguf.TokenType.CONTROL
    writer = open_writer(path, "llama", shape)
    add_attention(writer, shape)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["no merges"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(adds_bos)
    writer.add_chat_template(chat_template)
    for key, mark in zip(keys, marks, strict=False):
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", tokens.index(mark))
    sizes = model_sizes(shape, [llama_block(shape)] * shape.layers, is_tied=False)
    write_tensors(writer, sizes, random_tensors(sizes, 0))


def write_pieces(path: Path) -> None:
    """A model of random weights whose words begin with the mark that stands for a space."""
    kinds = {
        "<unk>": gguf.TokenType.UNKNOWN,
        "<s>": gguf.TokenType.CONTROL,
        "</s>": gguf.TokenType.CONTROL,
        **{f"<0x{byte:02X}>": gguf.TokenType.BYTE for byte in range(256)},
    }
    signs = [
        *'{}[]":,.-_abcdefghijklmnopqrstuvwxyz0123456789',
        "▁",
        '▁"',
        '":',
        "▁{",
        '"}',
    ]
    words = [f"▁w{n}" for n in range(SMALL.vocab - len(kinds) - len(signs))]
    tokens = [*kinds, *signs, *words]
    writer = open_writer(path, "llama", SMALL)
    add_attention(writer, SMALL)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(number) for number in range(len(tokens))])
    writer.add_token_types([kinds.get(t, gguf.TokenType.NORMAL) for t in tokens])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    sizes = model_sizes(SMALL, [llama_block(SMALL)] * SMALL.layers, is_tied=False)
    write_tensors(writer, sizes, random_tensors(sizes, 0))
