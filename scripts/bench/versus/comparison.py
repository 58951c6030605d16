"""What came of a match: ollapy's figure beside another server's, the ratio, and its goal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from .match import Entrant
from .scenario import Measure, Scenario

HEADINGS = ("what", "ollapy", "other", "ratio", "goal", "", "server", "note")
_WIDTH = 100
_TOLERANCE = 0.05  # answers end a token apart, and texts are cut into tokens twice


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of ollapy and of another server, the figures of all rounds; what failed is in the note."""

    measure: Measure
    server: str
    own: list[float]
    other: list[float]
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better ollapy is, by the medians."""
        if not self.own or not self.other:
            return None
        return self.measure.ratio(median(self.own), median(self.other))

    @property
    def is_met(self) -> bool | None:
        """Whether the ratio reaches the goal; None where one of them is missing."""
        if self.ratio is None or self.measure.goal is None:
            return None
        return self.ratio >= self.measure.goal

    def cells(self) -> tuple[str, ...]:
        """The comparison as the table shows it."""
        goal = self.measure.goal
        return (
            self.measure.name,
            self._figure(self.own),
            self._figure(self.other),
            "-" if self.ratio is None else f"{self.ratio:.3g} x",
            "" if goal is None else f">= {goal:g} x",
            {True: "ok", False: "MISSED", None: ""}[self.is_met],
            self.server,
            self.note[:_WIDTH],
        )

    def as_json(self) -> dict[str, Any]:
        """Everything, for another program."""
        return {**asdict(self), "ratio": self.ratio, "is_met": self.is_met}

    def _figure(self, values: list[float]) -> str:
        return f"{median(values):.3g} {self.measure.unit}" if values else "-"


def compare(scenario: Scenario, own: Entrant, other: Entrant) -> Iterator[Comparison]:
    """The measures of a match of two."""
    note = _note(own, other)
    for index, measure in enumerate(scenario.measures):
        yield Comparison(
            measure, other.name, own.values(index), other.values(index), note
        )


def _note(own: Entrant, other: Entrant) -> str:
    """Who failed, or else whether the two had unequal work."""
    failures = [f"{e.name}: {e.failure}" for e in (own, other) if e.failure]
    if failures:
        return "; ".join(failures)
    kinds = (
        ("prompt", [e.num_prompt for e in (own, other)]),
        (
            "answer",
            [e.num_tokens for e in (own, other)],
        ),
    )
    return ", ".join(
        f"{kind} {counts[0]} against {counts[1]} tokens"
        for kind, counts in kinds
        if _differ(*counts)
    )


def _differ(own: int, other: int) -> bool:
    """Whether two counts are too far apart; one that a server does not tell is none."""
    return bool(own and other) and abs(own - other) > _TOLERANCE * max(own, other)
