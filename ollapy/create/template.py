"""Whether a TEMPLATE is one of Go's templates, as far as can be told without running it. Pure.

Only what stands between braces is looked at: its words, its brackets, and whether each block ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ollapy.errors import InvalidRequest

MAX_TEMPLATE = 256 << 10
_FUNCTIONS = """
    and call eq ge gt html index js le len lt ne not or print printf println slice urlquery
    json currentDate yesterdayDate toTypeScriptType
"""
FUNCTIONS = frozenset(_FUNCTIONS.split())
_CONSTANTS = ("true", "false", "nil")
_COMMENT = re.compile(r"(?:-\s+)?/\*.*?\*/\s*-?\}\}", re.DOTALL)
_TRIM = re.compile(r"-\s")
_END = re.compile(r"\s+-\}\}|\}\}")
_TOKEN = re.compile(
    r"""
      (?P<blank>  \s+ )
    | (?P<text>   "(?:[^"\\\n]|\\.)*" | `[^`]*` )
    | (?P<rune>   '(?:[^'\\\n]|\\.)+' )
    | (?P<number> [+-]? (?:\d|\.\d) [\w.]* )
    | (?P<name>   \$\w* | \.\w+ | \. )
    | (?P<word>   [^\W\d]\w* )
    | (?P<assign> :?= )
    | (?P<sign>   [|(),] )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def check_template(text: str) -> None:
    """InvalidRequest with the line where Go would refuse the template."""
    if len(text) > MAX_TEMPLATE:
        raise InvalidRequest(
            f"template error: it has {len(text)} characters, more than {MAX_TEMPLATE}"
        )
    if (jinja := text.find("{%")) >= 0:
        raise _error(text, jinja, "'{%' is Jinja, and TEMPLATE takes a Go template")
    blocks = _Blocks()
    for start, tokens in _actions(text):
        if problem := blocks.take(tokens):
            raise _error(text, start, problem)
    if blocks.open:
        raise _error(
            text,
            len(text),
            f"unexpected EOF, {{{{{blocks.open[-1]}}}}} has no {{{{end}}}}",
        )


def _error(text: str, at: int, problem: str) -> InvalidRequest:
    return InvalidRequest(
        f"template error: line {1 + text.count(chr(10), 0, at)}: {problem}"
    )


def _actions(text: str) -> Iterator[tuple[int, list[_Token]]]:
    """What stands between braces, and where it begins; comments left out."""
    at = 0
    while (start := text.find("{{", at)) >= 0:
        at = start + 2
        if comment := _COMMENT.match(text, at):
            at = comment.end()
            continue
        if _TRIM.match(text, at):
            at += 1
        tokens = []
        while not (end := _END.match(text, at)):
            token = _TOKEN.match(text, at)
            if token is None:
                raise _error(text, min(at, len(text)), _strange(text, at))
            at = token.end()
            if token.lastgroup != "blank":
                tokens.append(_Token(str(token.lastgroup), token[0]))
        at = end.end()
        yield start, tokens


def _strange(text: str, at: int) -> str:
    if at >= len(text):
        return "unclosed action"
    if text[at] in "\"'`":
        return "unterminated quoted string"
    return f"unexpected {text[at]!r} in command"


class _Blocks:
    """The blocks that are open at a place in the template."""

    def __init__(self) -> None:
        self.open: list[str] = []

    def take(self, tokens: list[_Token]) -> str | None:
        """What is wrong with the next action."""
        word = tokens[0].text if tokens and tokens[0].kind == "word" else ""
        rest = tokens[1:]
        match word:
            case "end":
                return self._end(rest)
            case "else":
                return self._else(rest)
            case "break" | "continue":
                inside = "range" in self.open and not rest
                return None if inside else f"{{{{{word}}}}} outside {{{{range}}}}"
            case "define" | "block" | "template":
                return self._named(word, rest)
            case "if" | "range" | "with":
                self.open.append(word)
                return _pipeline(rest, word)
        return _pipeline(tokens, "command")

    def _end(self, rest: list[_Token]) -> str | None:
        if not self.open or rest:
            return "unexpected {{end}}"
        self.open.pop()
        return None

    def _else(self, rest: list[_Token]) -> str | None:
        """`else if` and `else with` go on with the block, `else` alone is its last part."""
        if not self.open or self.open[-1] not in ("if", "range", "with"):
            return "unexpected {{else}}"
        if not rest:
            self.open[-1] = f"{self.open[-1]} else"
            return None
        if rest[0].text not in ("if", "with"):
            return f"unexpected {rest[0].text!r} in {{{{else}}}}"
        return _pipeline(rest[1:], rest[0].text)

    def _named(self, word: str, rest: list[_Token]) -> str | None:
        if not rest or rest[0].kind != "text":
            return f"{{{{{word}}}}} needs a name in quotes"
        if word != "template":
            self.open.append(word)
        if word == "define":
            return "unexpected words in {{define}}" if rest[1:] else None
        return _pipeline(rest[1:], word) if rest[1:] or word == "block" else None


def _pipeline(tokens: list[_Token], where: str) -> str | None:
    """What is wrong with commands that hand their values on."""
    depth, is_empty = 0, True
    for token in tokens:
        if (
            token.kind == "word"
            and token.text not in FUNCTIONS
            and token.text not in _CONSTANTS
        ):
            return f'function "{token.text[:80]}" not defined'
        if token.text in ("|", ")") and is_empty:
            return f"missing value for {where}"
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
        if depth < 0:
            return "unexpected right paren"
        is_empty = token.text in ("|", "(") or token.kind == "assign"
    if depth:
        return "unclosed left paren"
    return f"missing value for {where}" if is_empty else None
