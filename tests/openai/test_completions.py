"""Completions, embeddings and models by OpenAI's client."""

from __future__ import annotations

import base64
import struct
from typing import Any

import openai
import pytest

from tests.support.daemon import Daemon
from tests.support.events import events

BEGUN = "The capital of Japan"
PLAIN: dict[str, Any] = {"model": "tiny", "temperature": 0, "max_tokens": 3}

# More than the API itself takes.
HOT = {"options": {"temperature": 5.0}}


def ask(client: openai.OpenAI, prompt: Any = BEGUN, **more: Any) -> Any:
    return client.completions.create(prompt=prompt, **{**PLAIN, **more})


def tokens(daemon: Daemon, text: str) -> list[int]:
    """The text's tokens, the BOS among them, as the native API tells them."""
    answer = daemon.post(
        "/api/generate",
        model="tiny",
        prompt=text,
        stream=False,
        think=False,
        options={"num_predict": 0},
    )
    context: list[int] = answer.json()["context"]
    return context


def test_a_text_is_gone_on_with_as_it_is(client: openai.OpenAI, daemon: Daemon) -> None:
    native = daemon.generate(
        BEGUN, raw=True, options={"temperature": 0, "num_predict": 3}
    )
    answer = ask(client)
    streamed = list(ask(client, stream=True, stream_options={"include_usage": True}))

    (choice,) = answer.choices
    assert choice.text == native["response"]
    assert choice.finish_reason == "length"
    assert "".join(c.choices[0].text for c in streamed[:-1]) == choice.text
    assert [c.choices[0].finish_reason for c in streamed[:-1]][-1] == "length"
    assert streamed[-1].choices == []
    assert streamed[-1].usage.total_tokens == answer.usage.total_tokens
    assert answer.usage.prompt_tokens == native["prompt_eval_count"]
    assert answer.object == streamed[0].object == "text_completion"


def test_tokens_instead_of_text(client: openai.OpenAI, daemon: Daemon) -> None:
    chat = tokens(daemon, "What is the capital of Japan?")

    alone, (first, second) = ask(client, chat), ask(client, [chat, chat]).choices
    echoed = ask(client, chat, echo=True).choices[0].text
    assert alone.choices[0].text == first.text == second.text
    assert alone.choices[0].text == "The capital of"
    assert echoed.endswith(alone.choices[0].text)
    assert "What is the capital of Japan?" in echoed
    assert alone.usage.prompt_tokens == len(chat)


def test_several_texts_and_choices(client: openai.OpenAI) -> None:
    texts = [BEGUN, "Once upon a time"]
    apart = [ask(client, text).choices[0].text for text in texts]
    answer = ask(client, texts, n=2, echo=True)

    assert [c.index for c in answer.choices] == [0, 1, 2, 3]
    found = [c.text for c in answer.choices]
    assert found == [t + a for t, a in zip(texts, apart, strict=True) for _ in range(2)]
    assert answer.usage.completion_tokens == 12
    assert answer.usage.prompt_tokens == sum(
        ask(client, text).usage.prompt_tokens for text in texts
    )


def test_the_gap_before_a_suffix(client: openai.OpenAI, daemon: Daemon) -> None:
    options = {"temperature": 0, "num_predict": 3}
    native = daemon.generate("def f(x):", suffix="return y", options=options)

    assert (
        ask(client, "def f(x):", suffix="return y").choices[0].text
        == native["response"]
    )


def test_log_probabilities(client: openai.OpenAI) -> None:
    answer = ask(client, logprobs=2, echo=True)
    choice = answer.choices[0]
    found = choice.logprobs

    assert "".join(found.tokens) == choice.text
    assert found.text_offset == [
        len("".join(found.tokens[:i])) for i in range(len(found.tokens))
    ]
    assert all(value is None or value <= 0 for value in found.token_logprobs)
    assert all(
        token in top
        for token, top in zip(found.tokens, found.top_logprobs, strict=True)
        if top
    )
    chunks = list(ask(client, logprobs=2, echo=True, stream=True))
    points = [c.choices[0].logprobs for c in chunks]
    assert [t for p in points for t in p.tokens] == found.tokens
    assert [o for p in points for o in p.text_offset] == found.text_offset


def test_only_the_prompt_scored(client: openai.OpenAI) -> None:
    choice = ask(client, max_tokens=0, echo=True, logprobs=0).choices[0]

    assert choice.text == BEGUN
    assert "".join(choice.logprobs.tokens) == BEGUN
    assert any(value is not None for value in choice.logprobs.token_logprobs)


def test_the_best_of_several(client: openai.OpenAI) -> None:
    hot = {"temperature": None, "extra_body": HOT, "seed": 3, "max_tokens": 6}
    whole = ask(client, n=4, logprobs=0, **hot)
    tried = whole.choices
    best = max(
        tried, key=lambda c: sum(c.logprobs.token_logprobs) / len(c.logprobs.tokens)
    )
    answer = ask(client, best_of=4, **hot)

    assert [c.text for c in answer.choices] == [best.text]
    assert answer.choices[0].logprobs is None
    assert answer.usage.completion_tokens == whole.usage.completion_tokens


def test_the_order_of_a_streams_events(daemon: Daemon) -> None:
    *chunks, usage, done = [
        data
        for _, data in events(
            daemon,
            "/v1/completions",
            prompt=BEGUN,
            stream_options={"include_usage": True},
            **PLAIN,
        )
    ]

    assert done == "[DONE]"
    assert usage["choices"] == []
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None] * (
        len(chunks) - 1
    ) + ["length"]
    assert all("usage" not in c and "error" not in c for c in chunks)


def test_embeddings_are_the_native_ones(client: openai.OpenAI, daemon: Daemon) -> None:
    texts = ["a cat", "the sea"]
    native = daemon.post("/api/embed", model="tiny", input=texts).json()
    packed = client.embeddings.create(model="tiny", input=texts)
    plain = client.embeddings.create(model="tiny", input=texts, encoding_format="float")
    raw = daemon.post(
        "/v1/embeddings", model="tiny", input=texts[0], encoding_format="base64"
    ).json()

    for found in (packed, plain):
        for given, expected in zip(found.data, native["embeddings"], strict=True):
            assert given.embedding == pytest.approx(expected, abs=1e-6)
        assert [d.index for d in found.data] == [0, 1]
        assert found.usage.prompt_tokens == native["prompt_eval_count"]
    data = base64.b64decode(raw["data"][0]["embedding"])
    assert list(struct.unpack(f"<{len(data) // 4}f", data)) == pytest.approx(
        native["embeddings"][0], abs=1e-6
    )
    short = client.embeddings.create(model="tiny", input="a cat", dimensions=8)
    assert len(short.data[0].embedding) == 8


def test_embeddings_of_tokens(client: openai.OpenAI) -> None:
    one, both = ([5, 6, 7], [[5, 6, 7], [8]])
    alone: Any = client.embeddings.create(model="tiny", input=one)
    found: Any = client.embeddings.create(model="tiny", input=both)

    assert (len(alone.data), len(found.data)) == (1, 2)
    assert alone.usage.prompt_tokens == 3
    assert found.data[0].embedding == pytest.approx(alone.data[0].embedding, abs=1e-3)


def test_models(client: openai.OpenAI, daemon: Daemon) -> None:
    daemon.post("/api/copy", source="tiny", destination="someone/else:1b")
    found = {m.id: m for m in client.models.list()}

    assert found["tiny:latest"].owned_by == "library"
    assert found["someone/else:1b"].owned_by == "someone"
    assert client.models.retrieve("someone/else:1b") == found["someone/else:1b"]
    assert (
        daemon.http.get("/v1/models/someone/else:1b").json()["id"] == "someone/else:1b"
    )
    assert client.models.retrieve("tiny").id == "tiny"
    daemon.delete("someone/else:1b")
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("someone/else:1b")
    assert missing.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/v1/completions", {"prompt": None}, "prompt must not be empty"),
        ("/v1/completions", {"prompt": ""}, "prompt must not be empty"),
        ("/v1/completions", {"prompt": []}, "prompt must not be empty"),
        ("/v1/completions", {"prompt": [[]]}, "prompt must not be empty"),
        ("/v1/completions", {"prompt": [1, "x"]}, "prompt mixes tokens with texts"),
        ("/v1/completions", {"prompt": [10**9]}, "prompt holds a token"),
        ("/v1/completions", {"prompt": [-1]}, "prompt holds a token"),
        ("/v1/completions", {"prompt": ["x"] * 129}, "at most 128"),
        ("/v1/completions", {"n": 33}, "n must be between 1 and 32"),
        ("/v1/completions", {"best_of": 10**9}, "best_of must be between 1 and 32"),
        ("/v1/completions", {"n": 3, "best_of": 2}, "best_of must not be less than n"),
        ("/v1/completions", {"best_of": 2, "stream": True}, "best_of cannot be streamed"),
        ("/v1/completions", {"logprobs": 21}, "logprobs must be between 0 and 20"),
        ("/v1/completions", {"prompt": [5], "suffix": "x"}, "suffix needs a prompt of text"),
        ("/v1/completions", {"echo": True, "suffix": "x"}, "echo and suffix"),
        ("/v1/completions", {"prompt": "word " * 5000}, "maximum context length"),
        ("/v1/embeddings", {"input": None}, "invalid input"),
        ("/v1/embeddings", {"input": []}, "invalid input"),
        ("/v1/embeddings", {"input": ""}, "invalid input"),
        ("/v1/embeddings", {"input": ["x", ""]}, "invalid input"),
        ("/v1/embeddings", {"input": [1, "x"]}, "input mixes tokens with texts"),
        ("/v1/embeddings", {"input": [10**9]}, "input holds a token"),
        ("/v1/embeddings", {"input": ["x"] * 2049}, "at most 2048"),
        ("/v1/embeddings", {"input": "word " * 10000}, "exceeds the context length"),
        ("/v1/embeddings", {"dimensions": 0}, "dimensions must be at least 1"),
        ("/v1/embeddings", {"dimensions": 10**9}, "dimensions must be at most 256"),
        ("/v1/embeddings", {"encoding_format": "x"}, "Supported values: ['float', 'base64']"),
    ],
)  # fmt: skip
def test_what_cannot_be(
    daemon: Daemon, path: str, body: dict[str, Any], words: str
) -> None:
    given = {"prompt": BEGUN, "input": BEGUN, **PLAIN, **body}
    response = daemon.post(path, **given)

    assert response.status_code == 400
    assert words in response.json()["error"]["message"]
    assert response.json()["error"]["type"] == "invalid_request_error"
