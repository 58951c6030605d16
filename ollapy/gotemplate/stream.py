"""TokenStream: the tokens of a template with some of them looked at ahead, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from ollapy.errors import InvalidRequest

from .errors import template_error
from .lexer import Lexer
from .tokens import Kind, Token

MAX_DEPTH = 100  # of blocks and parentheses


class TokenStream:
    """Reads a text. `action_line` is that of the action that is being read, 0 outside of one."""

    def __init__(self, text: str) -> None:
        self.action_line = 0
        self._tokens = Lexer(text).tokens()
        self._pending: list[Token] = []  # given back, the next one last
        self._line = 1  # of the token that was read last
        self._depth = 0

    def next(self) -> Token:
        """The next token."""
        if self._pending:
            return self._pending.pop()
        token = next(self._tokens)
        self._line = token.line
        return token

    def back(self, *tokens: Token) -> None:
        """Give tokens back, to be read again in that order."""
        self._pending.extend(reversed(tokens))

    def peek(self) -> Token:
        """The next token, which stays the next."""
        token = self.next()
        self.back(token)
        return token

    def next_word(self) -> Token:
        """The next token that is no blank."""
        while (token := self.next()).kind is Kind.SPACE:
            pass
        return token

    def peek_word(self) -> Token:
        """The next token that is no blank, which stays the next; the blanks do not."""
        token = self.next_word()
        self.back(token)
        return token

    def is_keyword(self, *words: str) -> bool:
        """Whether one of these comes next."""
        token = self.peek_word()
        return token.kind is Kind.KEYWORD and token.text in words

    def expect(self, context: str, kind: Kind) -> Token:
        """The next token that is no blank, which has to be of a kind."""
        token = self.next_word()
        if token.kind is not kind:
            self.unexpected(token, context)
        return token

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Within a block or parentheses."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(f"blocks and parentheses are nested more than {MAX_DEPTH} deep")
        yield
        self._depth -= 1

    def problem(self, text: str) -> InvalidRequest:
        """The refusal of the template, here."""
        return template_error(self._line, text)

    def fail(self, text: str) -> NoReturn:
        """Refuse the template."""
        raise self.problem(text)

    def unexpected(self, token: Token, context: str) -> NoReturn:
        """Refuse the template for a token that does not belong where it is."""
        if token.kind is not Kind.ERROR:
            self.fail(f"unexpected {token} in {context}")
        text = token.text
        if self.action_line and self.action_line != token.line:
            action = "" if text.endswith(" action") else " in action"
            text += f"{action} started at line {self.action_line}"
        self.fail(text)
