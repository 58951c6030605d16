"""Modelfiles: Ollama's text format for a model made from another.

    FROM llama3.2            one instruction a line, its name in any case
    SYSTEM \"\"\"Be brief.
    Be kind.\"\"\"             a quoted value ends at the first line that ends in its quotes

There are no escapes, so a text with a line that ends in three quotes cannot be written down.
"""

from __future__ import annotations

import codecs
import re
from collections import defaultdict
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
    "from",
    "license",
    "template",
    "system",
    "adapter",
    "draft",
    "renderer",
    "parser",
    "parameter",
    "message",
    "requires",
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
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield from (f"FROM {source}" for source in self.sources[:1])
        yield from (f"ADAPTER {_quoted(path)}" for path in self.adapters)
        yield from (f"DRAFT {_quoted(path)}" for path in self.drafts)
        yield from (f"FROM {source}" for source in self.sources[1:])
        for name in ("template", "system", "renderer", "parser", "requires"):
            value: str | None = getattr(self, name)
            if value is not None:
                yield f"{name.upper()} {_quoted(value)}"
        for parameter in self.parameters:
            yield f"PARAMETER {parameter.name} {_quoted(parameter.value)}"
        yield from (f"LICENSE {_quoted(text)}" for text in self.licenses)
        yield from (f"MESSAGE {role} {_quoted(text)}" for role, text in self.messages)


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
    values: dict[str, list[str]] = defaultdict(list)
    parameters: list[Parameter] = []
    messages: list[Message] = []
    for command, word, value in _instructions(_CONTROL.sub("", text)):
        if command == "parameter":
            parameters.append(Parameter(word, value))
        elif command == "message":
            messages.append(Message(word, value))
        else:
            values[command].append(value)
    if not values["from"]:
        raise InvalidRequest("no FROM line")
    last = {command: found[-1] for command, found in values.items()}
    if not _SEMVER.fullmatch(last.get("requires", "0")):
        raise InvalidRequest("requires must be a valid semver (e.g. 0.14.0)")
    return Modelfile(
        sources=tuple(values["from"]),
        adapters=tuple(values["adapter"]),
        drafts=tuple(values["draft"]),
        template=last.get("template"),
        system=last.get("system"),
        renderer=last.get("renderer"),
        parser=last.get("parser"),
        requires=last.get("requires"),
        parameters=tuple(parameters),
        licenses=tuple(values["license"]),
        messages=tuple(messages),
    )


def _instructions(text: str) -> Iterator[tuple[str, str, str]]:
    """Command, the word between it and the value if it has one, and value."""
    scanner = _Scanner(text)
    while scanner.has_more():
        command = scanner.word().lower()
        if command not in _COMMANDS:
            raise scanner.error("command", _COMMANDS)
        word = scanner.word() if command in ("parameter", "message") else ""
        if command == "message" and word not in _ROLES:
            raise scanner.error("message role", _ROLES)
        if command == "parameter" and not word:
            raise InvalidRequest("unexpected EOF")
        yield command, word, scanner.value()


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
            raise InvalidRequest("unexpected EOF")
        plain = found["plain"]
        return plain.strip() if plain else found["triple"] or found["single"] or ""

    def error(self, what: str, choices: tuple[str, ...]) -> InvalidRequest:
        """Ollama's words for a word that is none of the choices."""
        line = 1 + self._text.count("\n", 0, self._at)
        *names, last = (f'"{choice}"' for choice in choices)
        return InvalidRequest(
            f"(line {line}): {what} must be one of {', '.join(names)}, or {last}"
        )

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found
