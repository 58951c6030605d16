"""The number of threads follows from what the system says of its cores."""

from __future__ import annotations

import psutil
import pytest

from ollapy.runner.threads import Threads, Usage


@pytest.mark.parametrize(
    ("cores", "most", "others", "own", "expected"),
    [
        pytest.param(2, 2, 0.0, 2.0, 2, id="alone"),
        pytest.param(2, 2, 1.0, 1.0, 1, id="a-busy-neighbour"),
        pytest.param(2, 2, 0.2, 1.8, 2, id="a-client-that-reads"),
        pytest.param(2, 2, 2.0, 0.0, 1, id="no-core-left"),
        pytest.param(16, 8, 1.0, 8.0, 8, id="the-second-threads-of-the-cores-are-free"),
        pytest.param(8, 8, 3.0, 4.0, 5, id="three-neighbours"),
        pytest.param(4, 1, 0.0, 1.0, 1, id="never-more-than-asked"),
    ],
)
def test_others_decide(
    cores: int, most: int, others: float, own: float, expected: int
) -> None:
    threads = Threads(most, num_cores=cores)
    threads.look(Usage(total=100.0, idle=50.0, own=10.0))
    idle = 50.0 + cores - others - own

    assert threads.look(Usage(100.0 + cores, idle, 10.0 + own)) == expected


def test_what_others_have_used() -> None:
    before = Usage(total=100.0, idle=50.0, own=10.0)

    assert Usage(104.0, 51.0, 12.0).others_since(before) == 0.25
    assert Usage(104.0, 51.0, 14.0).others_since(before) == 0.0
    assert before.others_since(before) == 0.0


def test_a_neighbour_that_leaves_gives_the_core_back() -> None:
    threads = Threads(2, num_cores=2)
    threads.look(Usage(0.0, 0.0, 0.0))
    assert threads.look(Usage(2.0, 0.0, 1.0)) == 1
    assert threads.look(Usage(4.0, 1.0, 2.0)) == 2


def test_where_the_system_says_nothing_all_threads_compute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise PermissionError("/proc/stat")

    monkeypatch.setattr(psutil, "cpu_times", refuse)
    threads = Threads(4, num_cores=4)
    assert [threads.choose(), threads.choose()] == [4, 4]


def test_the_system_can_be_asked() -> None:
    usage = Usage.now()
    assert usage.total > usage.idle >= 0
    assert Threads(64).choose() <= 64
