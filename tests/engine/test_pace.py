from __future__ import annotations

from ollapy.engine.pace import Pace


def test_a_chunk_keeps_its_step_short() -> None:
    """A millisecond a token: 128 more tokens fit into 150 ms, 256 do not."""
    pace = Pace(0.15)
    for size in (1, 16, 64, 256, 512):
        pace.record(size, size * 0.001)

    assert pace.chunk(num_rows=1) == 128
    assert pace.predict(512) == 0.512


def test_before_anything_is_known_chunks_are_small() -> None:
    assert Pace(0.15).chunk(num_rows=0) == 32


def test_a_slow_machine_still_gets_on() -> None:
    pace = Pace(0.15)
    pace.record(16, 10.0)

    assert pace.chunk(num_rows=8) == 4


def test_a_fast_machine_takes_everything() -> None:
    pace = Pace(0.05)
    pace.record(512, 0.001)

    assert pace.chunk(num_rows=4) == 512


def test_what_was_measured_lately_counts_most() -> None:
    pace = Pace(0.15)
    pace.record(64, 1.0)
    for _ in range(20):
        pace.record(64, 0.1)

    assert 0.1 <= pace.predict(64) < 0.11


def test_a_crowd_of_prompts_may_take_longer_and_sets_of_adapters_share() -> None:
    pace = Pace(0.04)
    for size in (2**n for n in range(10)):
        pace.record(size, size * 0.002)

    assert pace.beside(0, 1, 1) == pace.beside(1, 1, 1) == pace.beside(4, 4, 2) == 16
    assert pace.beside(1, 3, 1) == pace.beside(1, 9, 1) == 32
    assert pace.beside(1, 9, 4) == 16, "three others want a step each"
    assert pace.alone == 128
