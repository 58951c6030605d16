"""Execution: a tree and its data to text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from .budget import Budget, Overrun
from .comparison import Refusal
from .errors import template_error
from .functions import FUNCTIONS, SHORT_CIRCUIT
from .literals import quote
from .printing import printed
from .text import encoded, whole
from .tree import (
    Action,
    Block,
    Branch,
    Break,
    Call,
    Chain,
    Command,
    Constant,
    Continue,
    Dot,
    Field,
    Identifier,
    Nil,
    Node,
    Pipe,
    Term,
    Text,
    Variable,
)
from .values import Struct, is_true, type_name

MAX_CALLS = 100  # templates inside of templates
_ABSENT: Any = object()  # where no value comes from an earlier command


class _Break(Exception):
    """Leave the loop."""


class _Continue(Exception):
    """Go on with the loop's next turn."""


def execute(templates: Mapping[str, Block], data: object, budget: Budget) -> str:
    """The text that the templates make of the data; InvalidRequest says where that fails."""
    run = _Run(templates, budget)
    try:
        run.block(templates[""], data)
    except Refusal as exc:
        raise template_error(run.at.line, f"at <{run.at}>: {exc}") from None
    except Overrun as exc:
        raise template_error(run.at.line, str(exc)) from None
    except RecursionError:
        raise template_error(run.at.line, "values are nested too deep") from None
    return whole("".join(run.parts))


class _Run:
    """One execution: the text so far, the variables in scope, and the node it is at."""

    def __init__(self, templates: Mapping[str, Block], budget: Budget) -> None:
        self.parts: list[str] = []
        self.at: Node | Term | Command = Dot(1)
        self._templates = templates
        self._budget = budget
        self._names: list[str] = []
        self._values: list[object] = []
        self._first = 0  # of the variables that this template sees
        self._calls = 0
        self._walks: dict[type, Callable[[Any, object], None]] = {
            Text: self._text,
            Action: self._action,
            Branch: self._branch,
            Call: self._call,
            Break: self._break,
            Continue: self._continue,
        }
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

    # Nodes: each writes

    def block(self, block: Block, dot: object) -> None:
        """Walk the nodes with a cursor, `$` being the first one."""
        self._push("$", dot)
        self._walk(block, dot)

    def _walk(self, block: Block, dot: object) -> None:
        self._budget.step(len(block.nodes))
        for node in block.nodes:
            self._walks[type(node)](node, dot)

    def _text(self, node: Text, _dot: object) -> None:
        self._write(node.text)

    def _write(self, text: str) -> None:
        self._budget.write(len(text))
        self.parts.append(text)

    def _action(self, node: Action, dot: object) -> None:
        value = self._pipe(node.pipe, dot)
        if not node.pipe.variables:
            self.at = node
            self._write("<no value>" if value is None else printed(value))

    def _break(self, _node: Break, _dot: object) -> NoReturn:
        raise _Break

    def _continue(self, _node: Continue, _dot: object) -> NoReturn:
        raise _Continue

    def _branch(self, node: Branch, dot: object) -> None:
        num_variables = len(self._names)
        value = self._pipe(node.pipe, dot)
        if node.word == "range":
            walked = self._range(node, value)
        elif walked := is_true(value):
            self._walk(node.body, value if node.word == "with" else dot)
        if not walked and node.otherwise:
            self._walk(node.otherwise, dot)
        self._drop(num_variables)

    def _range(self, node: Branch, value: object) -> bool:
        """Walk the body for each element; whether there was one."""
        num_variables, found = len(self._names), False
        with suppress(_Break):
            for index, element in self._elements(node.pipe, value):
                found = True
                self._budget.step()
                self._set_loop_variables(node.pipe, index, element)
                with suppress(_Continue):
                    self._walk(node.body, element)
                self._drop(num_variables)
        return found

    def _elements(self, pipe: Pipe, value: object) -> Iterable[tuple[object, object]]:
        match value:
            case None:
                return ()
            case list():
                return enumerate(value)
            case dict():
                return [(key, value[key]) for key in sorted(value, key=encoded)]
            case int() if not isinstance(value, bool):
                if len(pipe.variables) > 1:
                    raise Refusal(
                        f"can't use {value} to iterate over more than one variable"
                    )
                return ((None, number) for number in range(value))
        raise Refusal(f"range can't iterate over {printed(value)}")

    def _set_loop_variables(self, pipe: Pipe, index: object, element: object) -> None:
        """Where there are two variables the first gets the index, where there is one it gets the element."""
        given = (index, element)[-len(pipe.variables) :] if pipe.variables else ()
        for name, value in zip(pipe.variables, given, strict=True):
            self._set(name, value)

    def _call(self, node: Call, dot: object) -> None:
        self.at = node
        template = self._templates.get(node.name)
        if template is None:
            raise Refusal(f"template {quote(node.name)} not defined")
        if self._calls == MAX_CALLS:
            raise Refusal(f"exceeded maximum template depth ({MAX_CALLS})")
        value = self._pipe(node.pipe, dot) if node.pipe else None
        kept, self._first = self._first, len(self._names)
        self._calls += 1
        self.block(template, value)
        self._drop(self._first)
        self._calls -= 1
        self._first = kept

    # Variables

    def _push(self, name: str, value: object) -> None:
        self._names.append(name)
        self._values.append(value)

    def _drop(self, num_variables: int) -> None:
        del self._names[num_variables:]
        del self._values[num_variables:]

    def _place(self, name: str) -> int:
        """Where the last variable of that name is."""
        for i in range(len(self._names) - 1, self._first - 1, -1):
            if self._names[i] == name:
                return i
        raise Refusal(f"undefined variable: {name}")

    def _set(self, name: str, value: object) -> None:
        self._values[self._place(name)] = value

    # Pipes and commands: each has a value

    def _pipe(self, pipe: Pipe, dot: object) -> object:
        self.at = pipe
        self._budget.step(len(pipe.commands))
        value: object = _ABSENT
        for command in pipe.commands:
            first = command.terms[0]
            value = self._evaluations[type(first)](first, dot, command, value)
        for name in pipe.variables:
            if pipe.assigns:
                self._set(name, value)
            else:
                self._push(name, value)
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
        value = self._values[self._place(term.name)]
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
        return self._pipe(term, dot)

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
