"""Every family, converted and computed by llama.cpp, against its plain definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ollapy.create.convert.conversion import convert_folder
from tests.support.exact import logits
from tests.support.hugging_face import (
    ARCHITECTURES,
    Tensors,
    config_of,
    tensors_of,
    write_model,
)
from tests.support.reference import Floats, Reference

TOKENS = [257, *np.random.default_rng(5).integers(0, 256, 47).tolist()]
_LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 128,
}
_YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 512,
}
_VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama3 scaling": ("LlamaForCausalLM", {"rope_scaling": _LLAMA3}),
    "linear scaling": (
        "LlamaForCausalLM",
        {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    ),
    "yarn scaling": ("Qwen2ForCausalLM", {"rope_scaling": _YARN}),
    "yarn of its own strength": (
        "LlamaForCausalLM",
        {"rope_scaling": {**_YARN, "attention_factor": 0.7}},
    ),
    "biases": ("LlamaForCausalLM", {"attention_bias": True}),
    "tied": ("LlamaForCausalLM", {"tie_word_embeddings": True}),
    "untied": ("Qwen2ForCausalLM", {"tie_word_embeddings": False}),
    "as many key heads": ("LlamaForCausalLM", {"num_key_value_heads": 4}),
    "gemma3 scaled": (
        "Gemma3ForCausalLM",
        {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    ),
}


def assert_same(got: Floats, expected: Floats, *, tolerance: float) -> None:
    assert np.abs(got - expected).max() < tolerance * np.abs(expected).max()


def check(folder: Path, config: dict[str, Any], tensors: Tensors, **how: Any) -> None:
    write_model(folder, config, tensors, **how)

    convert_folder(folder, folder / "model.gguf", "F32", lambda *_: None)

    # llama.cpp looks Gemma's activation up in a table of 16 bits; all else is computed in 32
    tolerance = 4e-3 if config["architectures"][0].startswith("Gemma") else 2e-4
    got = logits(folder / "model.gguf", TOKENS)
    assert_same(got, Reference(config, tensors).logits(TOKENS), tolerance=tolerance)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_family_computes_what_its_definition_says(
    tmp_path: Path, architecture: str
) -> None:
    config = config_of(architecture)

    check(tmp_path, config, tensors_of(config), files=2)


@pytest.mark.parametrize(("architecture", "changes"), _VARIANTS.values(), ids=_VARIANTS)
def test_variant_computes_what_its_definition_says(
    tmp_path: Path, architecture: str, changes: dict[str, Any]
) -> None:
    config = config_of(architecture, **changes)

    check(tmp_path, config, tensors_of(config))
