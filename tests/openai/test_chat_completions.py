"""Chat completions by OpenAI's client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless
from tests.support.tools import WEATHER
from tests.support.waiting import eventually

CAPITAL = "What is the capital of Japan?"
TOKYO = "The capital of Japan is Tokyo."
PLAIN: dict[str, Any] = {"model": "tiny", "temperature": 0, "reasoning_effort": "none"}

# More than the API itself takes.
HOT = {"options": {"temperature": 5.0}}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def ask(client: openai.OpenAI, content: Any = CAPITAL, **more: Any) -> Any:
    return client.chat.completions.create(messages=[user(content)], **{**PLAIN, **more})


def test_whole(client: openai.OpenAI) -> None:
    answer = ask(client)

    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", TOKYO)
    assert (choice.finish_reason, choice.index) == ("stop", 0)
    assert answer.usage.completion_tokens == 8
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 8
    assert (answer.model, answer.object) == ("tiny", "chat.completion")


def test_streamed(client: openai.OpenAI) -> None:
    whole = ask(client)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))

    deltas = [c.choices[0].delta for c in chunks if c.choices]
    assert "".join(d.content or "" for d in deltas) == TOKYO
    assert [d.role for d in deltas] == ["assistant"] + [None] * (len(deltas) - 1)
    assert [c.usage is None for c in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens
    assert len({c.id for c in chunks}) == 1


def test_thinking(client: openai.OpenAI) -> None:
    whole = ask(client, reasoning_effort="low").choices[0].message
    chunks = ask(client, reasoning_effort="low", stream=True)
    deltas = [c.choices[0].delta for c in chunks]

    assert whole.content == TOKYO
    assert whole.reasoning
    assert whole.reasoning == whole.reasoning_content
    assert (
        "".join(getattr(d, "reasoning", None) or "" for d in deltas) == whole.reasoning
    )
    assert "".join(d.content or "" for d in deltas) == TOKYO
    again = client.chat.completions.create(
        messages=[
            user(CAPITAL),
            {"role": "assistant", "content": TOKYO, "reasoning": whole.reasoning},
            user("What is the capital of Italy?"),
        ],
        **PLAIN,
    )  # type: ignore[call-overload]
    assert again.choices[0].message.content == "The capital of Italy is Rome."
    assert again.usage.prompt_tokens_details.cached_tokens > 0


@pytest.mark.parametrize("stream", [True, False])
def test_a_tool_is_called_and_its_result_used(
    client: openai.OpenAI, stream: bool
) -> None:
    question = user("What is the weather in Rome?")
    asked = {"tools": [WEATHER], "stream": stream, **PLAIN}
    answer: Any = client.chat.completions.create(messages=[question], **asked)
    if stream:
        chunks = list(answer)
        (call,) = [t for c in chunks for t in c.choices[0].delta.tool_calls or []]
        reason = chunks[-1].choices[0].finish_reason
        assert call.index == 0
    else:
        (call,) = answer.choices[0].message.tool_calls
        reason = answer.choices[0].finish_reason
        assert answer.choices[0].message.content is None

    assert reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"location": "Rome"}
    function = {"name": call.function.name, "arguments": call.function.arguments}
    called = {"id": call.id, "type": "function", "function": function}
    told: Any = client.chat.completions.create(
        messages=[
            question,
            {"role": "assistant", "content": None, "tool_calls": [called]},
            {"role": "tool", "content": "sunny", "tool_call_id": call.id},
        ],
        **{**asked, "stream": False},
    )
    assert told.choices[0].message.content == "It is sunny in Rome."


def test_no_tool_is_called_where_none_may_be(client: openai.OpenAI) -> None:
    answer = ask(
        client, "What is the weather in Rome?", tools=[WEATHER], tool_choice="none"
    )

    assert answer.choices[0].message.tool_calls is None


@pytest.mark.parametrize(
    "choice",
    ["required", {"type": "function", "function": {"name": "get_weather"}}],
)
def test_a_tool_that_must_be_called(client: openai.OpenAI, choice: Any) -> None:
    one = {"parallel_tool_calls": False, "tools": [WEATHER], "tool_choice": choice}
    (call,) = ask(client, **one).choices[0].message.tool_calls

    assert call.function.name == "get_weather"
    assert list(json.loads(call.function.arguments)) == ["location"]


def test_choices_differ_by_their_seeds_and_share_the_prompt(
    client: openai.OpenAI,
) -> None:
    asked = {"temperature": None, "extra_body": HOT, "n": 3, "seed": 1, "max_tokens": 8}
    first, again = (ask(client, "Write a story.", **asked) for _ in range(2))
    texts = [c.message.content for c in first.choices]

    assert [c.index for c in first.choices] == [0, 1, 2]
    assert len(set(texts)) == 3
    assert texts == [c.message.content for c in again.choices]
    assert first.usage.completion_tokens == 24
    chunks = list(ask(client, "Write a story.", stream=True, **asked))
    for index, text in enumerate(texts):
        own = [c for c in chunks if c.choices[0].index == index]
        assert "".join(c.choices[0].delta.content or "" for c in own) == text
        assert [c.choices[0].finish_reason for c in own][-1] == "length"
    alone = ask(client, "Write a story.", **{**asked, "n": None})
    assert first.usage.prompt_tokens == alone.usage.prompt_tokens
    assert alone.choices[0].message.content == texts[0]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_length(client: openai.OpenAI, name: str) -> None:
    answer = ask(client, **{name: 3})

    assert answer.choices[0].message.content == "The capital of"
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize("stop", [" is", ["xyz", " is"]])
def test_stop(client: openai.OpenAI, stop: Any) -> None:
    answer = ask(client, stop=stop)

    assert answer.choices[0].message.content == "The capital of Japan"
    assert answer.choices[0].finish_reason == "stop"


def test_log_probabilities(client: openai.OpenAI) -> None:
    whole = ask(client, logprobs=True, top_logprobs=2).choices[0].logprobs.content
    chunks = ask(client, logprobs=True, top_logprobs=2, stream=True)
    found = [c.choices[0].logprobs for c in chunks]

    assert [p.token for p in whole[:3]] == ["The", " capital", " of"]
    assert all(p.logprob <= 0 and len(p.top_logprobs) == 2 for p in whole)
    assert all(p.top_logprobs[0].logprob == p.logprob for p in whole)
    streamed = [p.token for logprobs in found if logprobs for p in logprobs.content]
    assert streamed == [p.token for p in whole]


def test_logit_bias(client: openai.OpenAI, daemon: Daemon) -> None:
    options = {"num_predict": 1, "temperature": 0}
    first = daemon.generate(CAPITAL, options=options)["context"][-1]

    banned = ask(client, logit_bias={str(first): -100})
    forced = ask(client, logit_bias={str(first): 100}, max_tokens=3)

    assert not banned.choices[0].message.content.startswith("The")
    assert forced.choices[0].message.content == "The" * 3


def test_json_of_a_schema(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"sum": {"type": "integer", "maximum": 999}},
        "required": ["sum"],
        "additionalProperties": False,
    }
    wanted = {"name": "sum", "schema": schema, "strict": True}
    answer = ask(
        client,
        "What is 37 + 48?",
        response_format={"type": "json_schema", "json_schema": wanted},
        max_tokens=50,
    )

    assert list(json.loads(answer.choices[0].message.content)) == ["sum"]


def test_parts_of_text(client: openai.OpenAI) -> None:
    parts = [{"type": "text", "text": CAPITAL}]

    assert ask(client, parts).choices[0].message.content == TOKYO


def test_what_ollama_knows_besides(client: openai.OpenAI) -> None:
    extra = {"options": {"num_predict": 2, "top_k": 1}, "keep_alive": "5m"}
    absurd = ask(client, extra_body={**extra, "num_ctx": 10**12})
    assert absurd.choices[0].message.content == "The capital"


def test_a_conversation_is_cut_only_where_that_is_asked_for(
    client: openai.OpenAI,
) -> None:
    long: Any = [user("word " * 50), {"role": "assistant", "content": "Yes."}]
    asked = {"messages": [*long, user(CAPITAL)], **PLAIN}
    narrow = {"num_ctx": 60}

    with pytest.raises(openai.BadRequestError, match="> 60 maximum context length"):
        client.chat.completions.create(**asked, extra_body=narrow)
    cut = client.chat.completions.create(
        **asked, extra_body={**narrow, "truncate": True}
    )
    assert cut.choices[0].message.content == TOKYO


def test_errors_are_of_the_clients_own_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        ask(client, model="missing")
    with pytest.raises(openai.BadRequestError) as long:
        ask(client, "word " * 5000)

    assert missing.value.code == "model_not_found"
    assert missing.value.param == "model"
    assert long.value.code == "context_length_exceeded"
    assert "maximum context length" in long.value.message


def test_leaving_a_stream_stops_the_work(tmp_path: Path) -> None:
    add_endless(tmp_path / "models")
    with running_daemon(tmp_path) as daemon:
        address = f"http://{daemon.address}/v1"
        with openai.OpenAI(base_url=address, api_key="none") as client:
            stream = client.chat.completions.create(
                model="endless", messages=[user("go")], stream=True, n=2
            )  # type: ignore[call-overload]
            next(stream)
            stream.close()
            eventually(
                lambda: (
                    daemon.http.get("/api/stats").json()["endless:latest"]["running"]
                    == 0
                ),
                "generation went on for nobody",
            )
            killed = client.chat.completions.create(
                model="endless", messages=[user("go")], stream=True
            )  # type: ignore[call-overload]
            next(killed)
            for runner in daemon.runners:
                runner.kill()
            with pytest.raises(openai.APIError, match="unexpectedly stopped"):
                list(killed)
