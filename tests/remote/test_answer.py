"""Answers in pieces of vLLM's shapes, and servers that break off, lie or say nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ollapy.names import ModelName
from ollapy.remote import RemoteModel
from ollapy.remote.answer import Answer
from ollapy.runner.protocol import Chunk, Done
from tests.support.daemon import Daemon, running_daemon
from tests.support.misbehaving import Asked, Reply, misbehaving

MODEL = RemoteModel(ModelName.parse("m"), "m", "far:8000", 4096, 0.0)
LIST = {
    "object": "list",
    "data": [{"id": "far", "max_model_len": 99}, {"id": "/no/name"}],
}


def delta(reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": reason}]}


def call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **more.pop("function", {})}
    return delta(tool_calls=[{"index": index, "function": function, **more}])


def read(*events: dict[str, Any]) -> tuple[list[Chunk], Done]:
    answer = Answer(1, MODEL, 0.0)
    chunks = [
        c
        for i, e in enumerate(events)
        for c in answer.feed(json.dumps(e).encode(), i + 1.0)
    ]
    *more, done = answer.finish(9.0)
    assert isinstance(done, Done)
    return [*chunks, *(c for c in more if isinstance(c, Chunk))], done


def test_calls_come_whole_however_they_were_cut() -> None:
    (chunk,), done = read(
        call(0, "", id="a", function={"name": "f"}),
        call(0, '{"x": "'),
        call(1, "{}", id="b", function={"name": "g"}),
        call(0, 'y"}'),
        delta("tool_calls"),
    )

    first, second = chunk.tool_calls
    assert (first.id, first.function.name, first.function.arguments) == (
        "a",
        "f",
        {"x": "y"},
    )
    assert (second.id, second.function.name, second.function.index) == ("b", "g", 1)
    assert (done.reason, done.parse_error) == ("stop", "")


def test_a_call_that_is_none_is_kept_as_text() -> None:
    (chunk,), done = read(call(0, '{"x": ', function={"name": "f"}), delta("length"))
    assert (chunk.content, chunk.tool_calls) == ('f {"x": ', [])
    assert done.reason == "length"
    assert 'f {"x": ' in done.parse_error


def test_counts_times_and_stops_are_told() -> None:
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    end = delta("stop")
    end["choices"][0]["stop_reason"] = "END"
    chunks, done = read(
        {**delta(role="assistant", content=""), "usage": {"prompt_tokens": 5}},
        delta(reasoning="why"),
        delta(reasoning_content="?"),
        delta(content="so"),
        end,
        {"choices": [], "usage": usage},
    )

    assert [(c.thinking, c.content) for c in chunks] == [
        ("why", ""),
        ("?", ""),
        ("", "so"),
    ]
    assert chunks[0].context
    assert chunks[0].context.prompt_tokens == 5
    assert (done.context.limit, done.context.cached_tokens) == (4096, 4)
    assert (done.usage.num_generated, done.usage.num_thinking) == (2, 1)
    assert (done.usage.prefill_seconds, done.usage.decode_seconds) == (2.0, 7.0)
    assert done.stop == "END"


def events(*records: dict[str, Any]) -> bytes:
    return b"".join(f"data: {json.dumps(r)}\n\n".encode() for r in records)


CASES = [
    ("200 OK", events(delta(content="a")), 500, "in the middle of an answer"),
    ("200 OK", b"data: {nothing}\n\n", 500, "gave a malformed answer"),
    (
        "200 OK",
        events({"error": {"message": "out of memory", "code": 500}}),
        500,
        "answers: out of memory",
    ),
    ("200 OK", b"data: [DONE]\n\n", 500, "ended an answer without a reason"),
    (
        "400 Bad Request",
        b'{"object":"error","message":"top_p must be positive"}',
        400,
        "answers: top_p must be positive",
    ),
    (
        "400 Bad Request",
        b'{"error":{"message":"maximum context length is 99"}}',
        400,
        "maximum context length is 99",
    ),
    ("404 Not Found", b'{"detail":"Not Found"}', 400, "no model that makes text"),
    ("404 Not Found", b'{"detail":"gone"}', 404, "answers: gone"),
    ("429 Too Many Requests", b"\x1b[31mslow", 503, "slow"),
    ("401 Unauthorized", b"{}", 500, "OLLAPY_VLLM_API_KEY"),
    ("500 Oops", b"", 500, "answers: status 500"),
    ("stall", b"", 500, "did not answer in time"),
]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose server has a model `far` and answers as the case does whose number it is told."""

    def behave(asked: Asked, reply: Reply) -> None:
        if asked.method == "GET":
            reply.whole("200 OK", json.dumps(LIST).encode())
            return
        number = int(json.loads(asked.body)["messages"][0]["content"])
        status, answer, *_ = CASES[number]
        if status == "stall":
            reply.stall()
        reply.head(status)
        reply.raw(answer)

    with (
        misbehaving(behave) as server,
        running_daemon(
            tmp_path_factory.mktemp("faulty"), VLLM_URL=server.url(""), LOAD_TIMEOUT="2"
        ) as daemon,
    ):
        yield daemon


@pytest.mark.parametrize("number", range(len(CASES)))
def test_what_goes_wrong_there_is_a_sentence_here(faulty: Daemon, number: int) -> None:
    _, _, status, sentence = CASES[number]
    asked = [{"role": "user", "content": str(number)}]
    response = faulty.post("/api/chat", model="far", messages=asked, stream=False)

    assert response.status_code == status
    error = response.json()["error"]
    assert sentence in error
    assert "127.0.0.1" in error, "whose fault it is"
    assert "\x1b" not in error
    assert "Traceback" not in faulty.log.read_text()


def test_an_id_that_is_no_name_is_skipped_and_said(faulty: Daemon) -> None:
    models = faulty.http.get("/v1/models").json()["data"]
    assert [model["id"] for model in models] == ["tiny:latest", "far:latest"]
    assert "--served-model-name id=/no/name" in faulty.log.read_text()
