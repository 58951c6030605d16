"""OpenAI's Responses by its client, and the order of their events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest

from ollapy.api.ollama import Message
from ollapy.api.openai_responses import MessageItem, Response, ResponseRequest
from ollapy.daemon.conversations import Conversations
from ollapy.daemon.wire import openai_responses
from ollapy.errors import NotFound
from tests.support.daemon import Daemon, running_daemon
from tests.support.events import events
from tests.support.models import add_endless
from tests.support.tools import FUNCTION
from tests.support.waiting import eventually

CAPITAL = "What is the capital of Japan?"
TOKYO = "The capital of Japan is Tokyo."
SILENT: dict[str, Any] = {"reasoning": {"effort": "none"}}
PLAIN: dict[str, Any] = {"model": "tiny", "temperature": 0}
WEATHER = {"type": "function", **FUNCTION}
THOUGHT = [
    "response.output_item.added",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
    "response.output_item.done",
]
SAID = [
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
]
CALLED = [
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
]


def ask(client: openai.OpenAI, given: Any = CAPITAL, **more: Any) -> Any:
    return client.responses.create(input=given, **{**PLAIN, **SILENT, **more})


def test_whole(client: openai.OpenAI) -> None:
    answer = ask(client)

    assert answer.output_text == TOKYO
    assert (answer.status, answer.model, answer.object) == (
        "completed",
        "tiny",
        "response",
    )
    assert answer.usage.output_tokens == 8
    assert answer.usage.total_tokens == answer.usage.input_tokens + 8


def test_streamed(client: openai.OpenAI) -> None:
    with client.responses.stream(input=CAPITAL, **PLAIN) as stream:
        text = "".join(
            e.delta for e in stream if e.type == "response.output_text.delta"
        )
        final = stream.get_final_response()

    assert text == final.output_text == TOKYO
    assert [item.type for item in final.output] == ["reasoning", "message"]
    assert final.usage is not None
    assert final.usage.output_tokens_details.reasoning_tokens > 0


@pytest.mark.parametrize("stream", [True, False])
def test_going_on_from_a_response(client: openai.OpenAI, stream: bool) -> None:
    first = ask(client, "My name is Grace.", instructions="Be brief.", stream=stream)
    if stream:
        first = [*first][-1].response
    asked = "What is my name?"
    second = ask(client, asked, previous_response_id=first.id)
    by_hand = ask(
        client,
        [
            {"role": "user", "content": "My name is Grace."},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": first.output_text}],
            },
            {"role": "user", "content": [{"type": "input_text", "text": asked}]},
        ],
    )

    assert second.output_text == by_hand.output_text
    assert "Grace" in second.output_text
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens == by_hand.usage.input_tokens
    assert client.responses.retrieve(first.id).output_text == first.output_text
    client.responses.delete(first.id)
    for call in (
        lambda: client.responses.retrieve(first.id),
        lambda: ask(client, "x", previous_response_id=first.id),
    ):
        with pytest.raises(
            openai.NotFoundError, match="send the conversation as input"
        ):
            call()


def test_what_is_not_stored_is_not_kept(client: openai.OpenAI) -> None:
    answer = ask(client, store=False)

    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_tool_is_called_and_its_result_used(
    client: openai.OpenAI, is_kept: bool
) -> None:
    question = "What is the weather in Rome?"
    answer = ask(client, question, tools=[WEATHER])
    (call,) = answer.output

    assert (call.type, call.name) == ("function_call", "get_weather")
    assert json.loads(call.arguments) == {"location": "Rome"}
    result = {
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": "sunny",
    }
    if is_kept:
        told = ask(client, [result], tools=[WEATHER], previous_response_id=answer.id)
    else:
        history = [{"role": "user", "content": question}, call.model_dump(), result]
        told = ask(client, history, tools=[WEATHER])
    assert told.output_text == "It is sunny in Rome."


def test_items_are_referred_to_by_their_ids(client: openai.OpenAI) -> None:
    """As Vercel's SDK does it with what is stored."""
    question = "What is the weather in Rome?"
    answer = ask(client, question, tools=[WEATHER], reasoning={"effort": "low"})
    call = answer.output[-1]
    result = {
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": "sunny",
    }

    def told(*output: Any) -> Any:
        history = [{"role": "user", "content": question}, *output, result]
        return ask(client, history, tools=[WEATHER])

    whole = told(*(item.model_dump() for item in answer.output))
    short = told(*({"type": "item_reference", "id": i.id} for i in answer.output))

    assert call.type == "function_call"
    assert whole.output_text == short.output_text == "It is sunny in Rome."
    assert whole.usage.input_tokens == short.usage.input_tokens
    client.responses.delete(answer.id)
    with pytest.raises(openai.NotFoundError, match=f"item '{call.id}' not found"):
        told({"type": "item_reference", "id": call.id})


def test_a_kept_response_comes_whole(client: openai.OpenAI, daemon: Daemon) -> None:
    """A client that wants it as a stream would find nothing in it."""
    path = f"/v1/responses/{ask(client).id}"
    refused = daemon.http.get(path, params={"stream": "true"})

    assert daemon.http.get(path, params={"stream": "false"}).status_code == 200
    assert refused.status_code == 400
    assert "comes whole" in refused.json()["error"]["message"]


def test_a_tool_that_must_be_called(client: openai.OpenAI) -> None:
    named = {"type": "function", "name": "get_weather"}
    for choice in ("required", named):
        answer = ask(client, tools=[WEATHER], tool_choice=choice)
        assert [item.name for item in answer.output] == ["get_weather"]
    assert [
        item.type for item in ask(client, tools=[WEATHER], tool_choice="none").output
    ] == ["message"]


def test_tools_that_would_run_at_openai_are_left_out_and_the_log_says_so(
    client: openai.OpenAI, daemon: Daemon
) -> None:
    hosted = [{"type": "web_search"}, {"type": "local_shell"}]
    group = {"type": "namespace", "name": "sky", "tools": [WEATHER]}

    assert ask(client, tools=hosted).output_text == TOKYO
    assert (
        "only OpenAI has them types=local_shell, web_search" in daemon.log.read_text()
    )
    answer = ask(client, tools=[group], tool_choice="required")
    assert answer.output[0].name == "sky.get_weather"


def test_json_of_a_schema_and_a_cut_answer(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"sum": {"type": "integer", "maximum": 999}},
        "required": ["sum"],
        "additionalProperties": False,
    }
    wanted = {"format": {"type": "json_schema", "name": "sum", "schema": schema}}
    answer = ask(client, "What is 37 + 48?", text=wanted)
    cut = ask(client, max_output_tokens=3)

    assert list(json.loads(answer.output_text)) == ["sum"]
    assert (cut.status, cut.incomplete_details.reason) == (
        "incomplete",
        "max_output_tokens",
    )
    assert cut.output_text == "The capital of"


def test_thoughts_are_sent_back(client: openai.OpenAI) -> None:
    first = ask(client, reasoning={"effort": "low"}, store=False)
    items = [item.model_dump() for item in first.output]
    history = [
        {"role": "user", "content": CAPITAL},
        *items,
        {"role": "user", "content": "What is the capital of Italy?"},
    ]

    assert [item["type"] for item in items] == ["reasoning", "message"]
    assert first.output[0].encrypted_content == first.output[0].summary[0].text
    assert ask(client, history).output_text == "The capital of Italy is Rome."


def test_log_probabilities(client: openai.OpenAI) -> None:
    answer = ask(client, top_logprobs=2, include=["message.output_text.logprobs"])
    points = answer.output[0].content[0].logprobs

    assert [p.token for p in points[:2]] == ["The", " capital"]
    assert all(len(p.top_logprobs) == 2 for p in points)


def test_counting(client: openai.OpenAI) -> None:
    counted = client.responses.input_tokens.count(
        model="tiny", input=CAPITAL, reasoning={"effort": "none"}
    )

    assert counted.input_tokens == ask(client).usage.input_tokens


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ({"input": CAPITAL}, [THOUGHT, SAID]),
        ({"input": CAPITAL, **SILENT}, [SAID]),
        (
            {"input": "What is the weather in Rome?", "tools": [WEATHER], **SILENT},
            [CALLED],
        ),
    ],
)
def test_the_order_of_events(
    daemon: Daemon, body: dict[str, Any], kinds: list[list[str]]
) -> None:
    found = events(daemon, "/v1/responses", **PLAIN, **body)
    names = [name for name, _ in found]
    data = [event for _, event in found]

    assert names == [event["type"] for event in data]
    assert [event["sequence_number"] for event in data] == list(range(len(data)))
    once = [
        n
        for i, n in enumerate(names)
        if not (n.endswith(".delta") and n == names[i - 1])
    ]
    assert once == [
        *("response.created", "response.in_progress"),
        *(name for kind in kinds for name in kind),
        "response.completed",
    ]
    response = data[-1]["response"]
    done = [e for e in data if e["type"] == "response.output_item.done"]
    assert response["output"] == [e["item"] for e in done]
    assert [e["output_index"] for e in done] == list(range(len(kinds)))
    assert (data[0]["response"]["status"], response["status"]) == (
        "in_progress",
        "completed",
    )
    for index, item in enumerate(response["output"]):
        own = [e for e in data if e.get("output_index") == index and "item_id" in e]
        assert {e["item_id"] for e in own} == {item["id"]}
        text = "".join(e["delta"] for e in own if e["type"].endswith(".delta"))
        assert (
            text == item.get("arguments")
            or text == (item.get("content") or item["summary"])[0]["text"]
        )


def test_an_answer_that_fails_says_so(tmp_path: Path) -> None:
    add_endless(tmp_path / "models")
    with running_daemon(tmp_path) as daemon:
        address = f"http://{daemon.address}/v1"
        with openai.OpenAI(base_url=address, api_key="none") as client:
            left = client.responses.create(model="endless", input="go", stream=True)
            next(left)
            left.close()
            eventually(
                lambda: (
                    daemon.http.get("/api/stats").json()["endless:latest"]["running"]
                    == 0
                ),
                "generation went on for nobody",
            )
            stream = client.responses.create(model="endless", input="go", stream=True)
            next(stream)
            for runner in daemon.runners:
                runner.kill()
            *_, last = stream
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert "unexpectedly stopped" in last.response.error.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": ""}, "model is required"),
        ({"input": None}, "input is required"),
        ({"input": []}, "input is required"),
        ({"input": 3}, "at `$.input`"),
        ({"input": [{"content": "x"}]}, "input item missing required 'type' field"),
        ({"input": [{"type": "riddle"}]}, 'unknown input item type: "riddle"'),
        ({"input": [{"type": "function_call"}]}, "has no name"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": "["}]}, "invalid tool call arguments"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, '"input_file" is not supported'),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,aGk="}]}]}, '"tiny" does not support images'),
        ({"tools": [{}]}, "tools[0] has no type"),
        ({"tools": [{"type": "function"}]}, "tools[0] has no name"),
        ({"tool_choice": "required"}, "there are no tools"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format must be"),
        ({"reasoning": {"effort": "huge"}}, "invalid reasoning value"),
        ({"background": True}, "background is not supported"),
        ({"conversation": "conv_1"}, "use previous_response_id"),
        ({"truncation": "maybe"}, "truncation must be"),
        ({"top_logprobs": 21}, "top_logprobs must be between 0 and 20"),
        ({"input": "word " * 5000}, "maximum context length"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [True, False])
def test_what_a_response_cannot_be(
    daemon: Daemon, body: dict[str, Any], words: str, stream: bool
) -> None:
    response = daemon.post(
        "/v1/responses", **{"model": "tiny", "input": "hi", **body, "stream": stream}
    )

    assert response.status_code == 400
    assert words in response.json()["error"]["message"]
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_conversations_not_used_for_longest_go_first() -> None:
    kept = Conversations(max_bytes=9000)
    for name in "abc":
        kept.keep([Message("user", name * 2000)], response(name))
    assert kept.messages("a") == [Message("user", "a" * 2000)]
    kept.keep([Message("user", "d" * 2000)], response("d"))

    for gone in (kept.messages, kept.response):
        with pytest.raises(NotFound):
            gone("b")
    with pytest.raises(NotFound):
        kept.item("msg_b")
    assert [kept.item(f"msg_{name}")["status"] for name in "acd"] == [*"acd"]
    kept.keep([Message("user", "x" * 9000)], response("huge"))
    with pytest.raises(NotFound):
        kept.response("huge")


def response(name: str) -> Response:
    """One that is known by its item's status."""
    begun = openai_responses.begun(ResponseRequest(model="tiny"))
    item = MessageItem(f"msg_{name}", name)
    return msgspec.structs.replace(begun, id=name, output=[item])


CALL = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
REFERENCE = {"type": "item_reference", "id": "x"}


@pytest.mark.parametrize("size", [600, 500])
def test_more_tools_than_anybody_needs(daemon: Daemon, size: int) -> None:
    """Also where they are in groups, and of no use here."""
    group = {"type": "namespace", "name": "x", "tools": [{"type": "y"}] * size}
    answer = daemon.post("/v1/responses", model="tiny", input="x", tools=[group, group])

    assert answer.status_code == 400
    assert "at most 512 are taken" in answer.json()["error"]["message"]


def test_an_item_is_referred_to_once(client: openai.OpenAI, daemon: Daemon) -> None:
    """A short request would be a conversation without end."""
    (item,) = ask(client).output
    reference = {"type": "item_reference", "id": item.id}
    answer = daemon.post("/v1/responses", model="tiny", input=[reference, reference])

    assert answer.status_code == 400
    assert f"refers to item '{item.id}' twice" in answer.json()["error"]["message"]


@pytest.mark.parametrize("item", [CALL, REFERENCE])
def test_more_items_than_anybody_needs(daemon: Daemon, item: dict[str, str]) -> None:
    """Refused before anything is made of them, also where all of them are one message."""
    answer = daemon.post("/v1/responses", model="tiny", input=[item] * 10_001)

    assert answer.status_code == 400
    told = answer.json()["error"]["message"]
    assert told == "input has 10001 entries, at most 10000 are taken"
