"""What a converted file says of itself: special tokens, templates, types, sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ollapy.create.convert.conversion import convert_folder
from ollapy.gguf import Header, read_header
from tests.support.exact import logits
from tests.support.hugging_face import (
    Tensors,
    config_of,
    encoded,
    tensors_of,
    write_json,
    write_model,
)
from tests.support.reference import Reference
from tests.support.vocabularies import SPECIALS, byte_tokenizer

CONFIG = config_of("LlamaForCausalLM", num_hidden_layers=1)
TENSORS = tensors_of(CONFIG)
UNK, BEGIN, END = (256 + number for number in range(len(SPECIALS)))


def header_of(folder: Path, out_type: str = "auto") -> Header:
    convert_folder(folder, folder / "model.gguf", out_type, lambda *_: None)
    return read_header(folder / "model.gguf")


def tokenizer_keys(header: Header) -> dict[str, Any]:
    """Those of single tokens."""
    start = "tokenizer.ggml."
    return {
        key.removeprefix(start): value
        for key, value in header.metadata.items()
        if key.startswith(start) and key.endswith(("_id", "_token"))
    }


def test_special_tokens_are_those_of_the_tokenizer_before_those_of_the_model(
    tmp_path: Path,
) -> None:
    around = [
        {"SpecialToken": {"id": "<|begin|>", "type_id": 0}},
        {"Sequence": {"id": "A"}},
    ]
    template = {"type": "TemplateProcessing", "single": around}
    processor = {"type": "Sequence", "processors": [{"type": "ByteLevel"}, template]}
    tokenizer = {**byte_tokenizer(), "post_processor": processor}
    write_model(tmp_path, {**CONFIG, "eos_token_id": 7}, TENSORS, tokenizer=tokenizer)
    settings = {"bos_token": "<|begin|>", "eos_token": {"content": "<|end|>"}}
    write_json(tmp_path / "tokenizer_config.json", settings)
    write_json(tmp_path / "generation_config.json", {"eos_token_id": [END, UNK]})

    assert tokenizer_keys(header_of(tmp_path)) == {
        "bos_token_id": BEGIN,
        "eos_token_id": END,
        "eot_token_id": UNK,
        "add_bos_token": True,
        "add_eos_token": False,
    }


def test_special_tokens_of_the_model_do_where_the_tokenizer_names_none(
    tmp_path: Path,
) -> None:
    write_model(tmp_path, {**CONFIG, "eos_token_id": [END, 3]}, TENSORS)
    write_json(tmp_path / "tokenizer_config.json", {"add_bos_token": True})

    assert tokenizer_keys(header_of(tmp_path)) == {
        "bos_token_id": BEGIN,
        "eos_token_id": END,
        "add_bos_token": True,
        "add_eos_token": False,
    }


def test_infill_marks_are_found_by_their_text(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    marks = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
    tokenizer["added_tokens"] += [
        {"id": 420 + number, "content": mark, "special": False}
        for number, mark in enumerate(marks)
    ]
    write_model(tmp_path, CONFIG, TENSORS, tokenizer=tokenizer)

    assert header_of(tmp_path).can_infill


def test_chat_templates_are_taken_from_settings_and_file(tmp_path: Path) -> None:
    write_model(tmp_path, CONFIG, TENSORS)
    settings = tmp_path / "tokenizer_config.json"
    write_json(settings, {"chat_template": "one"})
    assert header_of(tmp_path).chat_template == "one"

    named = [
        {"name": "default", "template": "two"},
        {"name": "tool_use", "template": "three"},
    ]
    write_json(settings, {"chat_template": named})
    header = header_of(tmp_path)
    assert header.chat_template == "two"
    assert header.metadata["tokenizer.chat_template.tool_use"] == "three"

    (tmp_path / "chat_template.jinja").write_text("four")
    assert header_of(tmp_path).chat_template == "four"


def test_name_size_and_licence_are_kept(tmp_path: Path) -> None:
    write_model(tmp_path, {**CONFIG, "_name_or_path": "somebody/Small-1"}, TENSORS)
    (tmp_path / "README.md").write_text("---\ntags: []\nlicense: apache-2.0\n---\n# Hi")

    metadata = header_of(tmp_path).metadata

    count = sum(tensor.size for tensor in TENSORS.values())
    assert metadata["general.name"] == "Small-1"
    assert metadata["general.license"] == "apache-2.0"
    assert metadata["general.size_label"] == f"{count / 1000:.0f}K"


def stored(tensors: Tensors, dtype: str) -> Tensors:
    """The tensors as they are after storing them in that type."""
    if dtype != "BF16":
        numpy_type = {"F16": np.float16}.get(dtype, np.float32)
        return {n: t.astype(numpy_type).astype("f4") for n, t in tensors.items()}
    halves = {n: np.frombuffer(encoded(t, dtype), "<u2") for n, t in tensors.items()}
    return {
        n: (half.astype("u4") << 16).view("f4").reshape(tensors[n].shape)
        for n, half in halves.items()
    }


@pytest.mark.parametrize(
    ("dtype", "chosen", "file_type"),
    [
        ("F64", "auto", 0),
        ("F32", "auto", 0),
        ("F16", "auto", 1),
        ("BF16", "auto", 32),
        ("F32", "F16", 1),
        ("F32", "BF16", 32),
        ("BF16", "F16", 1),
        ("BF16", "F32", 0),
    ],
)
def test_types_are_kept_or_changed_as_asked(
    tmp_path: Path, dtype: str, chosen: str, file_type: int
) -> None:
    write_model(tmp_path, CONFIG, TENSORS, dtype=dtype)

    header = header_of(tmp_path, chosen)

    tokens = [BEGIN, 5, 6, 7, 200, 201]
    expected = Reference(CONFIG, stored(TENSORS, dtype)).logits(tokens)
    got = logits(tmp_path / "model.gguf", tokens)
    assert header.metadata["general.file_type"] == file_type
    # what is no F32 llama.cpp multiplies in 16 bits, activations too
    tolerance = {0: 1e-4, 1: 1e-2, 32: 4e-2}[file_type]
    assert np.abs(got - expected).max() < tolerance * np.abs(expected).max()


@pytest.mark.parametrize(
    ("architecture", "text_architecture", "prefix"),
    [
        ("Gemma3ForConditionalGeneration", "Gemma3ForCausalLM", "language_model."),
        (
            "Gemma3ForConditionalGeneration",
            "Gemma3ForCausalLM",
            "model.language_model.",
        ),
        ("Mistral3ForConditionalGeneration", "MistralForCausalLM", "language_model."),
    ],
)
def test_of_a_model_that_sees_the_text_model_is_converted(
    tmp_path: Path, architecture: str, text_architecture: str, prefix: str
) -> None:
    text = config_of(text_architecture)
    tensors = tensors_of(text)
    outer = {"architectures": [architecture], "text_config": text, "vision_config": {}}
    within = {_within(prefix, name): tensor for name, tensor in tensors.items()}
    within["vision_tower.a.weight"] = np.ones((2, 2), "f4")
    write_model(tmp_path, outer, within)

    warnings = convert_folder(tmp_path, tmp_path / "x.gguf", "F32", lambda *_: None)

    got = logits(tmp_path / "x.gguf", [BEGIN, 5, 6, 7])
    expected = Reference(text, tensors).logits([BEGIN, 5, 6, 7])
    assert warnings == ["the model will not see images"]
    assert np.abs(got - expected).max() < 4e-3 * np.abs(expected).max()


def _within(prefix: str, name: str) -> str:
    """Where a text model's tensor is in a larger model."""
    if prefix.startswith("model.") and name.startswith("model."):
        return prefix + name.removeprefix("model.")
    return name if prefix.startswith("model.") else prefix + name
