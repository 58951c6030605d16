"""The measures: each takes a host and a number of rounds, and yields rows.

Two things that are compared are measured in turn, so that a busy moment hits both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import psutil

from .adapters import adapters
from .commands import commands
from .constrained import constrained
from .host import Cost, Host, run
from .http import tokens, version
from .kept import kept
from .long_chat import long_chat
from .report import Row
from .streams import Record, Stream, stream_all, wall_seconds
from .transfers import adopt, library, pull

MODEL = "tiny"
_NUM_TOKENS = 400
_MANY = 16
_CLIENTS = 8
_MIN_RECORDS = 2000

Measure = Callable[[Host, int], Iterator[Row]]


def _story(temperature: float) -> Record:
    """A prompt that is never finished: every token of it makes itself likelier, and the end is not in it."""
    options = {
        "temperature": temperature,
        "num_predict": _NUM_TOKENS,
        "frequency_penalty": -100,
    }
    return {
        "model": MODEL,
        "prompt": "Once upon a time",
        "raw": True,
        "options": options,
    }


_QUESTION: Record = {
    "model": MODEL,
    "prompt": "Tell me a long story.",
    "think": False,
    "options": {"temperature": 0},
}


def command_line(host: Host, rounds: int) -> Iterator[Row]:
    """`ollapy --help` and `ollapy list` against the bare import of their command-line library."""
    commands = {
        "help": ("-m", "ollapy", "--help"),
        "list": ("-m", "ollapy", "list"),
        "import": ("-c", "import typer"),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    with host.daemon():
        for _ in range(rounds + 1):
            for name, command in commands.items():
                costs[name].append(run(*command, env=host.env))
    for name in ("help", "list"):
        for kind in ("wall", "cpu"):
            own, base = (
                min(getattr(cost, kind) for cost in costs[which][1:])
                for which in (name, "import")
            )
            if base:
                label = f"ollapy {'--help' if name == 'help' else name}, {kind}"
                detail = f"{own * 1e3:.0f} ms against {base * 1e3:.0f} ms of import typer, best of {rounds}"
                yield Row(label, own / base, "x", 3.0, detail)


def cold_start(host: Host, rounds: int) -> Iterator[Row]:
    """From nothing to an answer, and its parts."""
    whole, ready, load = [], [], []
    for _ in range(rounds):
        try:
            whole.append(run("-m", "ollapy", "run", MODEL, "hi", env=host.env).wall)
        finally:
            host.shut_down()
        started = time.perf_counter()
        with host.daemon():
            ready.append(time.perf_counter() - started)
            started = time.perf_counter()
            host.call("POST", "/api/generate", {"model": MODEL})
            load.append(time.perf_counter() - started)
    for name, seconds in (
        (f"ollapy run {MODEL} hi, no daemon", whole),
        ("daemon ready", ready),
        (f"runner ready with {MODEL}", load),
    ):
        yield Row(name, median(seconds), "s", None, f"best {min(seconds):.3g} s")


def step_overhead(host: Host, rounds: int) -> Iterator[Row]:
    """What a step costs in Python beside decoding and sampling."""
    with _warm(host):
        for count, target in ((1, 0.3), (_MANY, 1.0)):
            for temperature in (0.0, 0.8):
                costs = [_step_costs(host, count, temperature) for _ in range(rounds)]
                overhead, decode, sample, rows = (
                    median(values) for values in zip(*costs, strict=True)
                )
                kind = f"temperature {temperature:g}" if temperature else "greedy"
                detail = f"decode {decode:.2f} ms, sampling {sample:.3f} ms, {rows:.1f} rows a step"
                yield Row(
                    f"step overhead, {_streams(count)}, {kind}",
                    overhead,
                    "ms",
                    target,
                    detail,
                )


def _step_costs(
    host: Host, count: int, temperature: float
) -> tuple[float, float, float, float]:
    """Milliseconds a step of overhead, decoding and sampling, and its rows."""
    before = host.counters(MODEL)
    stream_all(host.port, _story(temperature), count)
    after = host.counters(MODEL)
    spent = {name: after[name] - before[name] for name in after}
    overhead, decode, sample = (
        spent[f"{name}_seconds"] / spent["steps"] * 1e3
        for name in ("overhead", "decode", "sample")
    )
    return overhead, decode, sample, spent["rows"] / spent["steps"]


def daemon_cost(host: Host, rounds: int) -> Iterator[Row]:
    """The daemon's own memory and CPU; runners are other processes and do not count."""
    with host.daemon() as daemon:
        yield Row("daemon memory, idle", _megabytes(daemon), "MB", 80.0)
        host.call("POST", "/api/generate", {"model": MODEL})
        for count in (1, _MANY):
            stream_all(host.port, _story(0.0), count)  # imports and first allocations
            name = f"daemon CPU a token, {_streams(count)}"
            yield Row(name, *_token_cost(host, daemon, count, rounds))
        after = _megabytes(daemon)
        yield Row(f"daemon memory, after {_MANY} streams", after, "MB", 80.0)


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


def _token_cost(
    host: Host, daemon: psutil.Process, count: int, rounds: int
) -> tuple[float, str, float, str]:
    """Milliseconds of the daemon's CPU for each record. The system counts CPU in ticks of 10 ms: many records."""
    least, num_records = rounds * _MIN_RECORDS, 0
    before, started = daemon.cpu_times(), time.perf_counter()
    while num_records < least:
        streams = stream_all(host.port, _story(0.0), count)
        num_records += sum(s.num_records for s in streams)
    elapsed, after = time.perf_counter() - started, daemon.cpu_times()
    user, system = after.user - before.user, after.system - before.system
    detail = (
        f"user {user / num_records * 1e3:.3f}, system {system / num_records * 1e3:.3f} ms, "
        f"{num_records} records at {num_records / elapsed:.0f}/s"
    )
    return (user + system) / num_records * 1e3, "ms", 0.1, detail


def sharing(host: Host, rounds: int) -> Iterator[Row]:
    """Clients at once against one alone."""
    alone: list[list[Stream]] = []
    together: list[list[Stream]] = []
    with _warm(host):
        for _ in range(rounds * 2):
            alone.append(stream_all(host.port, _QUESTION))
            together.append(stream_all(host.port, _QUESTION, _CLIENTS))
    one, all_ = (median(map(wall_seconds, runs)) for runs in (alone, together))
    yield Row(
        f"{_CLIENTS} clients against one, wall",
        all_ / one,
        "x",
        float(_CLIENTS),
        f"{all_:.3f} s against {one:.3f} s",
    )
    rates = [median(map(_tokens_per_second, runs)) for runs in (alone, together)]
    detail = f"{rates[1]:.0f} against {rates[0]:.0f} tokens/s"
    yield Row(
        f"{_CLIENTS} clients against one, tokens/s",
        rates[1] / rates[0],
        "x",
        None,
        detail,
    )
    expected = alone[0][0].text
    texts = [stream.text for streams in together for stream in streams]
    equal = sum(text == expected for text in texts)
    yield Row(
        "greedy answers that differ",
        float(len(texts) - equal),
        "",
        1.0,
        f"{equal} of {len(texts)} are the lone client's",
    )


def _tokens_per_second(streams: list[Stream]) -> float:
    return sum(s.num_tokens for s in streams) / wall_seconds(streams)


def first_token(host: Host, rounds: int) -> Iterator[Row]:
    """How long a warm daemon takes to begin its answer."""
    with _warm(host):
        waits = [
            stream_all(host.port, _QUESTION)[0].seconds_to_first
            for _ in range(rounds * 4)
        ]
    detail = f"{min(waits) * 1e3:.1f} to {max(waits) * 1e3:.1f} ms of {len(waits)}"
    yield Row("time to first token, warm", median(waits) * 1e3, "ms", None, detail)


def _streams(count: int) -> str:
    return "one stream" if count == 1 else f"{count} streams"


@contextmanager
def _warm(host: Host) -> Iterator[None]:
    """A daemon that has answered once."""
    with host.daemon():
        stream_all(host.port, _QUESTION)
        yield


MEASURES: dict[str, Measure] = {
    "command-line": command_line,
    "commands": commands,
    "cold-start": cold_start,
    "step": step_overhead,
    "daemon": daemon_cost,
    "sharing": sharing,
    "first-token": first_token,
    "pull": pull,
    "import": adopt,
    "list": library,
    "constrained": constrained,
    "adapters": adapters,
    "long-chat": long_chat,
    "kept": kept,
    "version": version,
    "tokens": tokens,
}
