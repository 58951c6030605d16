"""Kind: what the value of a setting may be, as people write it in a variable or in the file."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ollapy.errors import InvalidRequest
from ollapy.settings.address import DEFAULT_PORT, Address
from ollapy.units import parse_bytes, parse_duration

_FALSE = {"0", "f", "false"}
_WORDS = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_ENDPOINT = re.compile(r"(?:\[[0-9a-f:]+\]|[a-z0-9_.-]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Kind:
    """`told` describes the values; `types` are those that the file's may have; ValueError from `parse` for others.

    `empty` is the value where nothing is said. Of a list, `parse` reads one item.
    """

    told: str
    types: tuple[type, ...]
    parse: Callable[[str], Any]
    empty: Any
    is_list: bool = False

    def takes(self, value: object) -> bool:
        """Whether a value of the file is of the right type."""
        if self.is_list and isinstance(value, list):
            return all(isinstance(item, str) for item in value)
        return type(value) in self.types

    def items(self, value: object) -> list[str]:
        """The texts to parse of a value of the file or of a variable: one, or those of a list."""
        if isinstance(value, bool):
            return [str(value).lower()]
        if not self.is_list:
            return [str(value)]
        parts = value if isinstance(value, list) else str(value).split(",")
        return list(dict.fromkeys(filter(None, (part.strip() for part in parts))))

    def toml(self, text: str) -> object:
        """A text of the command line as the file has it; ValueError where it means nothing."""
        if self.is_list:
            return [item for item in self.items(text) if self.parse(item) is not None]
        if self.types == (bool,):
            if text.lower() not in _WORDS:
                raise ValueError(text)
            return _WORDS[text.lower()]
        self.parse(text)
        return int(text) if int in self.types and text.isdecimal() else text


def _flag(text: str) -> bool:
    """As Go reads booleans, and any other text is true."""
    return text.lower() not in _FALSE


def _number(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) < least:
            raise ValueError(text)
        return int(text)

    return parse


def _duration(text: str) -> float:
    try:
        return parse_duration(text if re.search(r"[a-zµμ]$", text) else f"{text}s")
    except InvalidRequest as exc:
        raise ValueError(text) from exc


def _interval(text: str) -> float:
    return _duration(text) or math.inf


def _size(text: str) -> int:
    try:
        return parse_bytes(text)
    except InvalidRequest as exc:
        raise ValueError(text) from exc


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _url(text: str) -> str:
    """An http or https URL without credentials."""
    parts = urlsplit(text)
    host, _ = parts.hostname, parts.port
    plain = "@" not in parts.netloc and not parts.query and not parts.fragment
    if parts.scheme not in ("http", "https") or not host or not plain:
        raise ValueError(text)
    return text


def _endpoint(text: str) -> str:
    found = _ENDPOINT.fullmatch(text.lower())
    if found is None or not 0 < int(found[1]) < 65536:
        raise ValueError(text)
    return text.lower()


def one_of(*words: str) -> Kind:
    """One of the words, however they are cased."""

    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(text)
        return text.lower()

    return Kind(f"one of {', '.join(words)}", (str,), parse, "")


FLAG = Kind("true or false", (bool,), _flag, False)
NUMBER = Kind("a whole number", (int,), _number(0), 0)
COUNT = Kind("a whole number above zero", (int,), _number(1), 1)
DURATION = Kind(
    'a duration such as "5m", or seconds', (str, int, float), _duration, 0.0
)
INTERVAL = Kind('a duration such as "15s", 0 for never', (str, int), _interval, 0.0)
SIZE = Kind('a size such as "12GB"', (str, int), _size, 0)
TEXT = Kind("a text", (str,), str, "")
COMMAND = Kind(
    "words as a shell reads them", (str,), lambda text: tuple(shlex.split(text)), ()
)
PATH = Kind("a path", (str,), _path, Path())
URL = Kind("an http or https address without a password", (str,), _url, "")
ADDRESS = Kind(
    'an address such as "0.0.0.0:11434"',
    (str,),
    Address.parse,
    Address("127.0.0.1", DEFAULT_PORT),
)
NAMES = Kind("a list of texts", (str,), str.lower, (), is_list=True)
ENDPOINTS = Kind('a list of "host:port"', (str,), _endpoint, (), is_list=True)
