"""docs/cli.md and the man pages, written from the commands themselves: `make docs`."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from ollapy.cli.app import application
from ollapy.settings.setting import Setting
from ollapy.settings.table import TABLE

ROOT = Path(__file__).parents[1]
_BEGINNING = """\
# The command line

Written by `make docs` from what `--help` says. Man pages of the same text come with the package: `man ollapy-run`.
"""
_SETTINGS = """
## Settings

`ollapy config path` names the file, `ollapy config edit` opens it, and `ollapy config show` says where each value
comes from. A variable wins over the file; where `OLLAPY_X` is not set, `OLLAMA_X` is read. A running daemon reads the file
when it changes; what is marked with * waits for a restart. `OLLAPY_CONFIG` names another file.

A section is about one model: what its requests get where they say nothing themselves. A name without a tag is of all tags.

```toml
keep_alive = "10m"

[models."mistral"]
keep_alive = "1h"
think = false
options = { temperature = 0.2, num_ctx = 8192 }
```

| in the file | variable | default | meaning |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A command with what its help says; `about` is in paragraphs, of which the first is a sentence."""

    words: str
    usage: str
    about: list[str]
    arguments: list[tuple[str, str]]
    options: list[tuple[str, str]]
    commands: list[tuple[str, str]]
    epilog: str

    @property
    def title(self) -> str:
        """In one sentence."""
        return self.about[0]


def pages() -> list[Page]:
    """Of all commands that are shown, the whole one first."""
    return [*_pages(typer.main.get_command(application()), None, "ollapy")]


def _pages(command: Any, parent: Any, name: str) -> Iterator[Page]:
    kept = command.context_settings
    context = command.context_class(command, info_name=name, parent=parent, **kept)
    inner = {k: v for k, v in getattr(command, "commands", {}).items() if not v.hidden}
    pieces = command.collect_usage_pieces(context)
    params = [p for p in command.get_params(context) if not getattr(p, "hidden", False)]
    yield Page(
        context.command_path,
        " ".join((context.command_path, *pieces)),
        _paragraphs(command.help or ""),
        [_argument(p) for p in params if p.param_type_name == "argument" and p.help],
        [p.get_help_record(context) for p in params if p.param_type_name == "option"],
        [(word, _paragraphs(it.help or "")[0]) for word, it in inner.items()],
        command.epilog or "",
    )
    for word, it in inner.items():
        yield from _pages(it, context, word)


def _argument(param: Any) -> tuple[str, str]:
    return param.metavar or param.name.upper(), param.help


def _paragraphs(text: str) -> list[str]:
    whole = inspect.cleandoc(text).split("\n\n")
    first, _, rest = whole[0].replace("\n", " ").partition(". ")
    return [f"{first.rstrip('.')}.", *filter(None, [rest, *whole[1:]])]


def markdown() -> str:
    """The whole of docs/cli.md."""
    return _BEGINNING + "".join(map(_section, pages())) + _settings()


def _section(page: Page) -> str:
    depth = "##" if page.words.count(" ") < 2 else "###"
    blocks = [f"{depth} {page.words}", *map(_one_line, page.about)]
    blocks.append(f"```sh\n{page.usage}\n```")
    for rows in (page.arguments, page.options, page.commands):
        lines = (f"- `{word}`: {_one_line(text)}" for word, text in rows)
        blocks += filter(None, ["\n".join(lines)])
    if page.epilog:
        blocks.append(page.epilog)
    return "".join(f"\n{block}\n" for block in blocks)


def _settings() -> str:
    return _SETTINGS + "".join(map(_row, TABLE.values()))


def _row(it: Setting) -> str:
    name = it.name if it.reloads else f"{it.name}*"
    default = _default(it) or " "
    text = it.text.replace("|", "\\|")
    return f"| `{name}` | `{it.variables[0]}` | {default} | {text} |\n"


def _default(it: Setting) -> str:
    return f"`{it.default}`" if isinstance(it.default, str) and it.default else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def man(page: Page) -> str:
    """A man page."""
    name = page.words.replace(" ", "-")
    lines = [
        f'.TH {name.upper()} 1 "" ollapy "User Commands"',
        ".SH NAME",
        f"{_roff(name)} \\- {_roff(page.title.rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_roff(page.usage)}",
        ".SH DESCRIPTION",
        *_joined(page.about),
    ]
    for title, rows in (
        ("ARGUMENTS", page.arguments),
        ("OPTIONS", page.options),
        ("COMMANDS", page.commands),
        ("ENVIRONMENT", _environment(page)),
    ):
        lines += _listed(title, rows)
    if page.epilog:
        lines += [".SH EXAMPLES", _roff(_one_line(page.epilog))]
    lines += [".SH SEE ALSO", ".BR ollapy (1)" if " " in page.words else "ollapy help"]
    return "\n".join(lines) + "\n"


def _environment(page: Page) -> list[tuple[str, str]]:
    if page.words not in ("ollapy", "ollapy serve"):
        return []
    return [(it.variables[0], it.told) for it in TABLE.values()]


def _joined(paragraphs: list[str]) -> Iterator[str]:
    for number, paragraph in enumerate(paragraphs):
        yield from [".PP"][: number and 1]
        yield _roff(_one_line(paragraph))


def _listed(title: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    if rows:
        yield f".SH {title}"
    for word, text in rows:
        yield from (".TP", f".B {_roff(word)}", _roff(_one_line(text)))


def _roff(text: str) -> str:
    """A text that roff takes for nothing but text."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", escaped)


def files() -> dict[Path, str]:
    """All that is written, by its place."""
    found = {
        ROOT / "docs" / "man" / f"{page.words.replace(' ', '-')}.1": man(page)
        for page in pages()
    }
    return {ROOT / "docs" / "cli.md": markdown(), **found}


def main() -> int:
    """Write them, and take away the pages of commands that are gone."""
    written = files()
    for path in {*(ROOT / "docs" / "man").glob("*.1")} - {*written}:
        path.unlink()
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
