"""A table of what the chat templates in a folder can do, and which conversations they refuse.

    python -m scripts.templates FOLDER

A cell is `yes`, `-` where a template has no such thing, or a letter for a refusal that is known, below the
table in words. Anything else is printed as it is, and makes the exit status 1.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ollapy.api.ollama import FunctionCall, Message, ToolCall
from ollapy.chat.go_template import GoChatTemplate
from ollapy.chat.jinja import ChatTemplate
from ollapy.chat.learn import learn
from ollapy.chat.parser import Parser
from ollapy.chat.probes import TOOLS
from ollapy.chat.render import Rendered, Renderer
from ollapy.chat.traits import Traits
from ollapy.errors import InvalidRequest

_CALLS = [
    ToolCall(FunctionCall("qprobe", {"word": "Oslo", "count": n}), f"call_1234567{n}")
    for n in (1, 2)
]
_USER = Message("user", "What is it?")
_TURN = [
    _USER,
    Message("assistant", "", "I look it up.", tool_calls=_CALLS[:1]),
    Message("tool", "sunny", tool_name="qprobe", tool_call_id=_CALLS[0].id),
]
CONVERSATIONS: dict[str, list[Message]] = {
    "plain": [_USER],
    "system": [Message("system", "Be brief."), _USER],
    "turns": [_USER, Message("assistant", "It is.", "It may be."), _USER],
    "tools": [_USER],
    "result": _TURN,
    "results": [
        _USER,
        Message("assistant", "", tool_calls=_CALLS),
        *(
            Message("tool", "dry", tool_name="qprobe", tool_call_id=c.id)
            for c in _CALLS
        ),
    ],
    "answered": [*_TURN, Message("assistant", "Sunny."), _USER],
    "prefill": [_USER, Message("assistant", "It is")],
}
_WITH_TOOLS = ("tools", "result", "results", "answered")
# Refusals by the template's own words, and what they mean.
KNOWN = {
    "a": (r"'NoneType' object is not iterable", "the variant for tools, which is rendered only with some"),
}  # fmt: skip


@dataclass
class Row:
    """One template."""

    name: str
    traits: Traits
    milliseconds: float
    cells: dict[str, str] = field(default_factory=dict)

    @property
    def unknown(self) -> list[str]:
        """Refusals that nobody has explained."""
        bad = (
            f"{self.name}: {kind}: {cell}"
            for kind, cell in self.cells.items()
            if len(cell) > 3
        )
        return list(bad)


class _NoVocabulary:
    def tokenize(
        self, text: str, *, special: bool = True, begins: bool = True
    ) -> list[int]:
        return []

    def control_texts(self, tokens: Iterable[int]) -> set[str]:
        return set()


def examine(path: Path) -> Row:
    """The row of a template file."""
    started = time.perf_counter()
    is_go = path.suffix == ".gotmpl"
    template = (GoChatTemplate if is_go else ChatTemplate)(path.read_text())
    traits = learn(template)
    row = Row(path.stem, traits, (time.perf_counter() - started) * 1000)
    renderer = Renderer(
        lambda variables: template.render(**variables),
        traits,
        _NoVocabulary(),
        bos="<s>",
        eos="</s>",
        adds_bos=False,
    )
    for kind, messages in CONVERSATIONS.items():
        row.cells[kind] = _cell(renderer, traits, kind, messages)
    return row


def _cell(
    renderer: Renderer, traits: Traits, kind: str, messages: list[Message]
) -> str:
    has_tools = kind in _WITH_TOOLS
    if has_tools and not traits.tools:
        return "-"
    try:
        rendered = renderer.render(
            messages, TOOLS if has_tools else None, traits.thinking or None
        )
    except InvalidRequest as exc:
        known = (
            mark for mark, (words, _) in KNOWN.items() if re.search(words, str(exc))
        )
        return next(known, str(exc))
    return _missing(rendered, kind, traits) or "yes"


def _missing(rendered: Rendered, kind: str, traits: Traits) -> str:
    """What should be in the prompt and is not."""
    text = rendered.body + rendered.prefill
    wanted = {
        "system": ["Be brief."],
        "turns": ["It is."],
        "tools": ["A probe."],
        "result": ["qprobe", "Oslo", "sunny"],
        "results": ["Oslo", "dry"],
        "answered": ["Oslo", "sunny", "Sunny."],
        "prefill": ["It is"],
    }
    absent = [word for word in wanted.get(kind, []) if word not in text]
    if absent:
        return f"lacks {absent}"
    parser = Parser(traits.format, tools=TOOLS, opening=rendered.opening)
    said = "".join(p.content for p in [*parser.feed("Fine."), *parser.finish()])
    thinks = parser.is_thinking
    return (
        "" if thinks or said == "Fine." or traits.format.headers else f"reads {said!r}"
    )


def refusals(paths: Iterable[Path]) -> list[str]:
    """Refusals of these templates for reasons that are not known."""
    return [line for path in paths for line in examine(path).unknown]


def main() -> int:
    """Print the table."""
    paths = sorted(Path(sys.argv[1]).iterdir())
    rows = [examine(path) for path in paths if path.suffix in (".jinja", ".gotmpl")]
    columns = (
        "template",
        "ms",
        "system",
        "tools",
        "thinking",
        "calls",
        *(f"~{k}" for k in CONVERSATIONS),
    )
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*_described(row), *row.cells.values())
    console = Console(width=220)
    console.print(table)
    for mark, (_, meaning) in KNOWN.items():
        console.print(f"{mark}: {meaning}")
    return int(any(row.unknown for row in rows))


def _described(row: Row) -> tuple[str, ...]:
    traits: Any = row.traits
    form = traits.format
    calls = [f"{c.style} {c.start.strip()}" for c in form.calls]
    headers = [f"{h.starts[0]}…{h.end.strip()}" for h in [form.headers] if h]
    flags = ("yes" if traits.system else "-", "yes" if traits.tools else "-")
    thought = form.thought[0] if form.thought else "yes" if traits.thinking else "-"
    return (
        row.name[:40],
        f"{row.milliseconds:.0f}",
        *flags,
        _plain(thought),
        _plain(", ".join(calls + headers)),
    )


def _plain(text: str) -> str:
    """Without Rich's own markup."""
    return text.replace("[", "\\[")


if __name__ == "__main__":
    sys.exit(main())
