"""What OpenAI's routes say byte by byte, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.daemon import Daemon
from tests.support.events import events

HI = [{"role": "user", "content": "What is the capital of Japan?"}]
CHAT: dict[str, Any] = {
    "model": "tiny",
    "messages": HI,
    "temperature": 0,
    "max_tokens": 40,
}


def image(url: str) -> list[dict[str, Any]]:
    part = {"type": "image_url", "image_url": {"url": url}}
    return [{"role": "user", "content": [part]}]


def called(arguments: str) -> list[dict[str, Any]]:
    function = {"name": "f", "arguments": arguments}
    call = {"id": "1", "type": "function", "function": function}
    return [*HI, {"role": "assistant", "content": None, "tool_calls": [call]}]


def test_the_order_of_a_chats_chunks(daemon: Daemon) -> None:
    wanted = {"stream_options": {"include_usage": True}}
    names, found = zip(
        *events(daemon, "/v1/chat/completions", **CHAT, **wanted), strict=True
    )
    *chunks, finish, usage, done = found
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]

    assert set(names) == {""}
    assert done == "[DONE]"
    assert deltas[0] == {"role": "assistant", "content": ""}
    kinds = ["reasoning" if "reasoning" in delta else "content" for delta in deltas[1:]]
    assert kinds == sorted(kinds, reverse=True)
    assert set(kinds) == {"reasoning", "content"}
    assert (finish["choices"][0]["delta"], finish["choices"][0]["finish_reason"]) == (
        {},
        "stop",
    )
    assert usage["choices"] == []
    assert set(usage["usage"]) >= {"prompt_tokens", "completion_tokens", "total_tokens"}
    for chunk in (*chunks, finish):
        assert "usage" not in chunk
        assert "error" not in chunk
        assert chunk["choices"][0]["index"] == 0
    for chunk in chunks:
        assert chunk["choices"][0]["finish_reason"] is None
    heads = [
        {k: v for k, v in c.items() if k not in ("choices", "usage")}
        for c in found[:-1]
    ]
    assert heads == [heads[0]] * len(heads)
    assert heads[0]["id"].startswith("chatcmpl-")
    assert heads[0]["object"] == "chat.completion.chunk"


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        *(
            (path, field, value)
            for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses")
            for field, value in [
                ("temperature", 2.1),
                ("temperature", -1),
                ("top_p", 1.5),
            ]
        ),
        *(
            (path, field, value)
            for path in ("/v1/chat/completions", "/v1/completions")
            for field, value in [
                ("n", 0),
                ("n", 33),
                ("presence_penalty", -2.5),
                ("frequency_penalty", 3),
                ("logit_bias", {"1": 101}),
            ]
        ),
        ("/v1/chat/completions", "top_logprobs", 21),
        ("/v1/responses", "top_logprobs", -1),
        ("/v1/completions", "logprobs", 21),
        ("/v1/completions", "best_of", 0),
    ],
)
def test_a_number_out_of_its_range_is_named(
    daemon: Daemon, path: str, field: str, value: Any
) -> None:
    given = {"messages": CHAT["messages"], "input": "x", "prompt": "x"}
    named = {
        "chat/completions": "messages",
        "responses": "input",
        "completions": "prompt",
    }
    body = {key: given[key] for key in [named[path.removeprefix("/v1/")]]}
    response = daemon.post(path, model="tiny", **body, **{field: value})
    error = response.json()["error"]

    assert (response.status_code, error["param"]) == (400, field)
    assert error["message"].startswith(f"{field} must be between ")
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_value")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
        ("/v1/completions", {"prompt": "x"}),
        ("/v1/responses", {"input": "x"}),
        ("/v1/embeddings", {"input": "x"}),
        ("/v1/messages", {"messages": [{"role": "user", "content": "x"}]}),
        ("/api/chat", {"messages": [{"role": "user", "content": "x"}]}),
        ("/api/generate", {"prompt": "x"}),
    ],
)
def test_fields_that_mean_nothing_are_named_in_the_log(
    daemon: Daemon, path: str, body: dict[str, Any]
) -> None:
    field = f"made_up_for{path.replace('/', '_')}"
    asked = {"model": "tiny", "max_tokens": 1, "options": {"num_predict": 1}, **body}
    response = daemon.post(path, **asked, **{field: 1}, user="me", absent=None)
    told = [line for line in daemon.log.read_text().splitlines() if field in line]

    assert response.status_code == 200, response.text
    assert len(told) == 1
    assert f"fields ignored path={path} names=" in told[0]
    assert "user" not in told[0]
    assert "absent" not in told[0]


def test_null_is_the_same_as_absent(daemon: Daemon) -> None:
    names = (
        *("n", "stop", "seed", "tools", "tool_choice", "stream_options", "logprobs"),
        *("top_logprobs", "logit_bias", "max_completion_tokens", "top_p", "user"),
        *("presence_penalty", "frequency_penalty", "response_format", "stream"),
        *(
            "reasoning_effort",
            "parallel_tool_calls",
            "options",
            "num_ctx",
            "keep_alive",
        ),
    )
    bare = daemon.post("/v1/chat/completions", **CHAT)
    nulls = daemon.post("/v1/chat/completions", **CHAT, **dict.fromkeys(names))

    assert (bare.status_code, nulls.status_code) == (200, 200), nulls.text
    assert nulls.json()["choices"] == bare.json()["choices"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": None}, "Expected `str`, got `null`"),
        ({"model": ""}, "model is required"),
        ({"model": "a b"}, "invalid model name"),
        ({"messages": []}, "[] is too short - 'messages'"),
        ({"messages": None}, "[] is too short - 'messages'"),
        ({"messages": [{"content": "x"}]}, "missing required field `role`"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": image("data:image/png;base64,iVBORw0KGgo=")}, '"tiny" does not support images'),
        ({"messages": image("https://example.com/cat.png")}, "use base64 encoded data"),
        ({"messages": image("cat.png")}, "invalid image input"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "invalid input_audio format: missing data"),
        ({"messages": called("{")}, "invalid tool call arguments"),
        ({"messages": called("[1]")}, "invalid tool call arguments"),
        ({"n": 0}, "n must be between 1 and 32"),
        ({"n": 10**9}, "n must be between 1 and 32"),
        ({"top_logprobs": 3}, "top_logprobs needs logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs must be between 0 and 20"),
        ({"logit_bias": {"abc": 1}}, "logit_bias must name tokens"),
        ({"logit_bias": {"-1": 1}}, "logit_bias holds a token"),
        ({"logit_bias": {"1000000000": 1}}, "logit_bias holds a token"),
        ({"response_format": {"type": "json_schema"}}, "response_format has no json_schema.schema"),
        ({"response_format": {"type": "xml"}}, "response_format.type must be"),
        ({"reasoning_effort": "enormous"}, 'invalid reasoning value: "enormous"'),
        ({"tools": [{"type": "web_search"}]}, 'only tools of type "function"'),
        ({"tools": [{"type": "function"}]}, "tools[0] has no function"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0] has no name"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": 3}}]}, "must be a JSON Schema"),
        ({"functions": [{"name": "f"}]}, "use tools and tool_choice"),
        ({"modalities": ["text", "audio"]}, "answers in text alone"),
        ({"stop": 3}, "at `$.stop`"),
        ({"options": {"num_ctx": "big"}}, 'option "num_ctx" must be of type integer'),
        ({"num_ctx": "big"}, 'option "num_ctx" must be of type integer'),
        ({"keep_alive": "soon"}, "invalid duration"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [True, False])
def test_what_a_chat_cannot_be(
    daemon: Daemon, body: dict[str, Any], words: str, stream: bool
) -> None:
    response = daemon.post("/v1/chat/completions", **{**CHAT, **body, "stream": stream})

    assert response.status_code == 400
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert words in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "kind"),
    [
        ("POST", "/v1/chat/completions", b"", 400, "invalid_request_error"),
        ("POST", "/v1/chat/completions", b"{", 400, "invalid_request_error"),
        ("POST", "/v1/chat/completions", b"[]", 400, "invalid_request_error"),
        ("POST", "/v1/chat/completions", b"\xff", 400, "invalid_request_error"),
        ("GET", "/v1/chat/completions", b"", 405, "invalid_request_error"),
        ("GET", "/v1/nothing", b"", 404, "not_found_error"),
        ("POST", "/v1/chat/completions", json.dumps({**CHAT, "model": "no"}).encode(), 404, "not_found_error"),
    ],
)  # fmt: skip
def test_every_failure_has_openais_shape(
    daemon: Daemon, method: str, path: str, content: bytes, status: int, kind: str
) -> None:
    response = daemon.http.request(method, path, content=content)

    assert response.status_code == status
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == kind
    assert error["message"]
