"""What the environment says of the terminal."""

from __future__ import annotations

import os


def has_colours() -> bool:
    """Whether the person wants colours (https://no-color.org) and the terminal knows escapes."""
    return not os.environ.get("NO_COLOR") and has_escapes()


def has_escapes() -> bool:
    """Whether the terminal, where there is one, can move its cursor."""
    return os.environ.get("TERM") != "dumb"


def editor() -> str:
    """The command of the editor that the person's other programs use."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"


def is_completing() -> bool:
    """Whether a shell wants to know what may follow, and nothing else."""
    return "_OLLAPY_COMPLETE" in os.environ
