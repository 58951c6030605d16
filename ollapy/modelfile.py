"""Modelfiles: Ollama's text format for a model made from another.

    FROM llama3.2            one instruction a line, its name in any case
    SYSTEM \"\"\"Be brief.
    Be kind.\"\"\"             a quoted value ends at the first line that ends in its quotes

There are no escapes, so a text with a line that ends in three quotes cannot be written down.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ollapy.errors import InvalidRequest

_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMMANDS = ("from", "license", "template", "system", "adapter", "draft", "renderer", "parser", "parameter", "message", "requires")
_ROLES = ("system", "user", "assistant")
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f]")
_NOTHING = re.compile(r"(?:\s|#[^\n]*)*")
_WORD = re.compile(r"([A-Za-z]*)([ \t]*)")
_PARAMETER = re.compile(r"([A-Za-z0-9_]*)([ \t]*)")
_VALUE = re.compile(
    r"""
      \"{3} (?P<triple>.*?) \"{3} [^\S\n]* (?:\n|\Z)
    | \" (?!\"\") (?P<single>.*?) \" [^\S\n]* (?:\n|\Z)
    | (?!\") (?P<plain>[^\n]+)
    """,
    re.DOTALL | re.VERBOSE,
)
_SEMVER = re.compile(r"v?(0|[1-9]\d*)(\.(0|[1-9]\d*)){0,2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
