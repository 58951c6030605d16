"""Markdown on a terminal, shown while it comes."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import ClassVar, TextIO

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich import markdown
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.syntax import Syntax
from rich.theme import Theme

_MARGIN = 2  # columns that stay free: a full line may already count as two
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_THEME = Theme({"markdown.code": "cyan", "markdown.code_block": "none"})
# Tags are text here: who asks for HTML wants to see it.
_PARSER = MarkdownIt(options_update={"html": False}).enable(["strikethrough", "table"])


class Stream:
    """What to write, piece by piece, so that the terminal shows a Markdown text as far as it has come.

    Blocks (paragraphs, lists, code) are rendered anew with each piece, and of their lines those are written again
    that have changed. Lines that have left the screen stay as they were. A long block is rendered less often than its
    pieces come, so that this takes a fifth of the time at most. `begun` stands on the screen already, as it came, on
    one line.
    """

    def __init__(
        self, out: TextIO, now: Callable[[], float] = perf_counter, *, begun: str = ""
    ) -> None:
        self._out, self._now = out, now
        self._next = 0.0  # when to render again
        self._console = Console(file=out, force_terminal=True, theme=_THEME)
        self._block = begun
        self._shown = [begun] if begun else []
        self._has_begun = bool(begun)

    def feed(self, text: str) -> str:
        """The next piece of the text, which holds no control characters but tabs and ends of lines."""
        self._block += text
        began = self._now()
        if began < self._next:
            return ""
        written = self.finish()
        now = self._now()
        self._next = now + 4 * (now - began)
        return written

    def finish(self) -> str:
        """All that has come."""
        written = ""
        *whole, self._block = _blocks(self._block)
        for block in whole:
            written += self._show(block)
            self._shown = []
        return written + self._show(self._block)

    def _show(self, block: str) -> str:
        columns, rows = os.get_terminal_size(self._out.fileno())
        lines = self._rendered(block, max(columns - _MARGIN, 1))
        if not lines:
            return ""
        if not self._shown:
            gap, self._has_begun = "\n\n" if self._has_begun else "", True
            self._shown = lines
            return gap + "\n".join(lines)
        written = _change(self._shown, lines, columns, rows - 1)
        self._shown = lines
        return written

    def _rendered(self, block: str, columns: int) -> list[str]:
        self._console.width = columns
        with self._console.capture() as captured:
            self._console.print(_Page(block), crop=False)
        lines = [line.rstrip(" ") for line in captured.get().split("\n")]
        seen = [at for at, line in enumerate(lines) if _plain(line).strip()]
        return lines[seen[0] : seen[-1] + 1] if seen else []


def _blocks(text: str) -> list[str]:
    """The text cut at empty lines that what follows them cannot reach across; the last one may go on."""
    blocks, fence, was_empty = [""], "", False
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if was_empty and not fence and not line[0].isspace():
            blocks.append("")
        blocks[-1] += line
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and line.strip() == mark[1]:
            fence = ""
        was_empty = not line.strip() and line.endswith("\n")
    return blocks


def _change(old: list[str], new: list[str], columns: int, rows: int) -> str:
    """From the end of the old lines to the end of the new ones, at most `rows` up."""
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    if same == len(old):
        return "".join(f"\n{line}" for line in new[same:])
    if same == len(old) - 1 < len(new) and new[same].startswith(old[same]):
        return "\n".join(new[same:])[len(old[same]) :]
    same = min(same, len(new) - 1)
    above = sum(_height(line, columns) for line in old[same:]) - 1
    while above > rows - 1 and same < len(old) - 1:
        above -= _height(old[same], columns)
        same += 1
    up = f"\x1b[{above}A" if above > 0 else ""
    return f"{up}\r\x1b[J" + "\n".join(new[same:])


def _height(line: str, columns: int) -> int:
    return max(math.ceil(cell_len(_plain(line)) / columns), 1)


def _plain(line: str) -> str:
    return _COLOURS.sub("", line)


class _Heading(markdown.Heading):
    """On the left, as all else."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _CodeBlock(markdown.CodeBlock):
    """Without a background and, but for code in lists, with lines as long as they are, so that it can be copied."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        syntax = Syntax("", self.lexer_name, theme="ansi_dark")
        code = syntax.highlight(str(self.text).rstrip())
        if options.max_width == console.width:
            code.no_wrap, code.overflow = True, "ignore"
        yield code


class _Page(markdown.Markdown):
    elements: ClassVar = {
        **markdown.Markdown.elements,
        "heading_open": _Heading,
        "fence": _CodeBlock,
        "code_block": _CodeBlock,
    }

    def __init__(self, text: str) -> None:
        super().__init__("", hyperlinks=False)
        self.parsed = _PARSER.parse(text)
        _keep_lines(self.parsed)


def _keep_lines(tokens: Iterable[Token]) -> None:
    """A line's end is one on the terminal too: poems and addresses come without Markdown's marks for it."""
    for token in tokens:
        if token.type == "softbreak":
            token.type = "hardbreak"
        _keep_lines(token.children or ())
