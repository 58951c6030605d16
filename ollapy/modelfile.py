"""Modelfiles: Ollama's text format for a model made from another.

    FROM llama3.2            one instruction a line, its name in any case
    SYSTEM \"\"\"Be brief.
    Be kind.\"\"\"             a quoted value ends at the first line that ends in its quotes

There are no escapes, so a text with a line that ends in three quotes cannot be written down.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ollapy.errors import InvalidRequest

_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMMANDS = (
    "FROM",
    "LICENSE",
    "TEMPLATE",
    "SYSTEM",
    "ADAPTER",
    "DRAFT",
    "RENDERER",
    "PARSER",
    "PARAMETER",
    "MESSAGE",
    "REQUIRES",
)
_ROLES = ("system", "user", "assistant")
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f]")
_NOTHING = re.compile(r"(?:\s|#[^\n]*)*")
_WORD = re.compile(r"(\w+)(?!\S)[ \t]*", re.ASCII)
_VALUE = re.compile(
    r'''
      """    (?P<triple>.*?) """ [^\S\n]* (?:\n|\Z)
    | " (?!"") (?P<single>.*?) " [^\S\n]* (?:\n|\Z)
    | (?!") (?P<plain>[^\n]*\S[^\n]*)
    ''',
    re.DOTALL | re.VERBOSE,
)
_SEMVER = re.compile(
    r"v?\d+(\.\d+(\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `name` is a PARAMETER's option or a MESSAGE's role. `str()` is its line."""

    command: str
    value: str
    name: str = ""

    def __str__(self) -> str:
        value = self.value if self.command == "FROM" else _quoted(self.value)
        return " ".join(part for part in (self.command, self.name, value) if part)


class Parameter(NamedTuple):
    """An option and its value as written; a name may come more than once."""

    name: str
    value: str


class Message(NamedTuple):
    """One turn of the conversation that the model has behind it."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Modelfile:
    """What a Modelfile says; `str()` writes it down again."""

    sources: tuple[str, ...]
    adapters: tuple[str, ...] = ()
    drafts: tuple[str, ...] = ()
    template: str | None = None
    system: str | None = None
    renderer: str | None = None
    parser: str | None = None
    requires: str | None = None
    parameters: tuple[Parameter, ...] = ()
    licenses: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()

    def __str__(self) -> str:
        return "".join(f"{instruction}\n" for instruction in self.instructions())

    def instructions(self) -> Iterator[Instruction]:
        """In the order in which Ollama shows them."""
        yield Instruction("FROM", self.sources[0])
        yield from (Instruction("ADAPTER", path) for path in self.adapters)
        yield from (Instruction("DRAFT", path) for path in self.drafts)
        yield from (Instruction("FROM", source) for source in self.sources[1:])
        once = {
            "TEMPLATE": self.template,
            "SYSTEM": self.system,
            "RENDERER": self.renderer,
            "PARSER": self.parser,
            "REQUIRES": self.requires,
        }
        for command, value in once.items():
            if value is not None:
                yield Instruction(command, value)
        yield from (
            Instruction("PARAMETER", value, name) for name, value in self.parameters
        )
        yield from (Instruction("LICENSE", text) for text in self.licenses)
        yield from (Instruction("MESSAGE", text, role) for role, text in self.messages)


def _quoted(value: str) -> str:
    bare = value and value == value.strip() and "\n" not in value and value[0] != '"'
    quotes = "" if bare else '"""' if '"' in value else '"'
    return f"{quotes}{value}{quotes}"


def decode(data: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 when it starts with a byte order mark."""
    mark, encoding = next(
        (pair for pair in _ENCODINGS if data.startswith(pair[0])), (b"", "utf-8")
    )
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        raise InvalidRequest("the Modelfile is neither UTF-8 nor UTF-16 text") from None


def parse(text: str) -> Modelfile:
    """The Modelfile that `text` spells; control characters in it are dropped."""
    found: dict[str, list[Instruction]] = {command: [] for command in _COMMANDS}
    for instruction in _instructions(_CONTROL.sub("", text)):
        found[instruction.command].append(instruction)
    values = {key: tuple(one.value for one in found[key]) for key in found}
    if not values["FROM"]:
        raise InvalidRequest("no FROM line")
    last = {command: each[-1] for command, each in values.items() if each}
    check_requires(last.get("REQUIRES", "0"))
    return Modelfile(
        sources=values["FROM"],
        adapters=values["ADAPTER"],
        drafts=values["DRAFT"],
        template=last.get("TEMPLATE"),
        system=last.get("SYSTEM"),
        renderer=last.get("RENDERER"),
        parser=last.get("PARSER"),
        requires=last.get("REQUIRES"),
        parameters=tuple(Parameter(one.name, one.value) for one in found["PARAMETER"]),
        licenses=values["LICENSE"],
        messages=tuple(Message(one.name, one.value) for one in found["MESSAGE"]),
    )


def check_requires(version: str) -> None:
    """InvalidRequest unless it is the number of a release."""
    if not _SEMVER.fullmatch(version):
        raise InvalidRequest("requires must be a valid semver (e.g. 0.14.0)")


def _instructions(text: str) -> Iterator[Instruction]:
    scanner = _Scanner(text)
    while scanner.has_more():
        command = scanner.word().upper()
        if command not in _COMMANDS:
            raise scanner.error("command", _COMMANDS)
        name = scanner.word() if command in ("PARAMETER", "MESSAGE") else ""
        if command == "MESSAGE" and name not in _ROLES:
            raise scanner.error("message role", _ROLES)
        if command == "PARAMETER" and not name:
            raise scanner.early_end()
        yield Instruction(command, scanner.value(), name)


class _Scanner:
    """A place in the text between two parts of an instruction."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def has_more(self) -> bool:
        """Skips to the next instruction."""
        self._take(_NOTHING)
        return self._at < len(self._text)

    def word(self) -> str:
        """The next word and the blanks behind it; empty if something else comes."""
        found = self._take(_WORD)
        return found[1] if found else ""

    def value(self) -> str:
        found = self._take(_VALUE)
        if found is None:
            raise self.early_end()
        plain = found["plain"]
        return plain.strip() if plain else found["triple"] or found["single"] or ""

    def error(self, what: str, choices: tuple[str, ...]) -> InvalidRequest:
        """Ollama's words for a word that is none of the choices."""
        *names, last = (f'"{choice.lower()}"' for choice in choices)
        return self._refusal(f"{what} must be one of {', '.join(names)}, or {last}")

    def early_end(self) -> InvalidRequest:
        """Ollama's words for a value that is missing or has no end; the line is where it would begin."""
        return self._refusal("unexpected EOF")

    def _refusal(self, text: str) -> InvalidRequest:
        line = 1 + self._text.count("\n", 0, self._at)
        return InvalidRequest(f"(line {line}): {text}")

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found
