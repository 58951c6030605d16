"""What a tree says of its template without being run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from .tree import (
    Action,
    Block,
    Branch,
    Call,
    Chain,
    Command,
    Field,
    Node,
    Pipe,
    Term,
    Variable,
)

Part: TypeAlias = "Block | Node | Command | Term"


def names(templates: Mapping[str, Block]) -> frozenset[str]:
    """Every field that is asked for, of whatever it is, in lower case."""
    parts = (part for block in templates.values() for part in _all(block))
    return frozenset(name.lower() for part in parts for name in _names(part))


def _names(part: Part) -> tuple[str, ...]:
    return part.names if isinstance(part, Field | Variable | Chain) else ()


def _all(part: Part) -> Iterator[Part]:
    yield part
    for child in _children(part):
        yield from _all(child)


def _children(part: Part) -> Iterable[Part]:
    match part:
        case Block():
            return part.nodes
        case Action():
            return (part.pipe,)
        case Call():
            return (part.pipe,) if part.pipe else ()
        case Branch():
            otherwise = (part.otherwise,) if part.otherwise else ()
            return (part.pipe, part.body, *otherwise)
        case Pipe():
            return part.commands
        case Command():
            return part.terms
        case Chain():
            return (part.term,)
    return ()


def up_to(block: Block, name: str) -> Block:
    """The tree without what follows the first action that writes the field; all of it where none does."""
    return _cut(block, name)[0]


def _cut(block: Block, name: str) -> tuple[Block, bool]:
    kept: list[Node] = []
    for node in block.nodes:
        node, is_last = _cut_node(node, name)
        kept.append(node)
        if is_last:
            return Block(tuple(kept)), True
    return block, False


def _cut_node(node: Node, name: str) -> tuple[Node, bool]:
    if isinstance(node, Action):
        return node, any(name in _names(part) for part in _all(node.pipe))
    if not isinstance(node, Branch):
        return node, False
    body, found = _cut(node.body, name)
    otherwise = node.otherwise
    if otherwise:
        otherwise, in_otherwise = _cut(otherwise, name)
        found = found or in_otherwise
    return Branch(node.word, node.pipe, body, otherwise, node.line), found
