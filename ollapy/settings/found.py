"""Found: the value of a setting, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ollapy.settings.file import File
from ollapy.settings.setting import Setting


@dataclass(frozen=True, slots=True)
class Source:
    """`kind` is environment, file or default; `where` the variable, or the file and the line."""

    kind: str
    where: str = ""

    def __str__(self) -> str:
        return self.where or self.kind


@dataclass(frozen=True, slots=True)
class Found:
    """`text` is the value as it was written, of a flag what it comes to."""

    setting: Setting
    value: Any
    text: str
    source: Source

    @property
    def shown(self) -> str:
        """The text as others may see it."""
        return "(hidden)" if self.text and self.setting.is_secret else self.text


@dataclass(frozen=True, slots=True)
class _Said:
    """What one source says: the values to parse."""

    items: list[str]
    source: Source

    @property
    def text(self) -> str:
        return ",".join(self.items)


def find(
    setting: Setting, env: Mapping[str, str], file: File, problems: list[str]
) -> Found:
    """The first value that can be read; those before it that cannot are named in `problems`."""
    unusable: list[str] = []
    found = _first(_said(setting, env, file, problems), setting, unusable)
    used = found.text if found.source.kind != "default" else setting.default_text
    problems += [f"{told}, using {used or 'the default'}" for told in unusable]
    return found


def _first(said: Iterable[_Said], setting: Setting, unusable: list[str]) -> Found:
    for one in said:
        good, bad = _parsed(setting, one)
        unusable += (_told(setting, one, text) for text in bad)
        if good or not bad:
            value = tuple(good) if setting.kind.is_list else good[0]
            text = str(value).lower() if isinstance(value, bool) else one.text
            return Found(setting, value, text, one.source)
    text = setting.default_text
    value = setting.kind.parse(text) if text else setting.kind.empty
    return Found(setting, value, text, Source("default"))


def _said(
    setting: Setting, env: Mapping[str, str], file: File, problems: list[str]
) -> Iterator[_Said]:
    kind = setting.kind
    for variable in setting.variables:
        if text := _stripped(env.get(variable, "")):
            yield _Said(kind.items(text), Source("environment", variable))
    entry = file.entries.get((setting.name,))
    if entry is None or entry.value == "":
        return
    where = f"{file.path}:{entry.line}"
    if kind.takes(entry.value):
        yield _Said(kind.items(entry.value), Source("file", where))
    else:
        problems.append(f"{where}: {setting.name} must be {kind.told}")


def _stripped(text: str) -> str:
    return text.strip().strip("\"'").strip()


def _parsed(setting: Setting, said: _Said) -> tuple[list[Any], list[str]]:
    """The values, and the texts that are none."""
    good, bad = [], []
    negates = setting.negates and said.source.kind == "environment"
    for item in said.items:
        try:
            value = setting.kind.parse(item)
        except ValueError:
            bad.append(item)
        else:
            good.append(not value if negates else value)
    return good, bad


def _told(setting: Setting, said: _Said, text: str) -> str:
    text = text.rpartition("@")[2]  # not what may be a password
    if said.source.kind == "environment":
        return f"{said.source.where}={text!r} is not usable"
    return (
        f"{said.source.where}: {setting.name} must be {setting.kind.told}, not {text!r}"
    )
