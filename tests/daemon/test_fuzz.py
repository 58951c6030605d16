"""Anything that the description of the API allows, and much that it does not, on every route: no answer is a bug's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.make_gguf import write_embedder
from tests.support.daemon import Daemon, running_daemon
from tests.support.fuzz import Fuzzer
from tests.support.models import add_model

# What ends the daemon, or asks the network.
_LEFT_OUT = {"/api/shutdown", "/api/pull", "/api/push"}
_SHORT = {"num_predict": 3}
_FIXED: dict[str, tuple[list[Any], list[Any]]] = {
    "model": (["tiny", "tiny", "reranker"], ["nope", "", "a/../b", None, 5]),
    "name": ([None], ["tiny", "x y"]),
    "from": (["tiny", None], ["a/../b"]),
    "keep_alive": ([None, "5m", -1], ["x"]),
    "options": (
        [
            _SHORT,
            {**_SHORT, "temperature": -1, "top_k": -5, "stop": ["", "a"]},
            {**_SHORT, "num_ctx": 2**40, "seed": 2**63 - 1},
            {**_SHORT, "mirostat": 2, "repeat_penalty": 0, "choice": ["a", "b"]},
        ],
        [{**_SHORT, "num_ctx": "x"}, {**_SHORT, "regex": "(", "choice": []}],
    ),
    "max_tokens": ([1, 3], [0, -1, "x", None]),
    "max_completion_tokens": ([None, 1, 3], [0, -1]),
    "max_output_tokens": ([None, 1, 3], [0, -1]),
    "stream": ([False, None, True], ["x"]),
    "n": ([None, 1, 2], [0, 10**6]),
    "best_of": ([None], [1, 0]),
    "role": (["user", "assistant", "system"], ["", "tool", "function", "developer"]),
    "content": (
        ["hi", "What is 2 + 2?", [{"type": "text", "text": "hi"}]],
        [None, 5, []],
    ),
    "prompt": (["hi", ""], [[1, 2], [[1], [2]], -1]),
    "input": (["hi"], [["hi", "a"], [1, 2], [[1]], [], 5, [2**40]]),
    "query": (["hi"], ["", None]),
    "logprobs": ([None], [True, 1, 5, -1]),
    "logit_bias": ([None, {"5": 1}], [{"x": 1}, {"99999999": 1}]),
    "documents": ([["a", "b"], [{"text": "a"}]], [[], [{}], [5]]),
    "tokens": ([[1, 2]], [[-1], [2**40], []]),
    "tools": ([None], [[], [{}], [{"type": "function", "function": {"name": "f"}}]]),
    "tool_calls": ([None], [[], [{}]]),
    "messages": (
        [[{"role": "user", "content": "hi"}]],
        [None, [], [{}], [{"role": "tool", "content": "x"}]],
    ),
    "top_logprobs": ([None], [2, 0, 20, 21, -1]),
    "images": ([None], [["aGk="], ["!"]]),
    "suffix": ([None], ["x", ""]),
    "template": ([None], ["{{ .Prompt", "{{ range }}", "{{ .System }}{{ .Prompt }}"]),
    "format": ([None, "json"], ["x", {"type": "object"}, {"type": 5}, []]),
    "response_format": ([None], [{"type": "json_object"}, {"type": "x"}, {}]),
    "tool_choice": ([None], ["auto", "required", {"type": "any"}, 5]),
    "previous_response_id": ([None], ["resp_x", ""]),
    "reasoning_effort": ([None], ["low", "x"]),
    "think": ([None, False, True, 3], ["x", 1.5]),
    "priority": ([None, "background"], ["x"]),
    "functions": ([None], [[], 5]),
    "function_call": ([None], ["auto"]),
    "conversation": ([None], ["x", {}]),
    "id": (["x", "tiny"], []),
    "digest": (["sha256:" + "0" * 64, "x"], []),
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose store may be changed."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    write_embedder(folder / "reranker.gguf", pooling="rank")
    add_model(folder / "models", "reranker", folder / "reranker.gguf")
    with running_daemon(folder, HF_ENDPOINT="http://127.0.0.1:9") as daemon:
        yield daemon


def send(daemon: Daemon, fuzzer: Fuzzer, path: str, method: str, operation: dict[str, Any]) -> httpx.Response:  # fmt: skip
    """One request to a route."""
    for parameter in operation["parameters"]:
        values, _ = _FIXED[parameter["name"]]
        filled = str(fuzzer.random.choice(values))
        path = path.replace(f"{{{parameter['name']}}}", filled)
    body = operation.get("requestBody")
    if body is None:
        return daemon.http.request(method, path)
    [(kind, taken)] = body["content"].items()
    value = fuzzer.body(taken["schema"])
    return daemon.http.request(method, path, **encoded(kind, value))


def encoded(kind: str, value: Any) -> dict[str, Any]:
    """A body as httpx is given it: JSON, or the fields of a form and its file; a form that is none goes as JSON."""
    if kind == "application/json" or not isinstance(value, dict):
        return {"content": json.dumps(value).encode("utf-8", "surrogatepass")}
    fields = {k: v if isinstance(v, str) else json.dumps(v) for k, v in value.items()}
    file = fields.pop("file", "").encode()
    return {"data": fields, "files": {"file": file}}


def check(response: httpx.Response) -> None:
    """It is an answer, or a refusal with a sentence in the shape of its API."""
    request = response.request.method, response.request.url, response.request.read()
    assert response.status_code < 500, (request, response.text)
    if response.status_code >= 400 and response.content:
        error = response.json()["error"]
        sentence = error if isinstance(error, str) else error["message"]
        assert sentence, request
    assert "internal error" not in response.text, (request, response.text)


def fuzz(daemon: Daemon, seed: int, rounds: int) -> None:
    """Each route so many times."""
    document = daemon.http.get("/openapi.json").json()
    fuzzer = Fuzzer(document["components"]["schemas"], seed, _FIXED)
    for _ in range(rounds):
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if path not in _LEFT_OUT:
                    check(send(daemon, fuzzer, path, method.upper(), operation))
    assert daemon.process.poll() is None
    assert "Traceback" not in daemon.log.read_text()


def test_no_request_finds_a_bug(own: Daemon) -> None:
    fuzz(own, seed=1, rounds=8)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 12))
def test_no_request_of_many_finds_a_bug(own: Daemon, seed: int) -> None:
    fuzz(own, seed, rounds=60)
