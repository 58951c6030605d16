"""Evaluation: pipes, commands and terms to values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .budget import Budget
from .errors import Refusal
from .functions import FUNCTIONS, SHORT_CIRCUIT
from .scope import Scope
from .tree import (
    Chain,
    Command,
    Constant,
    Dot,
    Field,
    Identifier,
    Nil,
    Node,
    Pipe,
    Term,
    Variable,
)
from .values import Struct, is_true, type_name

_ABSENT: Any = object()  # where no value comes from an earlier command


class Evaluator:
    """Evaluates with the variables of a scope. `at` is the part of the tree it is at, for errors.

    A term is given the cursor, the command that it is the first word of, if it is one, and the value that an
    earlier command hands on.
    """

    def __init__(self, scope: Scope, budget: Budget) -> None:
        self.at: Node | Term | Command = Dot(1)
        self._scope = scope
        self._budget = budget
        self._evaluations: dict[type, Callable[..., object]] = {
            Field: self._field,
            Variable: self._variable,
            Chain: self._chain,
            Identifier: self._function,
            Pipe: self._parenthesized,
            Constant: self._constant,
            Dot: self._dot,
            Nil: self._nil,
        }

    def pipe(self, pipe: Pipe, dot: object) -> object:
        """The value of the last command, which the variables of the pipe take."""
        self.at = pipe
        self._budget.step(len(pipe.commands))
        value: object = _ABSENT
        for command in pipe.commands:
            first = command.terms[0]
            value = self._evaluations[type(first)](first, dot, command, value)
        for name in pipe.variables:
            if pipe.assigns:
                self._scope.set(name, value)
            else:
                self._scope.push(name, value)
        return value

    def _argument(self, term: Term, dot: object) -> object:
        """The value of a term by itself."""
        return self._evaluations[type(term)](term, dot, None, _ABSENT)

    def _refuse_arguments(self, command: Command | None, final: object) -> None:
        if final is not _ABSENT or (command and len(command.terms) > 1):
            assert command
            raise Refusal(f"can't give argument to non-function {command.terms[0]}")

    def _field(
        self, term: Field, dot: object, command: Command | None, final: object
    ) -> object:
        self.at = term
        return self._fields(dot, term.names, command, final)

    def _variable(
        self, term: Variable, _dot: object, command: Command | None, final: object
    ) -> object:
        self.at = term
        value = self._scope.get(term.name)
        if term.names:
            return self._fields(value, term.names, command, final)
        self._refuse_arguments(command, final)
        return value

    def _chain(
        self, term: Chain, dot: object, command: Command | None, final: object
    ) -> object:
        self.at = term
        if isinstance(term.term, Nil):
            raise Refusal(f"indirection through explicit nil in {term}")
        value = self._argument(term.term, dot)
        return self._fields(value, term.names, command, final)

    def _fields(
        self,
        value: object,
        names: tuple[str, ...],
        command: Command | None,
        final: object,
    ) -> object:
        """A field of a field; the fields of nothing are nothing, those of a field that is nothing an error."""
        if value is None:
            return None
        for name in names:
            value = _field_of(value, name)
        if final is not _ABSENT or (command and len(command.terms) > 1):
            raise Refusal(f"{names[-1]} is not a method but has arguments")
        return value

    def _parenthesized(
        self, term: Pipe, dot: object, command: Command | None, final: object
    ) -> object:
        self._refuse_arguments(command, final)
        return self.pipe(term, dot)

    def _constant(
        self, term: Constant, _dot: object, command: Command | None, final: object
    ) -> object:
        self.at = term
        self._refuse_arguments(command, final)
        return term.value

    def _dot(
        self, term: Dot, dot: object, command: Command | None, final: object
    ) -> object:
        self.at = term
        self._refuse_arguments(command, final)
        return dot

    def _nil(
        self, term: Nil, _dot: object, command: Command | None, final: object
    ) -> None:
        self.at = term
        if command is not None:
            self._refuse_arguments(command, final)
            raise Refusal("nil is not a command")

    def _function(
        self, term: Identifier, dot: object, command: Command | None, final: object
    ) -> object:
        self.at = term
        terms = command.terms[1:] if command else ()
        self._check_count(term.name, len(terms) + (final is not _ABSENT), len(terms))
        if term.name in SHORT_CIRCUIT:
            return self._decide(SHORT_CIRCUIT[term.name], terms, dot, final)
        values = [self._argument(each, dot) for each in terms]
        if final is not _ABSENT:
            values.append(final)
        self.at = command or term
        try:
            return FUNCTIONS[term.name].call(self._budget, *values)
        except Refusal as exc:
            raise Refusal(f"error calling {term.name}: {exc}") from None

    def _check_count(self, name: str, number: int, num_terms: int) -> None:
        function = FUNCTIONS[name]
        if function.most is None and number < function.least:
            wanted = f"at least {function.least} got {num_terms}"
        elif function.most is not None and number != function.most:
            wanted = f"{function.most} got {number}"
        else:
            return
        raise Refusal(f"wrong number of args for {name}: want {wanted}")

    def _decide(
        self, deciding: bool, terms: tuple[Term, ...], dot: object, final: object
    ) -> object:
        """The first value that decides, or the last."""
        value: object = None
        for term in terms:
            value = self._argument(term, dot)
            if is_true(value) == deciding:
                return value
        return value if final is _ABSENT else final


def _field_of(value: object, name: str) -> object:
    match value:
        case dict():
            return value.get(name)
        case Struct() if name in value.fields:
            return value.fields[name]
        case None:
            raise Refusal(f"nil pointer evaluating interface {{}}.{name}")
    raise Refusal(f"can't evaluate field {name} in type {type_name(value)}")
