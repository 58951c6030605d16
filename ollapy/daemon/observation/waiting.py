"""Waiting: what the requests wait for whose answers have not begun. Pure, but for the engines' stats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from ollapy.api.loading import LoadState
from ollapy.api.status import RequestEntry
from ollapy.daemon.observation.engine_stats import EngineStats, engine_stats
from ollapy.daemon.observation.journal import Journal
from ollapy.daemon.runners.pool import RunnerPool
from ollapy.daemon.runners.runner import Runner


def loads(pool: RunnerPool) -> list[LoadState]:
    """The models that are on their way into memory, under each of the names that they are wanted by."""
    return [
        load_state(runner, str(use.model.name))
        for runner in pool.starting
        for use in runner.uses.current
    ]


def load_state(runner: Runner, name: str) -> LoadState:
    """How far a runner is that is not ready."""
    progress = runner.progress
    if progress is None:
        return LoadState(name, "waiting")
    status = "loading" if progress.is_reading else "preparing"
    return LoadState(name, status, progress.completed, progress.size, progress.said)


async def running(pool: RunnerPool, journal: Journal) -> list[RequestEntry]:
    """The requests under way, with what they wait for. Engines are asked only where one may have to wait its turn."""
    engines = await engine_stats(pool) if journal.is_crowded else {}
    return told(journal, loads(pool), engines)


def told(
    journal: Journal,
    loading: Iterable[LoadState],
    engines: Mapping[Runner, EngineStats],
) -> list[RequestEntry]:
    """The requests under way, with what they wait for: a model, or their turn."""
    states = {state.name: state for state in loading}
    ahead = journal.ahead((r.names, _waiting(found)) for r, found in engines.items())
    return [
        _loading(entry, states)
        if not entry.load_duration
        else replace(entry, ahead=ahead.get(entry.id))
        for entry in journal.running
    ]


def _loading(entry: RequestEntry, states: Mapping[str, LoadState]) -> RequestEntry:
    """One whose model is not there; a model that makes room for another is not even loading."""
    if not entry.model:
        return entry
    state = states.get(entry.model) or LoadState(entry.model, "waiting")
    return replace(entry, loading=state)


def _waiting(found: EngineStats) -> int:
    count = found.get("waiting", 0)
    return 0 if isinstance(count, list) else int(count)
