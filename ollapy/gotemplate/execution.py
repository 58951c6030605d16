"""Execution: a tree and its data to text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from .budget import Budget, Overrun
from .errors import Refusal, template_error
from .evaluation import Evaluator
from .literals import quote
from .printing import printed
from .scope import Scope
from .text import encoded, whole
from .tree import Action, Block, Branch, Break, Call, Continue, Pipe, Text
from .values import is_true

MAX_CALLS = 100  # templates inside of templates


class _Break(Exception):
    """Leave the loop."""


class _Continue(Exception):
    """Go on with the loop's next turn."""


def execute(templates: Mapping[str, Block], data: object, budget: Budget) -> str:
    """The text that the templates make of the data; InvalidRequest says where that fails."""
    scope = Scope()
    evaluator = Evaluator(scope, budget)
    run = _Run(templates, scope, evaluator, budget)
    try:
        run.template("", data)
    except Refusal as exc:
        problem = f"at <{evaluator.at}>: {exc}"
    except Overrun as exc:
        problem = str(exc)
    except RecursionError:
        problem = "values are nested too deep"
    else:
        return whole("".join(run.parts))
    raise template_error(evaluator.at.line, problem)


class _Run:
    """One execution, and the text so far."""

    def __init__(
        self,
        templates: Mapping[str, Block],
        scope: Scope,
        evaluator: Evaluator,
        budget: Budget,
    ) -> None:
        self.parts: list[str] = []
        self._templates = templates
        self._scope = scope
        self._evaluator = evaluator
        self._budget = budget
        self._calls = 0
        self._walks: dict[type, Callable[[Any, object], None]] = {
            Text: self._text,
            Action: self._action,
            Branch: self._branch,
            Call: self._call,
            Break: self._break,
            Continue: self._continue,
        }

    def template(self, name: str, dot: object) -> None:
        """Walk a template with a cursor, which `$` is all the way."""
        self._scope.push("$", dot)
        self._walk(self._templates[name], dot)

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
        value = self._evaluator.pipe(node.pipe, dot)
        if not node.pipe.variables:
            self._evaluator.at = node
            self._write("<no value>" if value is None else printed(value))

    def _break(self, _node: Break, _dot: object) -> NoReturn:
        raise _Break

    def _continue(self, _node: Continue, _dot: object) -> NoReturn:
        raise _Continue

    def _branch(self, node: Branch, dot: object) -> None:
        before = len(self._scope)
        value = self._evaluator.pipe(node.pipe, dot)
        if node.word == "range":
            walked = self._range(node, value)
        elif walked := is_true(value):
            self._walk(node.body, value if node.word == "with" else dot)
        if not walked and node.otherwise:
            self._walk(node.otherwise, dot)
        self._scope.drop(before)

    def _range(self, node: Branch, value: object) -> bool:
        """Walk the body for each element; whether there was one."""
        before, found = len(self._scope), False
        with suppress(_Break):
            for index, element in _elements(node.pipe, value):
                found = True
                self._budget.step()
                self._set_variables(node.pipe, index, element)
                with suppress(_Continue):
                    self._walk(node.body, element)
                self._scope.drop(before)
        return found

    def _set_variables(self, pipe: Pipe, index: object, element: object) -> None:
        """Where there are two variables the first gets the index, where there is one it gets the element."""
        given = (index, element)[-len(pipe.variables) :] if pipe.variables else ()
        for name, value in zip(pipe.variables, given, strict=True):
            self._scope.set(name, value)

    def _call(self, node: Call, dot: object) -> None:
        self._evaluator.at = node
        if node.name not in self._templates:
            raise Refusal(f"template {quote(node.name)} not defined")
        if self._calls == MAX_CALLS:
            raise Refusal(f"exceeded maximum template depth ({MAX_CALLS})")
        value = self._evaluator.pipe(node.pipe, dot) if node.pipe else None
        self._calls += 1
        with self._scope.hidden():
            self.template(node.name, value)
        self._calls -= 1


def _elements(pipe: Pipe, value: object) -> Iterable[tuple[object, object]]:
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
