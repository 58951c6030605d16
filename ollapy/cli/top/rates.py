"""Rates: how fast things go, from two snapshots. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from ollapy.api.snapshot import ModelState, Snapshot


@dataclass(frozen=True, slots=True)
class Rates:
    """By model the tokens that are read and generated in a second, by operation the bytes; missing where not known."""

    read: dict[str, float] = field(default_factory=dict)
    generated: dict[str, float] = field(default_factory=dict)
    arriving: dict[int, float] = field(default_factory=dict)


def rates(before: Snapshot | None, now: Snapshot) -> Rates:
    """Of what is in both; what was loaded again in between, and so counts anew, is in neither."""
    found = Rates()
    if before is None or now.at <= before.at:
        return found
    seconds, known = now.at - before.at, {model.name: model for model in before.models}
    for model in now.models:
        if (old := known.get(model.name)) and "tokens" in model.counters:
            tokens, rows = (_count(model, n) - _count(old, n) for n in ("tokens", "rows"))  # fmt: skip
            if min(tokens, rows) >= 0:
                found.generated[model.name] = rows / seconds
                found.read[model.name] = max(tokens - rows, 0) / seconds
    done = {operation.id: operation.completed for operation in before.operations}
    for operation in now.operations:
        if operation.id in done:
            came = operation.completed - done[operation.id]
            found.arriving[operation.id] = max(came, 0) / seconds
    return found


def _count(model: ModelState, name: str) -> float:
    value = model.counters.get(name, 0)
    return 0.0 if isinstance(value, list) else value
