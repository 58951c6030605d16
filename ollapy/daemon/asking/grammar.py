"""Grammar: what a request says that its answer must be. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ollapy.api.grammar import ANY_OBJECT, Grammar, GrammarKind
from ollapy.api.ollama import InferenceRequest
from ollapy.api.options import Options
from ollapy.errors import InvalidRequest


def grammar(request: InferenceRequest, chosen: Options) -> Grammar | None:
    """What the answer must be; None where it may be anything."""
    options: dict[GrammarKind, Any] = {
        GrammarKind.REGEX: chosen.regex,
        GrammarKind.CHOICE: chosen.choice,
        GrammarKind.LARK: chosen.grammar,
    }
    given = [Grammar(k, source) for k, source in options.items() if source is not None]
    if request.format not in (None, ""):
        given.append(_format(request.format))
    if len(given) > 1:
        raise InvalidRequest(
            "only one of format, regex, choice and grammar can say what the answer must be"
        )
    return given[0] if given else None


def _format(value: Any) -> Grammar:
    if value == "json":
        return ANY_OBJECT
    if isinstance(value, dict):
        return Grammar(GrammarKind.SCHEMA, value)
    text = msgspec.json.encode(value).decode()[:200]
    raise InvalidRequest(
        f'invalid format: {text}; expected "json" or a valid JSON Schema object'
    )
