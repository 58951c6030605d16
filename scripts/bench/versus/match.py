"""A scenario played by all contenders in turn, so that a busy moment hits each of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from .calls import ask
from .contenders import Contender
from .scenario import Result, Scenario, Size
from .target import Target, show_end
from .words import Words

_WARM_UP = (32, 8)


@dataclass(slots=True, eq=False)
class Entrant:
    """One contender in one scenario; with a `failure` it is out, and its server has been ended."""

    name: str
    stack: ExitStack
    target: Target | None = None
    results: list[Result] = field(default_factory=list)
    failure: str = ""

    def values(self, index: int) -> list[float]:
        """What it reached in one of the measures, in the order of the rounds."""
        return [result.values[index] for result in self.results]

    @property
    def num_prompt(self) -> int:
        """Tokens of all its prompts."""
        return sum(result.num_prompt for result in self.results)

    @property
    def num_tokens(self) -> int:
        """Tokens of all its answers."""
        return sum(result.num_tokens for result in self.results)

    def attempt(self, act: Callable[[], None]) -> None:
        """Do it, unless the entrant is out; if it fails, it is."""
        if self.failure:
            return
        try:
            act()
        except (RuntimeError, OSError) as exc:
            self.failure = str(exc)
            if self.target:
                self.failure += self.target.obituary()
                show_end(self.name, self.target.log)
            _say(f"{self.name} failed: {self.failure}\n")
            self.stack.close()


def play(
    scenario: Scenario,
    contenders: list[Contender],
    *,
    rounds: int,
    size: Size,
    seed: int,
) -> list[Entrant]:
    """All rounds; every other one in the opposite order."""
    with ExitStack() as stack:
        entrants = [
            Entrant(c.name, stack.enter_context(ExitStack())) for c in contenders
        ]
        for entrant, contender in zip(entrants, contenders, strict=True):
            entrant.attempt(partial(_start, entrant, contender, scenario))
        for number in range(rounds):
            for entrant in reversed(entrants) if number % 2 else entrants:
                words = Words(seed, scenario.name, number)
                entrant.attempt(partial(_run, entrant, scenario, words, size))
    return entrants


def _start(entrant: Entrant, contender: Contender, scenario: Scenario) -> None:
    """Start and warm up: what comes first loads the model."""
    _say(f"{scenario.name}: {entrant.name} starts\n")
    target = entrant.stack.enter_context(contender.start())
    entrant.target = target
    num_words, num_tokens = _WARM_UP
    text = Words("warm-up").text(num_words)
    dialect = target.dialect
    request = (
        dialect.embed([text]) if scenario.embeds else dialect.complete(text, num_tokens)
    )
    ask(target, request)
    target.settle()


def _run(entrant: Entrant, scenario: Scenario, words: Words, size: Size) -> None:
    assert entrant.target is not None
    _say(f"{scenario.name}, round {len(entrant.results) + 1}: {entrant.name} ")
    result = scenario.run(entrant.target, words, size)
    entrant.results.append(result)
    figures = zip(scenario.measures, result.values, strict=True)
    _say(", ".join(f"{value:.3g} {measure.unit}" for measure, value in figures) + "\n")
    entrant.target.settle()


def _say(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)
