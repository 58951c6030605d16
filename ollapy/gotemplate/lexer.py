"""Lexer: a template's text cut into tokens, as Go cuts it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .literals import quote
from .tokens import Kind, Token

_BLANKS = " \t\r\n"
_LEFT_TRIM = re.compile(r"\{\{-[ \t\r\n]")
_COMMENT = re.compile(r"\{\{(?:-[ \t\r\n])?/\*")
_COMMENT_END = re.compile(r"(?P<trim>[ \t\r\n]-)?\}\}")  # one blank, not several
_END = re.compile(r"(?P<trim>[ \t\r\n]+-)?\}\}")
_WORD = re.compile(r"\w+")
_TERMINATOR = re.compile(r"[ \t\r\n.,|:)(]|\}\}|\Z")
_NUMBER = re.compile(
    r"""[+-]?
    (?: 0[xX] [0-9a-fA-F_]* (?:\.[0-9a-fA-F_]*)? (?:[pP][+-]?[0-9_]*)?
      | 0[oO] [0-7_]* (?:\.[0-7_]*)?
      | 0[bB] [01_]* (?:\.[01_]*)?
      | [0-9_]* (?:\.[0-9_]*)? (?:[eE][+-]?[0-9_]*)?
    ) i?""",
    re.VERBOSE,
)
# A quoted text, and what its end is called when it is missing.
_QUOTED = {
    '"': (re.compile(r'"(?:[^"\\\n]|\\[^\n])*"'), "quoted string"),
    "'": (re.compile(r"'(?:[^'\\\n]|\\[^\n])*'"), "character constant"),
    "`": (re.compile(r"`[^`]*`"), "raw quoted string"),
}
_KEYWORDS = (
    *("block", "break", "continue", "define", "else", "end"),
    *("if", "range", "template", "with"),
)
_WORDS = {"nil": Kind.NIL, "true": Kind.BOOL, "false": Kind.BOOL}
_WORDS |= dict.fromkeys(_KEYWORDS, Kind.KEYWORD)
_STRINGS = {'"': Kind.STRING, "`": Kind.STRING, "'": Kind.CHARACTER}
_SIGNS = {"|": Kind.PIPE, "(": Kind.OPEN, ")": Kind.CLOSE, "=": Kind.ASSIGN}


class _Problem(Exception):
    """Text that is no token."""


class Lexer:
    """One pass over a text; `tokens` ends with EOF or the first ERROR."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._depth = 0  # of parentheses

    def tokens(self) -> Iterator[Token]:
        """The tokens, literal text without what trim markers take away."""
        try:
            yield from self._tokens()
            yield Token(Kind.EOF, "", self._line)
        except _Problem as problem:
            yield Token(Kind.ERROR, str(problem), self._line)

    def _tokens(self) -> Iterator[Token]:
        while self._at < len(self._text):
            start = self._text.find("{{", self._at)
            yield from self._literal(len(self._text) if start < 0 else start)
            if start < 0:
                return
            if _COMMENT.match(self._text, start):
                self._skip_comment(start)
            else:
                yield from self._action(start)

    def _literal(self, end: int) -> Iterator[Token]:
        text = self._text[self._at : end]
        if _LEFT_TRIM.match(self._text, end):
            text = text.rstrip(_BLANKS)
        if text:
            yield Token(Kind.TEXT, text, self._line)
        self._move(end)

    def _skip_comment(self, start: int) -> None:
        end = self._text.find("*/", start + 4)
        if end < 0:
            raise _Problem("unclosed comment")
        closed = _COMMENT_END.match(self._text, end + 2)
        if closed is None:
            raise _Problem("comment ends before closing delimiter")
        self._close(closed)

    def _action(self, start: int) -> Iterator[Token]:
        yield Token(Kind.LEFT, "{{", self._line)
        self._move(start + (3 if _LEFT_TRIM.match(self._text, start) else 2))
        self._depth = 0
        while not (end := _END.match(self._text, self._at)):
            yield self._word()
        if self._depth:
            raise _Problem("unclosed left paren")
        yield Token(Kind.RIGHT, "}}", self._line)
        self._close(end)

    def _close(self, end: re.Match[str]) -> None:
        """Go on behind the end of an action, and behind the blanks that it trims."""
        at = end.end()
        if end["trim"]:
            at = self._blanks_end(at)
        self._move(at)

    def _move(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to

    def _emit(self, kind: Kind, end: int) -> Token:
        token = Token(kind, self._text[self._at : end], self._line)
        self._move(end)
        return token

    def _word(self) -> Token:
        """The next token inside of an action."""
        text, at = self._text, self._at
        letter = text[at : at + 1]
        if not letter:
            raise _Problem("unclosed action")
        if letter in _BLANKS:
            return self._emit(Kind.SPACE, self._blanks_end(at))
        if letter in _QUOTED:
            return self._quoted(letter)
        if letter in "|():=":
            return self._sign(letter)
        starts_number = text[at + 1 : at + 2] in tuple("0123456789")
        if letter == "$" or (letter == "." and not starts_number):
            return self._name(letter)
        if letter in "+-.0123456789":
            return self._number()
        return self._identifier(letter)

    def _sign(self, letter: str) -> Token:
        if letter == ":":
            if self._text[self._at + 1 : self._at + 2] != "=":
                raise _Problem("expected :=")
            return self._emit(Kind.DECLARE, self._at + 2)
        if letter in "()":
            self._depth += 1 if letter == "(" else -1
        if self._depth < 0:
            raise _Problem("unexpected right paren")
        return self._emit(_SIGNS[letter], self._at + 1)

    def _identifier(self, letter: str) -> Token:
        if word := _WORD.match(self._text, self._at):
            return self._terminated(_WORDS.get(word[0], Kind.IDENTIFIER), word.end())
        if " " < letter < "\x7f":
            return self._emit(Kind.OTHER, self._at + 1)
        raise _Problem(f"unrecognized character in action: {_unicode(letter)}")

    def _blanks_end(self, start: int) -> int:
        while self._text[start : start + 1] in tuple(_BLANKS):
            start += 1
        return start

    def _quoted(self, letter: str) -> Token:
        pattern, name = _QUOTED[letter]
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _Problem(f"unterminated {name}")
        return self._emit(_STRINGS[letter], found.end())

    def _name(self, letter: str) -> Token:
        word = _WORD.match(self._text, self._at + 1)
        end = word.end() if word else self._at + 1
        if letter == "$":
            return self._terminated(Kind.VARIABLE, end)
        return self._terminated(Kind.FIELD if word else Kind.DOT, end)

    def _terminated(self, kind: Kind, end: int) -> Token:
        """A name, after which not everything may stand."""
        if not _TERMINATOR.match(self._text, end):
            raise _Problem(f"bad character {_unicode(self._text[end])}")
        return self._emit(kind, end)

    def _number(self) -> Token:
        end = self._number_end(self._at)
        if self._text[end : end + 1] in ("+", "-"):
            end = self._number_end(end)
            if self._text[end - 1] != "i":
                raise self._bad_number(end)
        if self._text[end - 1] == "i":
            raise _Problem("complex numbers are not supported")
        return self._emit(Kind.NUMBER, end)

    def _number_end(self, start: int) -> int:
        found = _NUMBER.match(self._text, start)
        end = found.end() if found else start
        if _WORD.match(self._text, end):
            raise self._bad_number(end + 1)
        return end

    def _bad_number(self, end: int) -> _Problem:
        return _Problem(f"bad number syntax: {quote(self._text[self._at : end])}")


def _unicode(letter: str) -> str:
    """A character as Go's %#U shows it."""
    shown = f" '{letter}'" if letter.isprintable() else ""
    return f"U+{ord(letter):04X}{shown}"
