"""Table: a result as lines, beside an earlier one where there is one. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ollapy.cli.table import columns
from ollapy.units import format_bytes

from .result import Depth, Result, Streams


def table(result: Result, before: Result | None) -> Iterator[str]:
    """What was found; behind each figure how many times the earlier one it is."""
    yield f"{result.model}, {_where(result)}, a context of {result.context:,} tokens"
    loaded = _compared(result.load_seconds, before.load_seconds if before else 0.0)
    yield f"loaded in {loaded} s"
    yield f"on {result.machine}, ollapy {result.version}"
    yield from _bandwidth(result)
    yield ""
    yield from columns([("DEPTH", "READ/s", "TOKENS/s", "OF LIMIT"), *_depths(result, before)])  # fmt: skip
    if result.streams:
        yield ""
        yield from columns([("STREAMS", "TOKENS/s", "EACH"), *_streams(result, before)])


def _where(result: Result) -> str:
    size = f"{format_bytes(result.size)} in memory"
    if not result.size_vram:
        return size
    return f"{size}, {format_bytes(result.size_vram)} of it on the accelerator"


def _bandwidth(result: Result) -> Iterator[str]:
    if not result.bandwidth:
        return
    yield (
        f"memory copies {result.bandwidth / 1e9:.1f} GB/s, "
        f"a token reads {format_bytes(result.weights)} of weights"
    )
    if any(depth.share and depth.share > 1 for depth in result.depths):
        yield "more than the limit is what the processor has in its caches"


def _depths(result: Result, before: Result | None) -> Iterator[tuple[str, ...]]:
    known = {depth.depth: depth for depth in before.depths} if before else {}
    for depth in result.depths:
        old = known.get(depth.depth, Depth(0, 0.0, 0.0))
        yield (
            f"{depth.depth:,}",
            _compared(depth.read, old.read),
            _compared(depth.generated, old.generated),
            "-" if depth.share is None else f"{100 * depth.share:.0f}%",
        )


def _streams(result: Result, before: Result | None) -> Iterator[tuple[str, ...]]:
    known = {streams.count: streams for streams in before.streams} if before else {}
    for streams in result.streams:
        old = known.get(streams.count, Streams(0, 0.0, 0.0))
        yield (
            str(streams.count),
            _compared(streams.together, old.together),
            _compared(streams.each, old.each),
        )


def _compared(value: float, before: float) -> str:
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{text} ({value / before:.2f}x)" if before else text
