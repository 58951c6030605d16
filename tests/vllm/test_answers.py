"""What a model answers that runs in a vLLM of the daemon's own: as one of llama.cpp's does."""

from __future__ import annotations

from typing import Any

import ollama
import openai
import pytest

from tests.support.terminal import ollapy
from tests.support.tools import FORECAST
from tests.support.waiting import eventually
from tests.vllm.conftest import Starter

GREEDY = {"temperature": 0, "num_predict": 12}


def ask(starter: Starter, model: str = "big", **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Hello"}]
    body = {"options": GREEDY, "stream": False, "messages": messages, **body}
    response = starter.daemon.post("/api/chat", model=model, **body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_it_answers_as_the_model_does_here(starter: Starter) -> None:
    there = ask(starter)
    here = ask(starter, model="tiny")

    assert there["message"] == here["message"]
    assert (there["done_reason"], there["eval_count"]) == ("length", 12)


def test_how_it_was_started(starter: Starter) -> None:
    ask(starter)
    call = next(c for c in starter.calls if c["served_model_name"] == "big:latest")
    (server,) = starter.servers("big")

    assert call["model"] == "org/big"
    assert (call["max_model_len"], call["max_num_seqs"]) == (2048, 8)
    assert call["enable_auto_tool_choice"]
    assert call["seed"] == "7", "the settings' own arguments"
    secret = server.environ()["VLLM_API_KEY"]
    assert len(secret) > 32
    assert not any(secret in word for word in call["argv"])
    assert secret not in starter.daemon.log.read_text()
    assert "Loading shards:  50%" in starter.daemon.log.read_text()


def test_lists_say_what_runs_it(starter: Starter) -> None:
    ask(starter)
    http = starter.daemon.http
    tags = {m["name"]: m for m in http.get("/api/tags").json()["models"]}
    (running,) = (
        m for m in http.get("/api/ps").json()["models"] if m["name"] == "big:latest"
    )
    models = http.get("/api/snapshot").json()["models"]
    requests = http.get("/api/requests").json()["requests"]

    assert tags["big:latest"]["engine"] == running["engine"] == "vllm"
    assert "engine" not in tags["tiny:latest"]
    assert tags["big:latest"]["capabilities"] == ["completion", "embedding", "tools"]
    (state,) = (m for m in models if m["name"] == "big:latest")
    assert state["engine"] == "vllm"
    assert state["counters"] == {"running": 0, "waiting": 0}
    assert requests[0]["placement"] == {"engine": "vllm"}
    assert 'ollapy_loads_total{model="big:latest",outcome="done"}' in http.get("/metrics").text  # fmt: skip


def test_the_commands_show_it(starter: Starter) -> None:
    ask(starter)

    def lines(*words: str) -> list[str]:
        result = ollapy(*words, host=starter.daemon.address)
        assert (result.status, result.err) == (0, "")
        return result.out.splitlines()

    assert "vllm" in lines("ps", "big")[1].split()
    shown = "\n".join(lines("show", "big"))
    assert "runs in    vllm" in shown
    assert "of         org/big" in shown
    assert lines("run", "big", "Hello")
    assert "The model runs in vllm" in "\n".join(lines("why"))


def test_thoughts_are_told_apart(starter: Starter) -> None:
    starter.create("thinker", "hf.co/org/thinker", reasoning_parser="qwen3")
    message = ask(starter, "thinker", think=True, options={"temperature": 0})["message"]
    assert message["content"] == "Because."
    assert message["thinking"].startswith("Why would")


def test_tools_are_called(starter: Starter) -> None:
    message = ask(
        starter, tools=[FORECAST], tool_choice="required", options={"temperature": 0}
    )["message"]
    call = message["tool_calls"][0]["function"]
    assert call["name"] == "get_weather"
    assert 1 <= call["arguments"]["days"] <= 9


def test_log_probabilities(starter: Starter) -> None:
    answer = ask(starter, logprobs=True, top_logprobs=3)
    assert len(answer["logprobs"]) == 12
    assert len(answer["logprobs"][0]["top_logprobs"]) == 3


def test_vectors(starter: Starter) -> None:
    starter.create("vectors", "org/vectors")
    found = starter.daemon.post("/api/embed", model="vectors", input=["one", "two"])
    one, two = found.json()["embeddings"]
    assert sum(x * x for x in one) == pytest.approx(1)
    assert one != two


def test_other_apis(starter: Starter) -> None:
    base, said = (
        f"http://{starter.daemon.address}",
        [{"role": "user", "content": "Hello"}],
    )
    with openai.OpenAI(base_url=f"{base}/v1", api_key="-") as client:
        assert "big:latest" in [model.id for model in client.models.list()]
        one = client.chat.completions.create(
            model="big", messages=said, max_tokens=8, temperature=0  # type: ignore[arg-type]
        )  # fmt: skip
        assert one.usage
        assert one.usage.completion_tokens == 8
    with ollama.Client(base) as other:
        assert other.generate("big", "Hello", options={"num_predict": 8}).eval_count == 8  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/api/generate", {"prompt": "a", "context": [1, 2]}, "context"),
        ("/api/generate", {"prompt": "a", "think": True}, "thinking"),
        ("/api/tokenize", {"content": "a"}, "tokenize"),
        (
            "/api/generate",
            {"prompt": "a", "options": {"adapters": [{"model": "tiny"}]}},
            "adapters",
        ),
    ],
)
def test_what_it_cannot_do_is_refused(
    starter: Starter, path: str, body: dict[str, Any], named: str
) -> None:
    response = starter.daemon.post(path, model="big", **body)
    assert response.status_code == 400
    assert named in response.json()["error"]


def test_a_request_does_not_change_how_it_is_started(starter: Starter) -> None:
    ask(starter, options={**GREEDY, "tensor_parallel_size": 4})
    assert (
        "options ignored names=tensor_parallel_size" in starter.daemon.log.read_text()
    )


def test_who_leaves_ends_it_there(starter: Starter) -> None:
    def running() -> float:
        stats = starter.daemon.http.get("/api/stats").json()
        return float(stats["endless:latest"]["running"])

    with starter.daemon.stream(
        "/api/generate", model="endless", prompt="?", options={"num_predict": -1}
    ) as records:
        next(records)
        assert running() == 1
    eventually(lambda: running() == 0, "it goes on for nobody")
