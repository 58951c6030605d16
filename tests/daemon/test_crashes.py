"""A model that crashes again and again is tried less and less often, and others do not notice."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from ollapy.daemon.runners.crashes import Crashes
from ollapy.errors import Busy
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless
from tests.support.waiting import eventually


def test_the_third_in_a_row_costs_a_wait() -> None:
    crashes = Crashes()
    for at in (1.0, 2.0):
        crashes.note("m", at)
        crashes.check("m", "m", at)
    crashes.note("m", 3.0)

    with pytest.raises(Busy, match="'m' crashed 3 times in a row and is tried again in 1 s"):  # fmt: skip
        crashes.check("m", "m", 3.0)
    crashes.check("m", "m", 4.0)
    crashes.check("other", "other", 3.0)


def test_waits_grow_up_to_a_minute() -> None:
    crashes = Crashes()
    for _ in range(5):
        crashes.note("m", 0.0)
    with pytest.raises(Busy, match="in 4 s"):
        crashes.check("m", "m", 0.0)
    for _ in range(5000):
        crashes.note("m", 0.0)
    with pytest.raises(Busy, match="in 60 s"):
        crashes.check("m", "m", 0.0)


def test_an_answer_ends_the_row() -> None:
    crashes = Crashes()
    for _ in range(4):
        crashes.note("m", 0.0)
    crashes.forget("m")

    crashes.check("m", "m", 0.0)
    assert crashes.note("m", 0.0) == 1


def kill_while_answering(daemon: Daemon) -> None:
    """One request of `endless`, and the end of its runner."""
    with daemon.stream("/api/generate", model="endless", prompt="go") as records:
        next(records)
        ours = [p for p in daemon.runners if p not in before(daemon)]
        for process in ours:
            process.send_signal(signal.SIGKILL)
        assert "signal 9" in list(records)[-1]["error"]
    eventually(lambda: not [p for p in daemon.runners if p in ours], "it lives")


def before(daemon: Daemon) -> list[object]:
    """The runner of `tiny`, which is to stay: the one that came first."""
    return sorted(daemon.runners, key=lambda process: process.create_time())[:1]


def test_a_real_one(tmp_path: Path) -> None:
    add_endless(tmp_path / "models")
    with running_daemon(tmp_path) as daemon:
        daemon.generate("Hi")
        for _ in range(3):
            kill_while_answering(daemon)
        refused = daemon.post("/api/generate", model="endless", prompt="go")

        assert refused.status_code == 503
        assert "crashed 3 times in a row" in refused.json()["error"]
        assert "Retry-After" in refused.headers
        daemon.generate("Hi")
        options = {"num_predict": 3}
        eventually(
            lambda: daemon.post("/api/generate", model="endless", prompt="go", options=options, stream=False).status_code == 200,
            "it was not tried again",
        )  # fmt: skip
        kill_while_answering(daemon)
        assert daemon.generate("go", model="endless", options=options)["eval_count"] == 3  # fmt: skip


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_NOFILE"), reason="needs Linux")
def test_where_no_process_can_be_started_the_load_fails(tmp_path: Path) -> None:
    """F61: one error, and the next request works."""
    with running_daemon(tmp_path) as daemon:
        process = psutil.Process(daemon.process.pid)
        soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
        refused = []
        for _ in range(2):
            process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 4, hard))
            refused.append(daemon.post("/api/generate", model="tiny", prompt="Hi"))
            process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
            daemon.post(
                "/api/show", model="tiny"
            )  # whose template is known from now on

        assert "no process can be started for chat templates" in refused[0].text
        assert "no process can be started for the model" in refused[1].text
        assert daemon.generate("Hi")["done"]
        assert "Traceback" not in daemon.log.read_text()
