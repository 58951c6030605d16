"""Config: the hyperparameters in config.json, checked one by one as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from ollapy.errors import InvalidModel
from ollapy.text import clean

_MAX = 1 << 30


class Config:
    """Values by Hugging Face's names; one that is null counts as missing."""

    def __init__(self, values: Mapping[str, Any], *, where: str = "") -> None:
        self._values = values
        self._where = where

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def get(self, name: str) -> Any:
        return self._values.get(name)

    def over(self, defaults: Mapping[str, Any]) -> Config:
        """The same with defaults for what is missing."""
        given = {name: value for name, value in self._values.items() if name in self}
        return Config({**defaults, **given}, where=self._where)

    def part(self, name: str) -> Config | None:
        """A table within; None where it is missing."""
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._wrong(name, "a table")
        return Config(value, where=f"{self._where}{name}.")

    def count(self, name: str, *, most: int = _MAX) -> int:
        """A whole number, at least 1."""
        value = self._needed(name)
        if type(value) is not int:
            raise self._wrong(name, "a whole number")
        if not 1 <= value <= most:
            raise InvalidModel(
                f"{self._shown(name)} is {value}, not between 1 and {most}"
            )
        return value

    def number(self, name: str) -> float:
        """A positive number."""
        value = self._needed(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not (isfinite(value) and value > 0):
            raise self._wrong(name, "a positive number")
        return float(value)

    def flag(self, name: str) -> bool:
        """False where it is missing."""
        value = self._values.get(name) or False
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def text(self, name: str) -> str:
        value = self._needed(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return clean(value[:200])

    def _needed(self, name: str) -> Any:
        if name not in self:
            raise InvalidModel(f"{self._shown(name)} is missing")
        return self._values[name]

    def _shown(self, name: str) -> str:
        return f"{self._where}{name} of config.json"

    def _wrong(self, name: str, kind: str) -> InvalidModel:
        return InvalidModel(f"{self._shown(name)} is not {kind}")
