"""A runner that the system ends for want of memory: that is said, and its model is not loaded in that way again."""

from __future__ import annotations

from pathlib import Path

from ollapy.daemon.runners.ending import num_kills
from ollapy.daemon.runners.shortages import Shortages
from tests.support.cgroups import limited
from tests.support.daemon import running_daemon
from tests.support.waiting import eventually

LONG = "Say yes. " * 500


def test_it_is_remembered_for_ten_minutes() -> None:
    shortages = Shortages()
    shortages.note("m", 1.0)

    assert shortages.concern("m", 600.0)
    assert not shortages.concern("m", 601.0)
    assert not shortages.concern("other", 2.0)


def test_the_kernel_s_count(tmp_path: Path) -> None:
    (file := tmp_path / "vmstat").write_text("nr_free_pages 3\noom_kill 12\nx 4\n")

    assert num_kills(file) == 12
    assert num_kills(tmp_path / "none") == 0


def test_a_real_one_comes_back_smaller_and_does_not_grow(tmp_path: Path) -> None:
    with (
        limited(1_000_000) as tight,
        running_daemon(tmp_path, CONTEXT_LENGTH="512") as daemon,
    ):
        daemon.generate("Hi")
        (runner,) = daemon.runners
        score = Path(f"/proc/{runner.pid}/oom_score_adj")
        assert int(score.read_text()) > int(
            Path("/proc/self/oom_score_adj").read_text()
        )
        (tight / "cgroup.procs").write_text(str(runner.pid))

        ended = daemon.post(
            "/api/generate", model="tiny", prompt=LONG, options={"num_ctx": 4096}
        )

        assert "the system ran out of memory and ended" in ended.text
        eventually(lambda: not daemon.runners, "it is still there")
        again = daemon.post(
            "/api/generate", model="tiny", prompt=LONG, options={"num_ctx": 4096}
        )
        assert "> 512 maximum context length" in again.json()["error"]
        assert daemon.generate("Hi")["done"]
        notes = daemon.http.get("/api/ps").json()["models"][0]["notes"]
        assert "memory ran out" in "".join(notes)
