"""Tokens: the literal texts of a template and the words of its actions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from .literals import quote


class Kind(Enum):
    """What a token is."""

    TEXT = auto()
    LEFT = auto()
    RIGHT = auto()
    SPACE = auto()
    FIELD = auto()
    DOT = auto()
    VARIABLE = auto()
    IDENTIFIER = auto()
    KEYWORD = auto()
    NIL = auto()
    BOOL = auto()
    NUMBER = auto()
    CHARACTER = auto()
    STRING = auto()
    DECLARE = auto()
    ASSIGN = auto()
    PIPE = auto()
    OPEN = auto()
    CLOSE = auto()
    OTHER = auto()
    ERROR = auto()
    EOF = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text and its line; an ERROR's text is the problem. `str()` is how Go names it."""

    kind: Kind
    text: str
    line: int

    def __str__(self) -> str:
        match self.kind:
            case Kind.EOF:
                return "EOF"
            case Kind.ERROR:
                return self.text
            case Kind.KEYWORD | Kind.NIL | Kind.DOT:
                return f"<{self.text}>"
        if len(self.text) > 10:
            return f"{quote(self.text[:10])}..."
        return quote(self.text)
