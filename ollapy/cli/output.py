"""What commands print: results on stdout, talk on stderr, nothing that drives the terminal."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable

from ollapy.errors import ModelNotFound
from ollapy.text import clean

from .table import columns, fitted, hanging

_QUOTED = re.compile(r"(['\"])(\S+)\1")


def print_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Columns under their headings; on a terminal as wide as that is."""
    lines = (
        fitted(header, rows, terminal_width())
        if sys.stdout.isatty()
        else columns([header, *rows])
    )
    print("\n".join(lines))


def terminal_width() -> int:
    """Columns of the terminal of stdout; one without a size has 80."""
    return shutil.get_terminal_size().columns


def print_text(text: str) -> None:
    """A text that others wrote: harmless on a terminal, unchanged in a file or pipe."""
    print(clean(text, keep="\n\t") if sys.stdout.isatty() else text)


def print_hanging(first: str, text: str) -> None:
    """A text behind what it is about; on a terminal broken between words, and indented under itself."""
    text = clean(text)
    is_terminal = sys.stdout.isatty()
    print(
        *hanging(first, text, terminal_width()) if is_terminal else [first + text],
        sep="\n",
    )


def print_paragraphs(texts: Iterable[str]) -> None:
    """A text a line, broken between words where a terminal's line ends."""
    if not sys.stdout.isatty():
        print("\n".join(map(clean, texts)))
        return
    from rich.console import Console
    from rich.text import Text

    # rich wraps by cells; that a terminal without escapes had 80 columns it only believes
    console, room = Console(), terminal_width()
    for text in texts:
        print(*Text(clean(text)).wrap(console, room), sep="\n")


def print_json(value: object) -> None:
    """A value for a program, on one line and at once."""
    import msgspec  # not every command has something to encode

    print_text(msgspec.json.encode(value).decode())
    sys.stdout.flush()


def talk(text: str) -> None:
    """Lines for the person, not for the program that reads stdout."""
    print(clean(text, keep="\n"), file=sys.stderr)


def complain(error: Exception) -> None:
    """What went wrong, on one line."""
    cure = f", {_cure(str(error))}" if isinstance(error, ModelNotFound) else ""
    print(f"Error: {clean(str(error))}{cure}", file=sys.stderr)


def _cure(missing: str) -> str:
    """A model whose name is much like the one between the quotes, or where to look."""
    asked = _QUOTED.search(missing)
    near = asked and nearest(asked[2])
    return f"did you mean '{near}'?" if near else "see `ollapy list`"


def nearest(name: str) -> str:
    """The model on this machine whose name is most like this one; empty where none is much like it."""
    from difflib import get_close_matches

    from .completion import models

    found = get_close_matches(name.removesuffix(":latest"), models(""), 1, 0.7)
    return found[0] if found else ""
