"""What commands print: results on stdout, talk on stderr, nothing that drives the terminal."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable
from itertools import zip_longest

from ollapy.errors import ModelNotFound
from ollapy.text import clean

_QUOTED = re.compile(r"(['\"])(\S+)\1")


def columns(rows: Iterable[Iterable[str]]) -> list[str]:
    """The rows as lines, left-aligned in columns four spaces apart."""
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) + 4 for column in zip_longest(*cells, fillvalue="")]
    return [
        "".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        .rstrip()
        for row in cells
    ]  # fmt: skip


def print_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Columns under their headings."""
    print("\n".join(columns([header, *rows])))


def print_text(text: str) -> None:
    """A text that others wrote: harmless on a terminal, unchanged in a file or pipe."""
    print(clean(text, keep="\n\t") if sys.stdout.isatty() else text)


def print_paragraphs(texts: Iterable[str]) -> None:
    """A text a line, broken between words where a terminal's line ends."""
    if not sys.stdout.isatty():
        print("\n".join(map(clean, texts)))
        return
    from rich.console import Console
    from rich.text import Text

    # rich wraps by cells; that a terminal without escapes had 80 columns it only believes
    columns, console = shutil.get_terminal_size().columns, Console()
    for text in texts:
        print(*Text(clean(text)).wrap(console, columns), sep="\n")


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
