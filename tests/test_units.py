"""Sizes, counts, durations and instants in Ollama's wording."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest

from ollapy.errors import InvalidRequest
from ollapy.units import (
    FOREVER,
    format_bytes,
    format_duration,
    format_parameters,
    format_relative,
    format_time,
    keepalive_seconds,
    parse_duration,
    parse_keep_alive,
    parse_time,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("300ms", 0.3),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("+2s", 2.0),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("24h", 86400.0),
        ("-1s", FOREVER),
        ("-1m", FOREVER),
        ("2562047h", 2562047 * 3600),
    ],
)
def test_parse_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("5", 'time: missing unit in duration "5"'),
        ("1h5", 'time: missing unit in duration "1h5"'),
        ("5 m", 'time: missing unit in duration "5 m"'),
        ("five", 'time: invalid duration "five"'),
        ("5d", 'time: missing unit in duration "5d"'),
        ("--5s", 'time: invalid duration "--5s"'),
        ("9999999h", 'time: invalid duration "9999999h"'),
        ("-9999999h", 'time: invalid duration "-9999999h"'),
        ("9" * 99, f'time: missing unit in duration "{"9" * 80}"'),
        ("٥s", 'time: invalid duration "٥s"'),
    ],
)
def test_parse_duration_refuses(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_duration(text)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(0, 0.0), (5, 5.0), (0.5, 0.5), (-1, FOREVER), (-0.5, FOREVER), (inf, FOREVER), (1e10, FOREVER), ("5m", 300.0)],
)  # fmt: skip
def test_parse_keep_alive(value: float | str, seconds: float) -> None:
    assert parse_keep_alive(value) == seconds


def test_keep_alive_of_no_number() -> None:
    with pytest.raises(InvalidRequest, match="keep_alive must be a number"):
        keepalive_seconds(nan)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (999, "999ns"),
        (12_500, "12.5µs"),
        (350_000_000, "350ms"),
        (1_500_000_000, "1.5s"),
        (62_500_000_000, "1m2.5s"),
        (60_000_000_000, "1m0s"),
        (3_600_000_000_000, "1h0m0s"),
        (5_400_000_000_000, "1h30m0s"),
        (1_234_567_890, "1.23456789s"),
    ],
)
def test_format_duration(nanoseconds: int, text: str) -> None:
    assert format_duration(nanoseconds) == text
    assert parse_duration(text) == pytest.approx(nanoseconds / 1e9)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (1_500, "1.5 KB"),
        (815_319_791, "815 MB"),
        (4_661_224_676, "4.6 GB"),
        (12_345_678_901, "12 GB"),
        (2 * 10**12, "2 TB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_format_bytes(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (12, "12"),
        (12_345, "12K"),
        (3_541_248, "3.54M"),
        (137_000_000, "137M"),
        (133_699_000, "133.70M"),
        (7_000_000_000, "7B"),
        (7_241_732_096, "7.2B"),
    ],
)
def test_format_parameters(count: int, text: str) -> None:
    assert format_parameters(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "Less than a second ago"),
        (1, "1 second ago"),
        (59, "59 seconds ago"),
        (60, "About a minute ago"),
        (120, "2 minutes ago"),
        (3600, "About an hour ago"),
        (7200, "2 hours ago"),
        (2 * 86400, "2 days ago"),
        (14 * 86400, "2 weeks ago"),
        (61 * 86400, "2 months ago"),
        (800 * 86400, "2 years ago"),
        (-240, "4 minutes from now"),
        (-21 * 366 * 86400, "Forever"),
    ],
)
def test_format_relative(seconds: float, text: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert format_relative(now - timedelta(seconds=seconds), now) == text


def test_times() -> None:
    assert format_time(0) == "1970-01-01T00:00:00.000000Z"
    assert format_time(1.5) == "1970-01-01T00:00:01.500000Z"
    assert format_time(FOREVER) == "3000-01-01T00:00:00Z"
    assert parse_time("2026-01-02T03:04:05.123456789Z") == datetime(
        2026, 1, 2, 3, 4, 5, 123456, UTC
    )
    assert parse_time(format_time(1e9)).timestamp() == 1e9
