"""What a scenario is: a piece of work for one target, and the figures that come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .calls import Call
from .target import Target
from .words import Words


@dataclass(frozen=True, slots=True)
class Size:
    """How much work the scenarios are; lengths in words, answers in tokens."""

    prompt: int = 64
    answer: int = 128
    stream_prompt: int = 24
    stream_answer: int = 48
    clients: int = 8
    prefix: int = 800
    prefix_end: int = 12
    prefix_answer: int = 16
    intruder: int = 1200
    victim_answer: int = 160
    victim_lead: int = 16
    opening: int = 120
    turns: int = 4
    turn: int = 40
    turn_answer: int = 48
    storm: int = 16
    storm_prompt: int = 800
    storm_seconds: float = 0.5
    texts: int = 64
    text: int = 64


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a scenario, and by how much ollapy is to be better; seconds are better when they are few."""

    name: str
    unit: str
    goal: float | None = None

    def ratio(self, own: float, other: float) -> float:
        """How many times better the own figure is."""
        return other / own if self.unit == "s" else own / other


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one run in the order of the measures, and how many tokens they are of."""

    values: list[float]
    num_prompt: int
    num_tokens: int

    @classmethod
    def of(cls, calls: list[Call], *values: float) -> Result:
        """The figures of these calls."""
        return cls(
            list(values),
            sum(call.num_prompt for call in calls),
            sum(call.num_tokens for call in calls),
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """`run` does the work once; equal words make equal work. `embeds` asks for a server of embeddings."""

    name: str
    run: Callable[[Target, Words, Size], Result]
    measures: tuple[Measure, ...]
    embeds: bool = False
