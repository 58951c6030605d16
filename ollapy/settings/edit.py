"""Edit: a settings file changed by a program, whose comments and order stay as their author had them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tomlkit import TOMLDocument, comment, document, dumps, nl, parse, table
from tomlkit.container import Container
from tomlkit.items import Table

from ollapy import private
from ollapy.errors import InvalidRequest
from ollapy.settings.file import File, Key
from ollapy.settings.setting import Setting
from ollapy.settings.table import TABLE


def put(path: Path, key: Key, value: object) -> None:
    """Set a key."""

    def act(found: TOMLDocument) -> None:
        inner: TOMLDocument | Table | Container = found
        for part in key[:-1]:
            if part not in inner:
                inner[part] = table(is_super_table=part != key[-2])
            inner = inner[part]
        inner[key[-1]] = value

    _change(path, act)


def drop(path: Path, key: Key) -> None:
    """Take a key away, and the sections that are empty then."""

    def act(found: TOMLDocument) -> None:
        inside = [found]
        for part in key[:-1]:
            inside.append(inside[-1][part])
        for part, inner in zip(reversed(key), reversed(inside), strict=True):
            if part == key[-1] or not inner[part]:
                del inner[part]

    _change(path, act)


def create(path: Path) -> None:
    """A file that says nothing yet, and in its comments what could be said."""
    made = document()
    made.add(
        comment("Settings of ollapy: remove a '#' to set one. The environment wins.")
    )
    for it in TABLE.values():
        made.add(nl())
        made.add(comment(f"{it.text} ({' or '.join(it.variables)})"))
        made.add(comment(f"{it.name} = {_example(it)}"))
    made.add(nl())
    made.add(comment("What requests of a model get where they say nothing themselves."))
    for line in ('[models."mistral"]', 'keep_alive = "1h"', "options.temperature = 0"):
        made.add(comment(line))
    private.replace(path, dumps(made).encode())


def _example(it: Setting) -> str:
    """The default as TOML, or what says the same as nothing."""
    default = it.default_text
    if it.kind.is_list:
        return "[]"
    if int in it.kind.types and (default or "0").isdecimal():
        return default or "0"
    return default if bool in it.kind.types else f'"{default}"'


def _change(path: Path, act: Callable[[TOMLDocument], None]) -> None:
    file = File.read(path)
    if file.problem:
        raise InvalidRequest(f"{file.problem}; correct it with `ollapy config edit`")
    found = parse(path.read_text("utf-8-sig") if path.exists() else "")
    act(found)
    private.replace(path, dumps(found).encode())
