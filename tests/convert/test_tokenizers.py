"""Converted vocabularies in llama.cpp against the `tokenizers` library, whose ids are in expected_ids.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ollapy.create.convert.conversion import convert_folder
from ollapy.gguf import read_header
from tests.support.exact import open_file
from tests.support.hugging_face import config_of, tensors_of, write_json, write_model
from tests.support.vocabularies import (
    PRE_TOKENIZERS,
    byte_tokenizer,
    piece_tokenizer,
    pieces_file,
)

EXPECTED = json.loads((Path(__file__).parent / "expected_ids.json").read_text())
CONFIG = config_of("LlamaForCausalLM", num_hidden_layers=1)
TENSORS = tensors_of(CONFIG)


def converted(folder: Path, tokenizer: dict[str, Any], **files: Any) -> Path:
    write_model(folder, CONFIG, TENSORS, tokenizer=tokenizer)
    settings = {"add_bos_token": False, "bos_token": None}
    write_json(folder / "tokenizer_config.json", settings)
    for name, value in files.items():
        write_json(folder / f"{name}.json", value)
    convert_folder(folder, folder / "model.gguf", "auto", lambda *_: None)
    return folder / "model.gguf"


def ids(path: Path, texts: list[str]) -> dict[str, list[int]]:
    with open_file(path) as model:
        return {text: model.vocabulary.tokenize(text, special=True) for text in texts}


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_byte_level_text_becomes_the_same_tokens(tmp_path: Path, name: str) -> None:
    path = converted(tmp_path, byte_tokenizer(name))

    assert read_header(path).metadata["tokenizer.ggml.pre"] == name
    assert ids(path, list(EXPECTED[name])) == EXPECTED[name]


@pytest.mark.parametrize("prefix", [True, False], ids=["prefix", "no prefix"])
@pytest.mark.parametrize("own_file", [True, False], ids=["model", "json"])
def test_pieces_become_the_same_tokens(
    tmp_path: Path, prefix: bool, own_file: bool
) -> None:
    name = "pieces" if prefix else "pieces without prefix"
    if own_file:
        (tmp_path / "tokenizer.model").write_bytes(pieces_file(prefix=prefix))

    path = converted(tmp_path, piece_tokenizer(prefix=prefix))

    assert ids(path, list(EXPECTED[name])) == EXPECTED[name]
