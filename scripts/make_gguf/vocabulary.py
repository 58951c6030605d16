"""Vocabularies: single bytes with words or pieces of a script, and single letters."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from typing import Any

import gguf

_PLAIN = [*range(33, 127), *range(161, 173), *range(174, 256)]
_STAND_INS = {byte: 256 + n for n, byte in enumerate(sorted({*range(256)} - {*_PLAIN}))}


# One template, or mappings of `name` and `template`, of which one is the default.
ChatTemplates = str | list[dict[str, str]]


def spell(piece: bytes) -> str:
    """Bytes in the printable characters that GPT-2's vocabularies write them in."""
    return piece.decode("latin-1").translate(_STAND_INS)


CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
END_OF_TEXT, END_OF_TURN = 0, 2
PROMPT_TOKENS = [*CONTROLS, *spell(bytes(range(256)))]

BERT_CONTROLS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_LETTERS = string.ascii_lowercase + string.digits + string.punctuation
# "▁" marks the start of a word; in BERT's own files "##" marks the rest instead
BERT_TOKENS = [*BERT_CONTROLS, *(f"▁{letter}" for letter in _LETTERS), *_LETTERS]

T5_CONTROLS = ["<pad>", "</s>", "<unk>"]
_T5_LETTERS = _LETTERS + string.ascii_uppercase
T5_TOKENS = [*T5_CONTROLS, "▁", *(f"▁{letter}" for letter in _T5_LETTERS), *_T5_LETTERS]


def padded_vocabulary(size: int) -> list[str]:
    """Single bytes, and words that no text is tokenised to."""
    return [*PROMPT_TOKENS, *(f"Ġw{n}" for n in range(size - len(PROMPT_TOKENS)))]


def add_byte_vocabulary(
    writer: Any,
    tokens: list[str],
    chat_template: ChatTemplates,
    merges: Iterable[str] = ("no merges",),  # llama.cpp wants some; these never apply
    controls: Iterable[str] = (),
) -> None:
    """Add tokens that begin with those of PROMPT_TOKENS, and have `controls` among them; no template if it is empty."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    _add_tokens(writer, tokens, controls={*CONTROLS, *controls})
    writer.add_token_merges(list(merges))
    writer.add_bos_token_id(END_OF_TEXT)
    writer.add_eos_token_id(END_OF_TURN)
    writer.add_add_bos_token(False)
    if chat_template:
        writer.add_chat_template(chat_template)


def add_bert_vocabulary(writer: Any) -> None:
    writer.add_tokenizer_model("bert")
    writer.add_token_type_count(1)
    _add_tokens(writer, BERT_TOKENS, controls={*BERT_CONTROLS})
    writer.add_pad_token_id(BERT_CONTROLS.index("[PAD]"))
    writer.add_unk_token_id(BERT_CONTROLS.index("[UNK]"))
    writer.add_bos_token_id(BERT_CONTROLS.index("[CLS]"))
    writer.add_sep_token_id(BERT_CONTROLS.index("[SEP]"))
    writer.add_mask_token_id(BERT_CONTROLS.index("[MASK]"))


def add_t5_vocabulary(writer: Any) -> None:
    """What is not ASCII becomes <unk>, as in the real ones; so do line breaks."""
    writer.add_tokenizer_model("t5")
    _add_tokens(writer, T5_TOKENS, controls={*T5_CONTROLS})
    writer.add_token_scores([-float(len(token)) for token in T5_TOKENS])
    writer.add_pad_token_id(T5_CONTROLS.index("<pad>"))
    writer.add_eos_token_id(T5_CONTROLS.index("</s>"))
    writer.add_unk_token_id(T5_CONTROLS.index("<unk>"))


def _add_tokens(writer: Any, tokens: Sequence[str], *, controls: set[str]) -> None:
    kinds = (gguf.TokenType.NORMAL, gguf.TokenType.CONTROL)
    writer.add_token_list(tokens)
    writer.add_token_types([kinds[token in controls] for token in tokens])
