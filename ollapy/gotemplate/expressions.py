"""Expressions: what stands inside of an action, from terms up to pipes."""

from __future__ import annotations

from collections.abc import Collection

from . import literals
from .stream import TokenStream
from .tokens import Kind, Token
from .tree import (
    Chain,
    Command,
    Constant,
    Dot,
    Field,
    Identifier,
    Nil,
    Pipe,
    Term,
    Variable,
)

_TERMS = (
    *(Kind.BOOL, Kind.CHARACTER, Kind.DOT, Kind.FIELD, Kind.IDENTIFIER, Kind.NIL),
    *(Kind.NUMBER, Kind.OPEN, Kind.STRING, Kind.VARIABLE),
)


class Expressions:
    """Reads expressions from a stream. `variables` are those that are declared where it is."""

    def __init__(self, tokens: TokenStream, functions: Collection[str]) -> None:
        self.variables = ["$"]
        self._tokens = tokens
        self._functions = functions

    def pipe(self, context: str, end: Kind) -> Pipe:
        """Commands up to the token that ends them, which is read too."""
        line = self._tokens.peek_word().line
        variables, assigns = self._declarations(context)
        commands: list[Command] = []
        while (token := self._tokens.next_word()).kind is not end:
            if token.kind not in _TERMS:
                self._tokens.unexpected(token, context)
            self._tokens.back(token)
            commands.append(self._command())
        if not commands:
            self._tokens.fail(f"missing value for {context}")
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.terms[0], Constant | Dot | Nil):
                self._tokens.fail(f"non executable command in pipeline stage {stage}")
        return Pipe(tuple(commands), tuple(variables), assigns, line)

    def _declarations(self, context: str) -> tuple[list[str], bool]:
        """The variables at the beginning of a pipe, and whether they are there already."""
        found: list[str] = []
        while self._tokens.peek_word().kind is Kind.VARIABLE:
            variable = self._tokens.next_word()
            after = self._tokens.peek()
            sign = self._tokens.peek_word()
            is_comma = sign.kind is Kind.OTHER and sign.text == ","
            if not is_comma and sign.kind not in (Kind.ASSIGN, Kind.DECLARE):
                self._tokens.back(
                    variable, *((after,) if after.kind is Kind.SPACE else ())
                )
                break
            self._tokens.next_word()
            found.append(variable.text)
            self.variables.append(variable.text)
            if not is_comma:
                return found, sign.kind is Kind.ASSIGN
            self._check_comma(context, len(found))
        return found, False

    def _check_comma(self, context: str, num_variables: int) -> None:
        if context != "range" or num_variables > 1:
            self._tokens.fail(f"too many declarations in {context}")
        if self._tokens.peek_word().kind not in (Kind.VARIABLE, Kind.RIGHT, Kind.CLOSE):
            self._tokens.fail("range can only initialize variables")

    def _command(self) -> Command:
        line = self._tokens.peek_word().line
        terms: list[Term] = []
        while True:
            self._tokens.peek_word()
            if (term := self._operand()) is not None:
                terms.append(term)
            token = self._tokens.next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.RIGHT, Kind.CLOSE):
                self._tokens.back(token)
            elif token.kind is not Kind.PIPE:
                self._tokens.unexpected(token, "operand")
            if not terms:
                self._tokens.fail("empty command")
            return Command(tuple(terms), line)

    def _operand(self) -> Term | None:
        """A term with the fields behind it."""
        term = self._term()
        names: list[str] = []
        line = self._tokens.peek().line
        while term is not None and self._tokens.peek().kind is Kind.FIELD:
            names.append(self._tokens.next().text[1:])
        if not names:
            return term
        match term:
            case Field(before, _):
                return Field((*before, *names), line)
            case Variable(name, before, _):
                return Variable(name, (*before, *names), line)
            case Constant() | Nil() | Dot():
                self._tokens.fail(
                    f"unexpected . after term {literals.quote(str(term))}"
                )
            case None:
                return None
        return Chain(term, tuple(names), line)

    def _term(self) -> Term | None:
        token = self._tokens.next_word()
        text, line = token.text, token.line
        match token.kind:
            case Kind.DOT:
                return Dot(line)
            case Kind.NIL:
                return Nil(line)
            case Kind.BOOL:
                return Constant(text, text == "true", line)
            case Kind.STRING:
                return Constant(text, self.unquoted(token), line)
            case Kind.NUMBER | Kind.CHARACTER:
                return Constant(text, self._number(token), line)
            case Kind.FIELD:
                return Field((text[1:],), line)
            case Kind.IDENTIFIER:
                return self._identifier(token)
            case Kind.VARIABLE:
                return self._variable(token)
            case Kind.OPEN:
                return self._parenthesized()
        self._tokens.back(token)
        return None

    def _number(self, token: Token) -> int | float:
        is_character = token.kind is Kind.CHARACTER
        read = literals.unquote_character if is_character else literals.number
        try:
            return read(token.text)
        except ValueError as exc:
            self._tokens.fail(str(exc))

    def _identifier(self, token: Token) -> Identifier:
        if token.text not in self._functions:
            self._tokens.fail(f"function {literals.quote(token.text)} not defined")
        return Identifier(token.text, token.line)

    def _variable(self, token: Token) -> Variable:
        if token.text not in self.variables:
            self._tokens.fail(f"undefined variable {literals.quote(token.text)}")
        return Variable(token.text, (), token.line)

    def _parenthesized(self) -> Pipe:
        with self._tokens.deeper():
            return self.pipe("parenthesized pipeline", Kind.CLOSE)

    def unquoted(self, token: Token) -> str:
        """The text of a string's token."""
        try:
            return literals.unquote(token.text)
        except ValueError as exc:
            self._tokens.fail(str(exc))
