"""The tree of a template. `str()` of a node is its text as Go writes it in an error."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from .literals import quote


class Text(Struct, frozen=True):
    """Literal text."""

    text: str
    line: int


class Dot(Struct, frozen=True):
    """The cursor."""

    line: int

    def __str__(self) -> str:
        return "."


class Nil(Struct, frozen=True):
    """The untyped nil."""

    line: int

    def __str__(self) -> str:
        return "nil"


class Constant(Struct, frozen=True):
    """A number, a string or a truth value, with its text in the template."""

    text: str
    value: bool | int | float | str
    line: int

    def __str__(self) -> str:
        return self.text


class Identifier(Struct, frozen=True):
    """A function's name."""

    name: str
    line: int

    def __str__(self) -> str:
        return self.name


class Field(Struct, frozen=True):
    """Fields of the cursor, one of the other: `.A.B`."""

    names: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


class Variable(Struct, frozen=True):
    """A variable, its `$` included, and fields of it."""

    name: str
    names: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        return ".".join((self.name, *self.names))


class Chain(Struct, frozen=True):
    """Fields of what a term comes to: `(index .A 0).B`."""

    term: Term
    names: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        inner = f"({self.term})" if isinstance(self.term, Pipe) else str(self.term)
        return ".".join((inner, *self.names))


class Command(Struct, frozen=True):
    """A value or a call: what is called, then its arguments."""

    terms: tuple[Term, ...]
    line: int

    def __str__(self) -> str:
        return " ".join(
            f"({term})" if isinstance(term, Pipe) else str(term) for term in self.terms
        )


class Pipe(Struct, frozen=True):
    """Commands that hand their values on, and the variables that take the last one."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...]
    assigns: bool  # to variables that are there, rather than declaring new ones
    line: int

    def __str__(self) -> str:
        body = " | ".join(map(str, self.commands))
        if not self.variables:
            return body
        sign = "=" if self.assigns else ":="
        return f"{', '.join(self.variables)} {sign} {body}"


Term: TypeAlias = "Dot | Nil | Constant | Identifier | Field | Variable | Chain | Pipe"


class Action(Struct, frozen=True):
    """A pipe whose value is written, unless variables take it."""

    pipe: Pipe
    line: int

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"


class Block(Struct, frozen=True):
    """Nodes one after the other."""

    nodes: tuple[Node, ...]


class Branch(Struct, frozen=True):
    """An `if`, a `with` or a `range` and its parts; the last two have another cursor in their body."""

    word: str
    pipe: Pipe
    body: Block
    otherwise: Block | None
    line: int

    def __str__(self) -> str:
        return f"{{{{{self.word} {self.pipe}}}}}"


class Call(Struct, frozen=True):
    """A template inside of this one, with the value of the pipe as its cursor."""

    name: str
    pipe: Pipe | None
    line: int

    def __str__(self) -> str:
        return f"{{{{template {quote(self.name)}}}}}"


class Break(Struct, frozen=True):
    """The end of a loop."""

    line: int


class Continue(Struct, frozen=True):
    """The end of a loop's turn."""

    line: int


Node: TypeAlias = "Text | Action | Branch | Call | Break | Continue"
