"""Slash commands: how they are found, completed and explained."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .session import Session


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name of one word or two, and what it does with the words behind.

    `takes` is how these are called in the help, `choices` what the first of them may be.
    """

    name: str
    takes: str
    help: str
    act: Callable[[Session, str], None]
    also: tuple[str, ...] = ()
    choices: Callable[[Session], Iterable[str]] | None = None


class Candidate(NamedTuple):
    """What an entry could go on to: its last `length` characters become the text."""

    text: str
    help: str
    length: int


def find(commands: Sequence[Command], entry: str) -> tuple[Command, str] | None:
    """The command that an entry begins with, and the rest of it; the longer name wins."""
    table = {name: c for c in commands for name in (c.name, *c.also)}
    for num_words in (2, 1):
        words = entry.split(maxsplit=num_words)
        name, rest = " ".join(words[:num_words]), "".join(words[num_words:])
        if name in table:
            return table[name], rest.rstrip()
    return None


def unknown(commands: Sequence[Command], entry: str) -> str:
    """What to say to an entry that no command begins: what goes on from it, or what it may have meant."""
    words = entry.split()[:2]
    if group := [c for c in commands if c.name.startswith(f"{words[0]} ")]:
        if len(words) == 1:
            return explain(group)
    else:
        words = words[:1]
    name = " ".join(words)
    near = difflib.get_close_matches(name, [c.name for c in commands], 1)
    guess = f" Did you mean {near[0]}?" if near else ""
    return f"Unknown command '{name}'.{guess} Type /? for help"


def explain(commands: Iterable[Command], more: Iterable[tuple[str, str]] = ()) -> str:
    """A line for each, and for whatever more there is to type."""
    rows = [(f"{c.name} {c.takes}".rstrip(), c.help) for c in commands]
    rows += more
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"  {name:<{width}}{text}" for name, text in rows)


def candidates(
    commands: Sequence[Command], entry: str, session: Session
) -> Iterator[Candidate]:
    """How an unfinished entry could go on."""
    found = find(commands, entry)
    if found and entry[-1:].isspace() | bool(found[1]):
        yield from _choices(*found, session)
    elif entry.startswith("/"):
        for command in commands:
            if command.name.startswith(entry):
                end = " " if command.takes else ""
                yield Candidate(command.name + end, command.help, len(entry))


def _choices(command: Command, begun: str, session: Session) -> Iterator[Candidate]:
    if command.choices and not any(c.isspace() for c in begun):
        for choice in command.choices(session):
            if choice.startswith(begun):
                yield Candidate(choice, "", len(begun))
