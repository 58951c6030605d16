"""Setting: one line of the table of settings, which the file, the documentation and `ollapy config` derive from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ollapy.settings.kinds import Kind

PREFIXES = ("OLLAPY_", "OLLAMA_")


@dataclass(frozen=True, slots=True)
class Setting:
    """`name` is the file's, `variables` the environment's, the first of which wins.

    `default` is as a person would write it, or makes it; empty where there is none. A daemon `reloads` what it
    reads anew while it runs. Where a variable `negates`, its true is the setting's false.
    """

    name: str
    kind: Kind
    default: str | Callable[[], str]
    text: str
    variables: tuple[str, ...]
    reloads: bool
    is_secret: bool
    negates: bool

    @property
    def told(self) -> str:
        """What the variable is for, with the default where that is the same everywhere."""
        if self.negates:
            return f"1 makes {self.name} false: {self.text}"
        is_plain = isinstance(self.default, str) and self.default
        return f"{self.text} ({self.default})" if is_plain else self.text

    @property
    def default_text(self) -> str:
        """The default as a person would write it."""
        return self.default if isinstance(self.default, str) else self.default()


def setting(
    name: str,
    kind: Kind,
    text: str,
    *,
    default: str | Callable[[], str] = "",
    env: str = "",
    reloads: bool = False,
    is_secret: bool = False,
    negates: bool = False,
) -> Any:
    """A field of Settings that is one; a secret has no variable of Ollama's, whose cloud it would be for."""
    prefixes = PREFIXES[:1] if is_secret else PREFIXES
    variables = tuple(prefix + (env or name.upper()) for prefix in prefixes)
    made = Setting(name, kind, default, text, variables, reloads, is_secret, negates)
    return field(metadata={"setting": made}, repr=not is_secret)
