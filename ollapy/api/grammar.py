"""Grammar: what an answer must be, as a request says it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class GrammarKind(StrEnum):
    """How a grammar is written."""

    SCHEMA = "schema"
    REGEX = "regex"
    CHOICE = "choice"
    LARK = "lark"


class Grammar(msgspec.Struct, frozen=True):
    """`source` is a JSON Schema object, a regular expression, a list of texts, or a grammar in Lark's syntax."""

    kind: GrammarKind
    source: Any


# What `format: "json"` means: any object.
ANY_OBJECT = Grammar(GrammarKind.SCHEMA, {"type": "object"})
