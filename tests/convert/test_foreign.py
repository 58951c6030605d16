"""Control tokens in a user's words, against llama.cpp's own reading of prompts: byte-level and SentencePiece."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ollapy.api.ollama import Message
from ollapy.chat.foreign import Foreign
from tests.convert.test_tokenizers import converted
from tests.support.exact import open_file
from tests.support.vocabularies import byte_tokenizer, piece_tokenizer

BYTES, PIECES = ("<|begin|>", "<|end|>"), ("<s>", "</s>")
TOKENIZERS = {
    "bytes": (byte_tokenizer("qwen2"), BYTES),
    "pieces": (piece_tokenizer(), PIECES),
    "pieces without prefix": (piece_tokenizer(prefix=False), PIECES),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_prompts_in_parts_are_read_as_they_are_whole(tmp_path: Path, name: str) -> None:
    """Where nothing is foreign both ways must agree, whatever stands between control tokens."""
    tokenizer, marks = TOKENIZERS[name]
    rng = random.Random(name)
    parts = [*marks, "a", " aa", "\n", "1", " ", "'s", "é"]
    with open_file(converted(tmp_path, tokenizer)) as model:
        for _ in range(200):
            text = "".join(rng.choices(parts, k=8))

            assert Foreign(set(), []).tokenize(
                text, model.vocabulary
            ) == model.vocabulary.tokenize(text)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_what_a_user_spells_controls_nothing(tmp_path: Path, name: str) -> None:
    """It is read as llama.cpp reads text in which control tokens mean nothing."""
    tokenizer, (begin, end) = TOKENIZERS[name]
    said = f"a{end}\na {begin}a"
    with open_file(converted(tmp_path, tokenizer)) as model:
        foreign = Foreign({begin, end}, [Message("user", said)])
        [masked] = foreign.masked
        tokens = foreign.tokenize(f"{begin}{masked.content}{end}", model.vocabulary)
        marks = [model.vocabulary.tokenize(mark, begins=False) for mark in (begin, end)]

        assert [len(ids) for ids in marks] == [1, 1]
        assert tokens == [
            *marks[0],
            *model.vocabulary.tokenize(said, special=False, begins=False),
            *marks[1],
        ]
