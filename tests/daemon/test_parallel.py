"""How many answers of a model are computed together is for the user to say, by the name that Ollama has for it too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless
from tests.support.waiting import eventually


def running(daemon: Daemon) -> tuple[int, int]:
    """Answers of `endless` under way, and those that wait."""
    stats = daemon.http.get("/api/stats").json()["endless:latest"]
    return stats["running"], stats["waiting"]


def test_no_more_than_the_setting_says(tmp_path: Path) -> None:
    add_endless(tmp_path / "models")
    body = {"model": "endless", "prompt": "go", "options": {"num_predict": 10**6}}
    with running_daemon(tmp_path, NUM_PARALLEL="2") as daemon, ExitStack() as streams:
        both = [
            streams.enter_context(daemon.stream("/api/generate", **body))
            for _ in range(2)
        ]
        for records in both:
            next(records)
        with ThreadPoolExecutor(1) as thread:
            options = {"num_predict": 3}
            third = thread.submit(
                daemon.generate, "go", model="endless", options=options
            )
            eventually(lambda: running(daemon) == (2, 1), "it does not wait")
            assert daemon.http.get("/api/snapshot").json()["waiting"] == 1
            streams.close()
            assert third.result()["eval_count"] == 3
