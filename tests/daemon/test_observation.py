"""Metrics and the last requests: what they say is what has happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ollapy.api.ollama import Progress
from ollapy.daemon.operations import Arrivals
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless
from tests.support.waiting import eventually

TINY = {"model": "tiny:latest"}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that nobody else asks, with the model `endless`."""
    add_endless(tmp_path / "models")
    with running_daemon(tmp_path) as daemon:
        yield daemon


class Samples:
    """What `/metrics` says, parsed by Prometheus' own reader."""

    def __init__(self, daemon: Daemon) -> None:
        response = daemon.http.get("/metrics")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(response.text)
        self._samples = [sample for family in families for sample in family.samples]

    def __getitem__(self, wanted: tuple[str, dict[str, str]]) -> float:
        """The sum of the samples of that name with those labels."""
        name, labels = wanted
        return sum(
            sample.value
            for sample in self._samples
            if sample.name == f"ollapy_{name}"
            and labels.items() <= sample.labels.items()
        )


def last_request(daemon: Daemon) -> dict[str, Any]:
    """The newest entry."""
    entry: dict[str, Any] = daemon.http.get("/api/requests").json()["requests"][0]
    return entry


def test_an_answer_is_counted_once_with_its_tokens(own: Daemon) -> None:
    answers = [own.generate("What is the capital of Japan?") for _ in range(2)]
    with own.stream("/api/chat", model="tiny", messages=[{"role": "user", "content": "Hi"}]) as records:  # fmt: skip
        answers.append(list(records)[-1])
    found = Samples(own)

    assert found["requests_total", {**TINY, "kind": "generate", "outcome": "stop"}] == 2
    assert found["requests_total", {**TINY, "kind": "chat"}] == 1
    for name, field in (
        ("prompt_tokens_total", "prompt_eval_count"),
        ("generated_tokens_total", "eval_count"),
    ):
        assert found[name, TINY] == sum(answer[field] for answer in answers)
    cached = sum(answer["ollapy"]["context"]["cached_tokens"] for answer in answers)
    assert found["cached_prompt_tokens_total", TINY] == cached > 0
    for histogram in ("time_to_first_token", "inter_token", "queue"):
        assert found[f"{histogram}_seconds_count", TINY] == 3
    assert found["loads_total", {**TINY, "outcome": "done"}] == 1
    assert found["load_seconds_count", TINY] == 1
    assert found["models_loaded", {}] == 1
    assert found["cells", TINY] > found["used_cells", TINY] > 0
    assert found["model_bytes", TINY] > 3_000_000
    assert found["requests_running", {}] == 0


def test_models_of_one_load_are_told_together(own: Daemon) -> None:
    own.post("/api/copy", source="tiny", destination="twin")
    for name in ("tiny", "twin"):
        own.generate("Hi", model=name)
    rows = own.http.get("/api/ps").json()["models"]
    stats, shown = (own.http.get(f"/api/{what}").json() for what in ("stats", "snapshot"))  # fmt: skip

    assert {row["name"]: row["shared_with"] for row in rows} == {
        "tiny:latest": ["twin:latest"],
        "twin:latest": ["tiny:latest"],
    }
    assert stats["tiny:latest"] == stats["twin:latest"]
    assert [model["name"] for model in shown["models"]] == ["tiny:latest, twin:latest"]
    assert Samples(own)["model_bytes", {"model": "tiny:latest,twin:latest"}] == rows[0]["size"]  # fmt: skip

    own.generate("", model="tiny", keep_alive=0)
    assert [*own.http.get("/api/stats").json()] == ["twin:latest"]
    assert "shared_with" not in own.http.get("/api/ps").json()["models"][0]


def test_models_that_leave_are_counted(own: Daemon) -> None:
    own.generate("Hi", keep_alive=0)
    eventually(lambda: not own.runners, "the model stayed")
    own.generate("Hi")
    own.runners[0].kill()
    eventually(lambda: own.http.get("/api/ps").json()["models"] == [], "nobody noticed")
    own.generate("Hi")
    found = Samples(own)

    assert found["unloads_total", {**TINY, "reason": "unloaded"}] == 1
    assert found["unloads_total", {**TINY, "reason": "crashed"}] == 1
    assert found["loads_total", TINY] == 3


def test_answers_are_counted_by_route(own: Daemon) -> None:
    own.post("/api/show", model="nope")
    own.http.get("/nowhere")
    own.http.get("/api/version", headers={"Host": "evil.example"})
    own.http.request("BREW", "/api/version")
    own.http.head(f"/api/blobs/sha256:{'0' * 64}")
    found = Samples(own)

    def count(**labels: str) -> float:
        return found["http_requests_total", labels]

    assert count(route="/api/show", method="POST", status="404") == 1
    assert count(route="none", method="GET", status="404") == 1
    assert count(route="none", method="GET", status="403") == 1
    assert count(route="/api/version", method="other", status="405") == 1
    assert count(route="/api/blobs/{digest}", method="HEAD", status="404") == 1


def test_bytes_that_are_pulled_are_counted_once() -> None:
    """What was here already, or is somebody else's file, did not come over the network."""
    arrivals = Arrivals()
    reports = [
        ("pulling a", "sha256:a", 60, 20),  # goes on from an earlier pull
        ("pulling a", "sha256:a", 60, 50),
        ("pulling b", "sha256:b", 9, 9),
        ("pulling a", "sha256:a", 60, 60),
        ("using Ollama's copy of c", "sha256:c", 9, 1),
        ("using Ollama's copy of c", "sha256:c", 9, 9),
        ("success", "", 0, 0),
    ]

    assert sum(arrivals.add(Progress(*report)) for report in reports) == 40


def test_the_last_requests_with_their_timings(own: Daemon) -> None:
    answer = own.generate("What is the capital of Japan?")
    entry = last_request(own)

    assert (entry["kind"], entry["model"], entry["outcome"]) == (
        "generate",
        "tiny:latest",
        "stop",
    )
    for field in (
        "prompt_eval_count",
        "eval_count",
        "prompt_eval_duration",
        "eval_duration",
        "load_duration",
    ):
        assert entry[field] == answer[field]
    assert entry["context"] == answer["ollapy"]["context"]
    assert 0 < entry["load_duration"] < entry["first_token_duration"]
    assert entry["first_token_duration"] < entry["total_duration"]
    assert "Japan" not in json.dumps(entry)


def test_a_request_is_seen_while_it_runs_and_how_it_ends(own: Daemon) -> None:
    options = {"num_predict": 10**6}
    with own.stream("/api/generate", model="endless", prompt="go", options=options) as records:  # fmt: skip
        next(records)
        running = last_request(own)
        assert Samples(own)["requests_running", {}] == 1
    eventually(
        lambda: last_request(own)["outcome"] == "cancelled", "the request goes on"
    )

    assert (running["outcome"], running["model"]) == ("running", "endless:latest")
    assert last_request(own)["id"] == running["id"]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/api/generate", {"model": "nope", "prompt": "x"}, ("generate", "failed")),
        ("/api/chat", {"model": "tiny", "messages": []}, ("chat", "load")),
        ("/api/generate", {"model": "tiny", "keep_alive": 0}, ("generate", "unload")),
        ("/api/embed", {"model": "tiny", "input": "x"}, ("embed", "done")),
        ("/api/tokenize", {"model": "tiny", "content": "x"}, ("tokenize", "done")),
        ("/api/rerank", {"model": "tiny"}, ("rerank", "failed")),
    ],
)
def test_every_kind_of_request_has_an_outcome(
    own: Daemon, path: str, body: dict[str, Any], expected: tuple[str, str]
) -> None:
    response = own.post(path, **body)
    entry = last_request(own)

    assert (entry["kind"], entry["outcome"]) == expected
    assert entry.get("error") == response.json().get("error")


def test_only_so_many_are_kept_and_their_texts_only_on_demand(tmp_path: Path) -> None:
    with running_daemon(tmp_path, KEPT_REQUESTS="2", KEEP_REQUEST_TEXTS="1") as daemon:
        for text in ("one", "two", "x" * 100_000):
            daemon.post("/api/tokenize", model="tiny", content=text)
        entries = daemon.http.get("/api/requests").json()["requests"]

    assert len(entries) == 2
    assert json.loads(entries[1]["request"])["content"] == "two"
    assert 16_000 < len(entries[0]["request"]) < 17_000
    assert entries[0]["request"].endswith(" …")
