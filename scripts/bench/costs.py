"""What ollapy costs beside the model: ratios and overheads, each with its target.

    python -m scripts.bench
    python -m scripts.bench --only daemon --only step --json

Starts daemons of its own on a free port with a temporary store, and asks the built-in model `tiny`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from .host import Host
from .measures import MEASURES
from .report import Row, as_json, machine, table


def main(words: list[str]) -> None:
    """Measure and print."""
    arguments = _arguments(words)
    found, rows = machine(), []
    for name in arguments.only or MEASURES:
        started = time.monotonic()
        rows += _measure(name, arguments.rounds, arguments.threads)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    if arguments.json:
        print(json.dumps(as_json(found, rows), indent=2))
        return
    for name, value in found.items():
        print(f"{name:18}{value}")
    print(f"\n{table(rows)}")


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench",
        description="What ollapy costs beside the model: ratios and overheads, each with its target.",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=MEASURES,
        help="measure this alone (may be repeated)",
    )
    parser.add_argument(
        "--rounds",
        type=_positive,
        default=3,
        help="how often each thing is measured (default: %(default)s)",
    )
    parser.add_argument(
        "--threads",
        type=_positive,
        default=0,
        help="threads of a runner (default: what the daemon chooses)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(words)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _measure(name: str, rounds: int, threads: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="ollapy-bench-") as folder:
        return list(MEASURES[name](Host(Path(folder), threads=threads), rounds))
