"""File: the settings file, each value with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_BYTES = 1 << 20
_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A value as TOML has it, and the line that it begins on."""

    value: object
    line: int


@dataclass(frozen=True, slots=True)
class File:
    """What a file says, by keys without dots in their parts; `problem` where it could not be read at all."""

    path: Path | None = None
    entries: Mapping[Key, Entry] = field(default_factory=dict)
    problem: str = ""

    @classmethod
    def read(cls, path: Path) -> File:
        """The file; an absent one says nothing."""
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return cls(path)
        except OSError as exc:
            return cls(path, problem=f"{path} cannot be read: {exc.strerror}")
        return cls.of(data, path)

    @classmethod
    def of(cls, data: bytes, path: Path) -> File:
        """The file of these bytes."""
        import tomllib  # who has no file need not wait for it

        if len(data) > MAX_BYTES:
            return cls(path, problem=f"{path} is too long for a settings file")
        try:
            text = data.decode("utf-8-sig")
            tomllib.loads(text)
            return cls(path, dict(_entries(text)))
        except UnicodeDecodeError:
            return cls(path, problem=f"{path} is not UTF-8 text")
        except RecursionError:
            return cls(path, problem=f"{path} is nested too deeply")
        except tomllib.TOMLDecodeError as exc:
            return cls(path, problem=_problem(path, text, str(exc)))


def _problem(path: Path, text: str, told: str) -> str:
    at = _AT.search(told)
    line = at[1] if at and at[1] else len(text.splitlines())
    reason = _AT.sub("", told)
    return f"{path}:{line} is not TOML, so nothing of the file is used: {reason}"


def _entries(text: str) -> Iterator[tuple[Key, Entry]]:
    """A statement is the lines after which TOML could end; parsed alone it says its keys."""
    import tomllib

    table: Key = ()
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        lines.append(line)
        try:
            said = tomllib.loads("\n".join(lines))
        except tomllib.TOMLDecodeError:  # it goes on
            continue
        if line.lstrip().startswith("[") and len(lines) == 1:
            table = _table(said)
        for key, value in _leaves(said):
            yield (*table, *key), Entry(value, number - len(lines) + 1)
        lines = []


def _table(said: Mapping[str, Any]) -> Key:
    """The name in a heading such as `[models.tiny]`, or `[[a]]`."""
    key: Key = ()
    while said:
        (name, inside), *_ = said.items()
        key, said = (*key, name), inside[0] if isinstance(inside, list) else inside
    return key


def _leaves(said: Mapping[str, Any]) -> Iterator[tuple[Key, object]]:
    for name, value in said.items():
        if isinstance(value, dict):
            yield from (((name, *key), leaf) for key, leaf in _leaves(value))
        elif not (isinstance(value, list) and value == [{}]):
            yield (name,), value
