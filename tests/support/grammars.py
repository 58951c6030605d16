"""Grammars and what compiles them, for tests."""

from __future__ import annotations

from typing import Any

from ollapy.api.grammar import Grammar, GrammarKind
from ollapy.grammar.compiler import Compiler, Vocabulary
from ollapy.llama.model import Model


def schema(source: dict[str, Any]) -> Grammar:
    """A grammar that is a JSON Schema."""
    return Grammar(GrammarKind.SCHEMA, source)


def compiler_of(model: Model) -> Compiler:
    """A compiler for a model's vocabulary."""
    tokens = range(model.vocabulary.num_tokens)
    return Compiler(
        lambda: Vocabulary(
            model.vocabulary.pieces,
            control=[token for token in tokens if not model.vocabulary.is_text(token)],
            ends=[token for token in tokens if model.vocabulary.is_end(token)],
        )
    )
