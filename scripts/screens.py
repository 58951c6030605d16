"""Pictures of the main screens, as a terminal of 90 columns shows them: docs/screens/*.svg.

python -m scripts.screens
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import StringIO
from itertools import groupby
from pathlib import Path

import pyte.screens
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.support.daemon import Daemon, running_daemon
from tests.support.terminal import Terminal, terminal

_FOLDER = Path(__file__).parents[1] / "docs" / "screens"
_COLUMNS, _ROWS = 90, 28


@dataclass(frozen=True, slots=True)
class Scene:
    """A command on a terminal, and what is done before the picture is taken."""

    name: str
    words: tuple[str, ...]
    act: Callable[[Terminal], object] = Terminal.wait


def chat(shown: Terminal) -> None:
    """A question that is thought about, a second one, and what the bottom line then says."""
    shown.shows("Send a message")
    shown.type("What is 37 + 48?\r")
    shown.shows("85")
    shown.shows("tokens/s")
    shown.type("Tell me a joke\r")
    shown.shows("context")
    shown.shows("Send a message")
    shown.type("/set ")
    shown.shows("nomarkdown")


SCENES = (
    Scene("chat", ("run", "tiny", "--option", "temperature=0"), chat),
    Scene("why", ("why",)),
    Scene("top", ("top", "--once")),
    Scene("show", ("show", "tiny")),
)


def main() -> None:
    """Take them all, of a daemon with a store of its own."""
    _FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_daemon(Path(folder)) as daemon:  # fmt: skip
        for scene in SCENES:
            (_FOLDER / f"{scene.name}.svg").write_text(picture(scene, daemon))
            print(scene.name)


def picture(scene: Scene, daemon: Daemon) -> str:
    """The scene as SVG."""
    with terminal(*scene.words, host=daemon.address, columns=_COLUMNS, rows=_ROWS, COLORTERM="truecolor") as shown:  # fmt: skip
        scene.act(shown)
        lines = shown.lines
        console = Console(record=True, width=_COLUMNS, file=StringIO())
        buffer = shown.emulator.buffer
        for row in range(len(lines)):
            cells = (buffer[row][column] for column in range(_COLUMNS))
            console.print(_text(cells), crop=False)
    return console.export_svg(title=f"ollapy {' '.join(scene.words)}", unique_id=scene.name)  # fmt: skip


def _text(cells: Iterable[pyte.screens.Char]) -> Text:
    text = Text()
    for look, run in groupby(cells, key=lambda cell: cell._replace(data="")):
        text.append("".join(cell.data for cell in run), _style(look))
    text.rstrip()
    return text


def _style(look: pyte.screens.Char) -> Style:
    return Style(
        color=_colour(look.fg),
        bgcolor=_colour(look.bg),
        bold=look.bold,
        italic=look.italics,
        underline=look.underscore,
        reverse=look.reverse,
    )


def _colour(name: str) -> str | None:
    if name == "default":
        return None
    if len(name) == 6 and all(digit in "0123456789abcdef" for digit in name):
        return f"#{name}"
    return name.replace("brown", "yellow").replace("bright", "bright_").replace("__", "_")  # fmt: skip


if __name__ == "__main__":
    main()
