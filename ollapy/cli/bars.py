"""Bars: an operation on a terminal. What has ended is a line that stays, what is under way moves below."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from ollapy.api.ollama import Progress
from ollapy.settings import has_colours
from ollapy.units import format_bytes

from .steps import Step, Steps

_REFRESHES = 10  # a second
_MARGIN = 2  # columns at the right, where the terminal may show ^C without a new line
_MIN_BAR = 8
_NOTABLE = 1.0  # seconds from which on it is said how long something took


@contextmanager
def bars() -> Iterator[Callable[[Progress], None]]:
    """What shows a record on the terminal of stderr. At a failure what is under way stays, and a cross with it."""
    console = _Console(
        stderr=True, force_terminal=True, no_color=not has_colours(), highlight=False
    )
    steps, signs = Steps(), _ASCII if console.options.ascii_only else Signs()
    with Live(
        console=console,
        refresh_per_second=_REFRESHES,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:

        def show(record: Progress) -> None:
            _, ended = steps.take(record, now := time.monotonic())
            live.update(_Frame(steps.under_way, signs))
            for step in ended:
                console.print(_ended(step, now, signs), soft_wrap=True)

        try:
            yield show
        except BaseException:
            still = replace(signs, spinner=signs.cross)
            live.update(_Frame(steps.under_way, still))
            raise


class _Console(Console):
    """Never hides the cursor, so that nothing that ends or stops the program can leave it hidden."""

    def show_cursor(self, show: bool = True) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Signs:
    """The characters that are drawn with."""

    tick: str = "✓"
    cross: str = "✗"
    spinner: str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
    done: str = "━"
    left: str = "─"
    cut: str = "…"


_ASCII = Signs("*", "x", "|/-\\", "#", "-", ".")


@dataclass(frozen=True, slots=True)
class _Frame:
    """The lines of what is under way, as wide as the terminal is now."""

    steps: list[Step]
    signs: Signs

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        now, width = time.monotonic(), max(options.max_width - _MARGIN, 1)
        for step in self.steps:
            yield line(step, now, width, self.signs)


def drawn(step: Step, now: float) -> str:
    """The line of what is under way, as the terminal of stderr takes it."""
    console = _Console(
        stderr=True, force_terminal=True, no_color=not has_colours(), highlight=False
    )
    signs = _ASCII if console.options.ascii_only else Signs()
    text = line(step, now, max(console.width - _MARGIN, 1), signs)
    with console.capture() as captured:
        console.print(text, end="", soft_wrap=True)
    return captured.get()


def line(step: Step, now: float, width: int, signs: Signs) -> Text:
    """What is under way and as much about it as fits; its bar takes what is left, its name is cut last."""
    spin = signs.spinner[int(now * _REFRESHES) % len(signs.spinner)]
    name = Text(f"{spin} {step.text}", no_wrap=True)
    facts = _facts(step, now) if step.total else {}
    for expendable in ("rate", "size", "left"):
        if name.cell_len + sum(map(len, facts.values())) > width:
            facts.pop(expendable, None)
    room = width - sum(map(len, facts.values()))
    if name.cell_len > room:
        name.truncate(max(room - len(signs.cut), 1))
        name.append(signs.cut)
    bar = _bar(step, room - name.cell_len - 1, signs) if step.total else Text()
    return Text.assemble(name, facts.pop("percent", ""), bar, *facts.values())


def _facts(step: Step, now: float) -> dict[str, str]:
    """Of the same width from beginning to end, so that nothing jumps."""
    rate, left = step.rate(now), step.seconds_left(now)
    return {
        "percent": f"{step.percent:>4}%",
        "size": f"  {format_bytes(step.completed):>6}/{format_bytes(step.total):<6}",
        "rate": f"{'' if rate is None or step.has_ended else format_bytes(int(rate)) + '/s':>10}",
        "left": f"{'stalled' if step.has_stalled(now) else _duration(left):>9}",
    }


def _bar(step: Step, width: int, signs: Signs) -> Text:
    if width < _MIN_BAR:
        return Text()
    done = width * step.completed // step.total
    return Text.assemble(
        " ", (signs.done * done, "cyan"), (signs.left * (width - done), "dim")
    )


def _ended(step: Step, now: float, signs: Signs) -> Text:
    """The line that stays."""
    took = now - step.begun_at
    time = f" in {_duration(took)}" if step.total and took >= _NOTABLE else ""
    return Text.assemble((signs.tick, "green"), f" {step.title}{time}")


def _duration(seconds: float | None) -> str:
    """`12s`, `1m12s`, `2h5m`; nothing where it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m" if hours < 100 else "days"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
