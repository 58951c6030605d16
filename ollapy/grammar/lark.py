"""Grammars put together in llguidance's dialect of Lark.

A request's own grammar stays apart under the name `body`, so that its rules cannot meet ours.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ollapy.api.grammar import Grammar, GrammarKind
from ollapy.errors import InvalidRequest

from .schema import prepared

MAX_LARK = 32 << 10  # characters; a regular expression in it costs its square
MAX_REGEX = 4096
MAX_RULES = 500  # followed by recursion
MAX_CHOICES = 4096

# Otherwise llguidance would ask a tokenizer how a forced text is written, and forbid all other ways.
_OPTIONS = '%llguidance {"no_forcing": true}\n'
_SPACE = r"SPACE: /[ \n]{0,4}/"


@dataclass(frozen=True, slots=True)
class Thought:
    """What comes before the answer: `start`, anything, and `end`, which says that the answer follows.

    `start` is empty where the prompt has opened the thought.
    """

    start: str
    end: str


def program(grammar: Grammar, thought: Thought | None) -> str:
    """What llguidance compiles; InvalidRequest where the grammar is out of bounds."""
    rules = [_OPTIONS]
    if thought is None:
        rules.append("start: @body")
    else:
        rules += [
            f"start: {quoted(thought.start)} thought SPACE @body",
            f"thought[lazy]: /(?s:.*){_escaped(thought.end)}/",
            _SPACE,
        ]
    top = {"name": "top", "lark_grammar": "\n".join(rules)}
    return json.dumps(
        {"grammars": [top, {"name": "body", **_BODIES[grammar.kind](grammar.source)}]}
    )


def quoted(text: str) -> str:
    """A text as a Lark string, nothing where it is empty."""
    return json.dumps(text, ensure_ascii=False) if text else ""


def _escaped(text: str) -> str:
    """A text as part of a regular expression between slashes."""
    return re.escape(text).replace("/", r"\/").replace("\n", r"\n")


def _schema(source: Any) -> dict[str, Any]:
    return {"json_schema": prepared(source)}


def _regex(source: str) -> dict[str, Any]:
    if len(source) > MAX_REGEX:
        raise InvalidRequest(f"more than {MAX_REGEX} characters")
    # a slash ends it in Lark, but for one that is escaped already
    literal = re.sub(r"(\\.)|/", lambda m: m[1] or r"\/", source, flags=re.DOTALL)
    return {
        "lark_grammar": f"{_OPTIONS}start: /{literal.replace(chr(10), chr(92) + 'n')}/"
    }


def _choice(source: list[str]) -> dict[str, Any]:
    if not source or not all(source):
        raise InvalidRequest("a list of texts is needed, none of them empty")
    if len(source) > MAX_CHOICES:
        raise InvalidRequest(f"more than {MAX_CHOICES} texts")
    return {"lark_grammar": f"{_OPTIONS}start: {' | '.join(map(quoted, source))}"}


def _lark(source: str) -> dict[str, Any]:
    if len(source) > MAX_LARK:
        raise InvalidRequest(f"more than {MAX_LARK} characters")
    if source.count(":") > MAX_RULES:  # each rule has one
        raise InvalidRequest(f"more than {MAX_RULES} rules, or colons")
    return {"lark_grammar": source}


_BODIES = {
    GrammarKind.SCHEMA: _schema,
    GrammarKind.REGEX: _regex,
    GrammarKind.CHOICE: _choice,
    GrammarKind.LARK: _lark,
}
