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

from .calls import Calling, call_rules, free_rules
from .schema import prepared
from .text import SPACE, SPACE_RULE, escaped, quoted

MAX_LARK = 32 << 10  # characters; a regular expression in it costs its square
MAX_REGEX = 4096
MAX_RULES = 500  # followed by recursion
MAX_CHOICES = 4096

# Otherwise llguidance would ask a tokenizer how a forced text is written, and forbid all other ways.
_OPTIONS = '%llguidance {"no_forcing": true}\n'


@dataclass(frozen=True, slots=True)
class Thought:
    """What comes before the answer: `start`, anything, and `end`, which says that the answer follows.

    `start` is empty where the prompt has opened the thought. With `is_optional` the model may leave it out.
    """

    start: str
    end: str
    is_optional: bool = False


def program(
    grammar: Grammar | None, thought: Thought | None, calling: Calling | None = None
) -> str:
    """What llguidance compiles; InvalidRequest where the grammar is out of bounds.

    With both the answer is either a call or what the grammar says, or a call where one is required.
    """
    rules = [_OPTIONS, *_thought_rules(thought), SPACE_RULE]
    if calling is None:
        rules += ["answer: @body", "first: answer"]
    else:
        rules += [*call_rules(calling), *_choice_rules(calling, grammar, thought)]
    top = {"name": "top", "lark_grammar": "\n".join(rules)}
    bodies = (
        [{"name": "body", **_BODIES[grammar.kind](grammar.source)}] if grammar else []
    )
    return json.dumps({"grammars": [top, *bodies]})


def _choice_rules(
    calling: Calling, grammar: Grammar | None, thought: Thought | None
) -> list[str]:
    """`answer`, which may be a call or must be, and `first`, one that does not begin with a thought."""
    if calling.is_required:
        return ["answer: run", "first: answer"]
    if grammar:
        return ["answer: run | @body", "first: answer"]
    return free_rules(calling, _skipped(thought))


def _thought_rules(thought: Thought | None) -> list[str]:
    """`start`, which leads to the answer."""
    if thought is None:
        return ["start: answer"]
    other = " | first" if _skipped(thought) else ""
    space = f"{SPACE} " if _skipped(thought) else ""
    return [
        f"start: {space}{quoted(thought.start)} thought {SPACE} answer{other}",
        f"thought[lazy]: /(?s:.*){escaped(thought.end)}/",
    ]


def _skipped(thought: Thought | None) -> str:
    """The tag of a thought that may be left out."""
    return thought.start if thought and thought.is_optional else ""


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
