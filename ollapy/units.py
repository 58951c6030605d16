"""Sizes, counts, durations and instants as people write and read them.

Wording and rounding are Ollama's, which scripts parse.
"""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime
from functools import lru_cache

from ollapy.errors import InvalidRequest

FOREVER = math.inf
_MAX_SECONDS = (2**63 - 1) / 1e9  # a Go duration is an int64 of nanoseconds
_MAX_TOLD = 80
_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)?")

_SIZE = re.compile(
    r"([0-9]{1,15}\.?[0-9]*|\.[0-9]+) ?(?:([KMGT])(i)?)?B?", re.IGNORECASE
)


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as `300ms` or `1h30m`; negative means forever."""
    body = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if body == "0":
        return 0.0
    seconds, at = 0.0, 0
    while at < len(body):
        part = _PART.match(body, at)
        if part is None:
            raise InvalidRequest(f'time: invalid duration "{text[:_MAX_TOLD]}"')
        if part[2] is None:
            raise InvalidRequest(f'time: missing unit in duration "{text[:_MAX_TOLD]}"')
        seconds += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    if not body or seconds > _MAX_SECONDS:
        raise InvalidRequest(f'time: invalid duration "{text[:_MAX_TOLD]}"')
    return keepalive_seconds(-seconds if text.startswith("-") else seconds)


def keepalive_seconds(number: float) -> float:
    """A number of seconds to keep something alive: negative, or beyond Go's range, is forever."""
    if math.isnan(number):
        raise InvalidRequest("keep_alive must be a number")
    return FOREVER if number < 0 or number > _MAX_SECONDS else float(number)


def parse_keep_alive(value: float | str) -> float:
    """Seconds of a `keep_alive` field: a number, or a Go duration."""
    return parse_duration(value) if isinstance(value, str) else keepalive_seconds(value)


def format_duration(nanoseconds: int) -> str:
    """A Go duration's text: `1m2.5s`, `350ms`, `12.5µs`."""
    if nanoseconds < 1_000:
        return f"{nanoseconds}ns" if nanoseconds else "0s"
    for unit, size in (("µs", 1_000), ("ms", 1_000_000)):
        if nanoseconds < size * 1_000:
            return f"{nanoseconds / size:.9g}{unit}"
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1e9:.11g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def parse_bytes(text: str) -> int:
    """A number of bytes such as `10MB`, `1.5G`, `512KiB`: decimal as in the tables, unless there is an i."""
    size = _SIZE.fullmatch(text)
    if size is None:
        raise InvalidRequest(f'"{text}" is not a number of bytes such as 10MB')
    base = 1024 if size[3] else 1000
    return int(float(size[1]) * base ** " KMGT".index((size[2] or " ").upper()))


def format_bytes(count: int) -> str:
    """Decimal units, as Ollama's tables: `815 MB`, `4.7 GB`."""
    value, unit = float(count), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    if unit == "B" or value >= 10:
        return f"{int(value)} {unit}"
    return f"{math.floor(value * 10) / 10:g} {unit}"


def format_parameters(count: int) -> str:
    """A number of weights: `7B`, `7.2B`, `133.70M`, `12K`."""
    if count >= 1_000_000_000:
        return f"{count / 1e9:.1f}".removesuffix(".0") + "B"
    if count >= 1_000_000:
        return f"{count / 1e6:.2f}".removesuffix(".00") + "M"
    if count >= 1_000:
        return f"{count // 1000}K"
    return str(count)


def _span(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    days = int(hours / 24)
    steps = (
        (seconds < 1, "Less than a second"),
        (seconds < 2, "1 second"),
        (minutes < 1, f"{int(seconds)} seconds"),
        (minutes < 2, "About a minute"),
        (hours < 1, f"{int(minutes)} minutes"),
        (hours < 2, "About an hour"),
        (hours < 48, f"{int(hours)} hours"),
        (days < 14, f"{days} days"),
        (days < 60, f"{days // 7} weeks"),
        (days < 730, f"{days // 30} months"),
        (True, f"{days // 365} years"),
    )
    return next(text for reached, text in steps if reached)


def format_relative(then: datetime, now: datetime) -> str:
    """`3 hours ago`, `4 minutes from now`; beyond twenty years `Forever`."""
    seconds = (now - then).total_seconds()
    if seconds < -20 * 365 * 86400:
        return "Forever"
    return f"{_span(seconds)} ago" if seconds >= 0 else f"{_span(-seconds)} from now"


def parse_time(text: str) -> datetime:
    """An RFC 3339 instant; digits beyond microseconds are cut."""
    return datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text))


def format_time(seconds: float) -> str:
    """RFC 3339 in UTC of a Unix time; forever is the last year a client can parse."""
    if seconds > 32503680000:  # the year 3000: keep_alive -1, or a clock gone wrong
        return "3000-01-01T00:00:00Z"
    whole = int(seconds)
    return f"{_format_second(whole)}.{int((seconds - whole) * 1e6):06d}Z"


def format_instant(at: float) -> str:
    """RFC 3339 in UTC of an instant of the monotonic clock."""
    return format_time(time.time() + at - time.monotonic())


@lru_cache(maxsize=8)
def _format_second(seconds: int) -> str:
    """Up to the second, which many records in a row share."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
