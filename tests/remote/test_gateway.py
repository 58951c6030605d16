"""Models of another server through every API of a daemon. The server is a second daemon's `/v1`."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import ollama
import openai
import pytest

from tests.support.daemon import Daemon, running_daemon
from tests.support.terminal import ollapy
from tests.support.tools import FORECAST
from tests.support.waiting import eventually

GREEDY = {"temperature": 0, "num_predict": 12}


def ask(gateway: Daemon, *, model: str = "org/big", **body: Any) -> dict[str, Any]:
    messages = body.pop("messages", [{"role": "user", "content": "Hello"}])
    body = {"think": False, "options": GREEDY, "stream": False, **body}
    response = gateway.post("/api/chat", model=model, messages=messages, **body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_it_answers_as_the_model_does_here(gateway: Daemon) -> None:
    there, here = ask(gateway), ask(gateway, model="tiny")

    assert there["message"] == here["message"]
    for name in ("done_reason", "eval_count", "prompt_eval_count"):
        assert there[name] == here[name]
    assert there["ollapy"]["context"]["prompt_tokens"] == here["prompt_eval_count"]


def test_a_stream_comes_in_pieces(gateway: Daemon) -> None:
    options = {**GREEDY, "num_predict": 300}
    with gateway.stream(
        "/api/generate", model="endless", prompt="?", options=options
    ) as records:
        *pieces, last = records

    assert 1 < len(pieces) <= 300, "those that wait together are one"
    assert "".join(p["response"] for p in pieces).startswith("round and round")
    assert (last["done_reason"], last["eval_count"]) == ("length", 300)
    assert last["prompt_eval_duration"] > 0


def test_a_raw_prompt_goes_on_as_it_is(gateway: Daemon) -> None:
    asked = {"prompt": "Once", "raw": True, "options": GREEDY, "stream": False}
    there, here = (
        gateway.post(
            "/api/generate", model=model, logprobs=True, top_logprobs=2, **asked
        ).json()
        for model in ("org/big", "tiny")
    )

    assert there["response"] == here["response"]
    assert [p["token"] for p in there["logprobs"]] == [
        p["token"] for p in here["logprobs"]
    ]
    assert "context" not in there


def test_log_probabilities_are_those_of_the_model(gateway: Daemon) -> None:
    there, here = (
        ask(gateway, model=model, logprobs=True, top_logprobs=3)
        for model in ("org/big", "tiny")
    )

    assert len(there["logprobs"]) == len(here["logprobs"])
    for one, other in zip(there["logprobs"], here["logprobs"], strict=True):
        assert one["logprob"] == pytest.approx(other["logprob"], abs=0.05)
        assert len(one["top_logprobs"]) == 3


def test_thoughts_are_told_apart(gateway: Daemon) -> None:
    message = ask(gateway, model="thinker", think=True, options={"temperature": 0})
    assert message["message"]["content"] == "Because."
    assert message["message"]["thinking"].startswith("Why would")


def test_a_stop_string_is_named(gateway: Daemon) -> None:
    options = {"temperature": 0, "stop": ["round and round"]}
    answer = ask(gateway, model="endless", options=options)
    assert (answer["message"]["content"], answer["done_reason"]) == ("", "stop")


def test_the_answer_is_what_the_schema_says(gateway: Daemon) -> None:
    schema = {
        "type": "object",
        "properties": {"age": {"type": "integer", "maximum": 9}},
        "required": ["age"],
        "additionalProperties": False,
    }
    answer = ask(gateway, format=schema, options={"temperature": 0})
    assert json.loads(answer["message"]["content"]).keys() == {"age"}


def test_tools_are_called_and_their_results_taken(gateway: Daemon) -> None:
    options = {"temperature": 0}
    message = ask(gateway, tools=[FORECAST], tool_choice="required", options=options)[
        "message"
    ]
    call = message["tool_calls"][0]

    assert call["function"]["name"] == "get_weather"
    assert 1 <= call["function"]["arguments"]["days"] <= 9
    del call["id"]  # as clients of Ollama's API do
    turns = [
        {"role": "user", "content": "Hello"},
        message,
        {"role": "tool", "tool_name": "get_weather", "content": "sunny"},
    ]
    assert ask(gateway, messages=turns, tools=[FORECAST])["done"]


def test_vectors_are_those_of_the_model(gateway: Daemon, server: Daemon) -> None:
    texts = ["one", "two"]
    there = gateway.post("/api/embed", model="vectors", input=texts).json()
    here = server.post("/api/embed", model="vectors", input=texts).json()

    for one, other in zip(there["embeddings"], here["embeddings"], strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert there["prompt_eval_count"] == here["prompt_eval_count"]


def test_every_api_has_it(gateway: Daemon) -> None:
    base, said = f"http://{gateway.address}", [{"role": "user", "content": "Hello"}]
    with openai.OpenAI(base_url=f"{base}/v1", api_key="-") as client:
        assert "org/big:latest" in [model.id for model in client.models.list()]
        assert client.models.retrieve("org/big").id == "org/big"
        one = client.chat.completions.create(
            model="org/big", messages=said, temperature=0, max_tokens=8
        )  # type: ignore[arg-type]
        assert one.usage
        assert one.usage.completion_tokens == 8
    with anthropic.Anthropic(base_url=base, api_key="-") as other:
        two = other.messages.create(model="org/big", messages=said, max_tokens=8)  # type: ignore[arg-type]
        assert two.usage.output_tokens == 8
    with ollama.Client(base) as third:
        three = third.chat("org/big", said, options={"num_predict": 8})
        assert three.eval_count == 8


def test_lists_say_where_it_is(gateway: Daemon, server: Daemon) -> None:
    tags = {m["name"]: m for m in gateway.http.get("/api/tags").json()["models"]}
    running = {m["name"] for m in gateway.http.get("/api/ps").json()["models"]}
    shown = gateway.post("/api/show", model="org/big").json()

    big = tags["org/big:latest"]
    assert (big["remote_model"], big["remote_host"]) == (
        "org/big:latest",
        server.address,
    )
    assert "remote_host" not in tags["tiny:latest"], "the one that is here wins"
    assert "org/big:latest" in running
    assert shown["remote_host"] == server.address
    assert "completion" in shown["capabilities"]


def test_who_leaves_ends_it_there(gateway: Daemon, server: Daemon) -> None:
    def under_way() -> int:
        found = server.http.get("/api/requests").json()["requests"]
        return sum(
            r["outcome"] == "running" and r["model"] == "endless:latest" for r in found
        )

    with gateway.stream(
        "/api/generate", model="endless", prompt="?", options={"num_predict": -1}
    ) as records:
        next(records)
        assert under_way() == 1
    eventually(lambda: under_way() == 0, "the server goes on for nobody")


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/api/generate", {"prompt": "a", "context": [1, 2]}, "context"),
        ("/api/generate", {"prompt": "a", "shift": True}, "shift"),
        ("/api/generate", {"prompt": "a", "template": "{{ .Prompt }}"}, "template"),
        ("/api/generate", {"prompt": "a", "prompt_logprobs": 1}, "prompt_logprobs"),
        ("/api/generate", {"prompt": "a", "options": {"typical_p": 0.5}}, "typical_p"),
        ("/api/generate", {"prompt": "a", "think": 8}, "think_budget"),
        ("/api/generate", {"prompt": "a", "suffix": "b"}, "insert"),
        ("/api/generate", {"keep_alive": 0}, "stop it there"),
        ("/api/render", {"prompt": "a"}, "render"),
        ("/api/tokenize", {"content": "a"}, "tokenize"),
        ("/api/rerank", {"query": "a", "documents": ["b"]}, "rerank"),
    ],
)
def test_what_cannot_be_done_there_is_refused(
    gateway: Daemon, path: str, body: dict[str, Any], named: str
) -> None:
    response = gateway.post(path, model="org/big", **body)
    assert response.status_code == 400
    assert named in response.json()["error"]


def test_what_is_decided_there_is_named(gateway: Daemon) -> None:
    ask(gateway, options={**GREEDY, "num_ctx": 77})
    assert (
        "option ignored, the other server decides it name=num_ctx"
        in gateway.log.read_text()
    )


def test_a_prompt_too_long_is_refused_in_the_servers_words(gateway: Daemon) -> None:
    response = gateway.post(
        "/api/chat",
        model="forgetful",
        messages=[{"role": "user", "content": "a b c " * 200}],
    )
    assert response.status_code == 400
    assert "context length" in response.json()["error"]


def test_an_unknown_model_is_not_found(gateway: Daemon) -> None:
    response = gateway.post("/api/chat", model="nobody", messages=[])
    assert response.status_code == 404
    assert response.json()["error"] == "model 'nobody' not found"


def test_another_key_is_asked_for(server: Daemon, tmp_path: Path) -> None:
    url = f"http://{server.address}"
    with running_daemon(tmp_path, VLLM_URL=url, VLLM_API_KEY="wrong") as daemon:
        tags = daemon.http.get("/api/tags").json()
        answer = daemon.post("/api/show", model="org/big")

    assert [m["name"] for m in tags["models"]] == ["tiny:latest"]
    assert "OLLAPY_VLLM_API_KEY" in tags["unreachable"]
    assert answer.status_code == 404
    assert "OLLAPY_VLLM_API_KEY" in answer.json()["error"]
    assert "wrong" not in daemon.log.read_text()


def test_a_server_that_is_down_takes_nothing_else_with_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with running_daemon(tmp_path, VLLM_URL=f"http://127.0.0.1:{port}") as daemon:
        tags = daemon.http.get("/api/tags").json()
        assert daemon.generate("Hello")["done"]
        missing = daemon.post("/api/chat", model="org/big", messages=[])

    assert f"127.0.0.1:{port} cannot be reached" in tags["unreachable"]
    assert missing.status_code == 404
    assert "cannot be reached" in missing.json()["error"]


def test_the_commands_show_it(gateway: Daemon, server: Daemon) -> None:
    def lines(*words: str) -> list[str]:
        result = ollapy(*words, host=gateway.address)
        assert (result.status, result.err) == (0, "")
        return result.out.splitlines()

    (listed,) = lines("list", "org/")[1:]
    assert listed.split() == ["org/big:latest", "-", "-", "-"]
    (owned,) = lines("list", "--all", "org/")[1:]
    assert owned.split()[-1] == server.address
    (running,) = lines("ps", "org/")[1:]
    where = [server.address, "-", "Forever"]
    assert running.split() == ["org/big:latest", "-", "-", *where]
    assert lines("show", "org/big")[1].split() == ["runs", "on", server.address]
    assert lines("run", "thinker", "?")[-1] == "Because."
    stopped = ollapy("stop", "org/big", host=gateway.address)
    assert stopped.status == 1
    assert "stop it there" in stopped.err


def test_many_ask_at_once(gateway: Daemon) -> None:
    def answer(number: int) -> str:
        text = ask(gateway, options={**GREEDY, "seed": number})["message"]["content"]
        return str(text)

    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(answer, range(16)))) == 1


def test_a_list_without_the_server_says_so(tmp_path: Path) -> None:
    with running_daemon(tmp_path, VLLM_URL="http://127.0.0.1:9") as daemon:
        result = ollapy("list", host=daemon.address)
    assert "tiny:latest" in result.out
    assert "127.0.0.1:9 cannot be reached" in result.err


def test_daemons_that_know_each_other_do_not_ask_for_ever(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with running_daemon(tmp_path, HOST=f"127.0.0.1:{port}", VLLM_URL=url) as daemon:
        names = [m["name"] for m in daemon.http.get("/api/tags").json()["models"]]
        missing = daemon.post("/api/chat", model="nobody", messages=[])
    assert names == ["tiny:latest"]
    assert missing.json()["error"] == "model 'nobody' not found"
