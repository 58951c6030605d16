"""Structured output as clients ask for it: format, regex, choice and grammar over HTTP."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ollama
import pytest
from jsonschema import Draft202012Validator

from scripts.make_gguf import (
    write_encoder_decoder,
    write_hybrid,
    write_random,
    write_recurrent,
    write_sliding,
)
from tests.support.daemon import Daemon
from tests.support.models import add_model

AN_ANSWER = {
    "type": "object",
    "properties": {
        "answer": {"type": "integer", "minimum": 0, "maximum": 999},
        "sure": {"type": "boolean"},
        "words": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
    },
    "required": ["answer", "sure", "words"],
}
SUM = "What is 37 + 48?"
OPTIONS = {"temperature": 0, "num_predict": 200}


def ask(daemon: Daemon, path: str, *, stream: bool, **body: Any) -> dict[str, Any]:
    """An answer's content, thinking and last record, however it comes."""
    asked = (
        {"prompt": SUM}
        if path == "/api/generate"
        else {"messages": [{"role": "user", "content": SUM}]}
    )
    body = {"model": "tiny", "think": False, **asked, **body}
    with daemon.http.stream("POST", path, json={**body, "stream": stream}) as response:
        lines = [*response.iter_lines()]
    assert response.status_code == 200, lines
    records = [json.loads(line) for line in lines]
    assert [r["done"] for r in records] == [False] * (len(records) - 1) + [True]
    parts = [r.get("message") or {**r, "content": r["response"]} for r in records]
    return {
        **records[-1],
        "content": "".join(p["content"] for p in parts),
        "thinking": "".join(p.get("thinking", "") for p in parts),
    }


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/api/generate", "/api/chat"])
@pytest.mark.parametrize("think", [True, False])
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"format": AN_ANSWER}, AN_ANSWER),
        ({"format": "json"}, {"type": "object"}),
        ({"format": {}}, True),
        ({"options": {"regex": "[0-9]{2}/[a-c]"}}, "[0-9]{2}/[a-c]"),
        ({"options": {"choice": ["yes", "no"]}}, "yes|no"),
        ({"options": {"grammar": 'start: "x" /[0-9]{3}/'}}, "x[0-9]{3}"),
    ],
)  # fmt: skip
def test_the_answer_is_what_was_asked_for(
    daemon: Daemon,
    path: str,
    think: bool,
    stream: bool,
    wanted: dict[str, Any],
    expected: Any,
) -> None:
    options = {**OPTIONS, **wanted.get("options", {})}
    answer = ask(
        daemon, path, stream=stream, think=think, **{**wanted, "options": options}
    )
    assert bool(answer["thinking"]) is think
    if isinstance(expected, str):
        assert re.fullmatch(expected, answer["content"])
    elif answer["done_reason"] == "stop":
        Draft202012Validator(expected).validate(json.loads(answer["content"]))
    else:
        assert answer["done_reason"] == "length"
        assert answer["eval_count"] == 200


def test_what_it_left_no_choice_about_is_told(daemon: Daemon) -> None:
    """Unless its probability is wanted, for which it must be computed by itself."""
    answer = ask(daemon, "/api/chat", stream=False, format=AN_ANSWER, options=OPTIONS)
    scored = ask(daemon, "/api/chat", stream=False, format=AN_ANSWER, options=OPTIONS, logprobs=True)  # fmt: skip
    free = ask(daemon, "/api/chat", stream=False, options=OPTIONS)

    assert 0 < answer["ollapy"]["forced_tokens"] < answer["eval_count"]
    assert "forced_tokens" not in scored["ollapy"]
    assert "forced_tokens" not in free["ollapy"]


def test_a_schema_of_the_python_client(daemon: Daemon) -> None:
    client = ollama.Client(f"http://{daemon.address}")
    with client._client:
        answer = client.chat(
            "tiny",
            [{"role": "user", "content": SUM}],
            format=AN_ANSWER,
            options=OPTIONS,
        )
    assert answer.done_reason == "stop"
    Draft202012Validator(AN_ANSWER).validate(json.loads(answer.message.content or ""))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"format": {"properties": {"a": {"not": {}}}}}, "format: /properties/a/not is not supported"),
        ({"format": {"type": "foo"}}, "format: Invalid type: foo"),
        ({"format": {"$ref": "#/nope"}}, "format: Pointer '/nope' does not exist"),
        ({"format": {"type": "integer", "minimum": 2, "maximum": 1}}, "is greater than maximum"),
        ({"format": "xml"}, 'invalid format: "xml"; expected "json" or a valid JSON Schema object'),
        ({"format": True}, 'invalid format: true; expected "json" or a valid JSON Schema object'),
        ({"format": {"const": "x" * 300_000}}, "bytes of schema, at most 262144 are taken"),
        ({"format": json.loads('{"items":' * 150 + "{}" + "}" * 150)}, "nested more than 64 levels deep"),
        ({"options": {"regex": "(?=a)"}}, "regex: "),
        ({"options": {"regex": 3}}, 'option "regex" must be of type string'),
        ({"options": {"choice": "yes"}}, 'option "choice" must be of type array'),
        ({"options": {"choice": [1]}}, 'option "choice" must be of an array of strings'),
        ({"options": {"choice": []}}, "choice: a list of texts is needed"),
        ({"options": {"grammar": "start: nope"}}, 'grammar: 1(8): unknown name: "nope"'),
        ({"format": "json", "options": {"regex": "a"}}, "only one of format, regex, choice and grammar"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/generate", "/api/chat"])
def test_what_cannot_be_enforced_is_refused_before_the_first_token(
    daemon: Daemon, path: str, body: dict[str, Any], sentence: str
) -> None:
    asked = (
        {"prompt": SUM}
        if path == "/api/generate"
        else {"messages": [{"role": "user", "content": SUM}]}
    )
    daemon.generate("Hi", options={"num_predict": 1})
    before = daemon.runners  # one of another test may still be on its way out
    response = daemon.post(path, model="tiny", **asked, **body)
    assert response.status_code == 400
    assert sentence in response.json()["error"]
    assert (
        ask(daemon, path, stream=False, options={"choice": ["fine"]})["content"]
        == "fine"
    )
    assert {*daemon.runners} <= {*before}


def test_stop_strings_do_not_cut_it(daemon: Daemon) -> None:
    answer = ask(
        daemon,
        "/api/generate",
        stream=True,
        format=AN_ANSWER,
        options={**OPTIONS, "stop": ["answer", ":", "}"]},
    )
    assert answer["done_reason"] == "stop"
    Draft202012Validator(AN_ANSWER).validate(json.loads(answer["content"]))
    assert "option ignored name=stop" in daemon.log.read_text()


def test_cut_by_num_predict_it_says_so(daemon: Daemon) -> None:
    answer = ask(
        daemon,
        "/api/chat",
        stream=True,
        format=AN_ANSWER,
        options={**OPTIONS, "num_predict": 3},
    )
    assert answer["done_reason"] == "length"


def test_a_raw_prompt_is_held_to_it_too(daemon: Daemon) -> None:
    answer = ask(
        daemon,
        "/api/generate",
        stream=False,
        raw=True,
        options={**OPTIONS, "regex": "[a-z]{4}"},
    )
    assert re.fullmatch("[a-z]{4}", answer["content"])


def test_a_gap_is_filled_with_it(daemon: Daemon) -> None:
    answer = ask(
        daemon,
        "/api/generate",
        stream=False,
        suffix=")",
        options={**OPTIONS, "choice": ["one", "two"]},
    )
    assert answer["content"] in ("one", "two")


def test_goes_on_from_an_assistants_message(daemon: Daemon) -> None:
    given = '{"answer": 8'
    messages = [
        {"role": "user", "content": SUM},
        {"role": "assistant", "content": given},
    ]
    answer = ask(
        daemon,
        "/api/chat",
        stream=False,
        think=True,
        messages=messages,
        format=AN_ANSWER,
        options=OPTIONS,
    )
    Draft202012Validator(AN_ANSWER).validate(json.loads(given + answer["content"]))


def test_many_clients_with_schemas_of_their_own(daemon: Daemon) -> None:
    def answered(n: int) -> Any:
        schema = {
            "type": "object",
            "properties": {f"key{n}": {"type": "integer", "maximum": n, "minimum": 0}},
            "required": [f"key{n}"],
        }
        content = ask(
            daemon,
            "/api/chat",
            stream=n % 2 == 0,
            format=schema,
            options={"temperature": 1, "seed": n},
        )["content"]
        Draft202012Validator(schema).validate(json.loads(content))

    with ThreadPoolExecutor(16) as clients:
        assert len([*clients.map(answered, range(48))]) == 48


@pytest.mark.parametrize(
    "write",
    [write_random, write_sliding, write_hybrid, write_recurrent, write_encoder_decoder],
)
def test_any_model_is_able(daemon: Daemon, tmp_path: Path, write: Any) -> None:
    write(weights := tmp_path / "model.gguf")
    add_model(daemon.models, "any", weights)
    options = {"temperature": 1, "seed": 7, "num_predict": 300}
    answer = daemon.generate("go", model="any", format=AN_ANSWER, options=options)
    assert answer["done_reason"] == "stop"
    Draft202012Validator(AN_ANSWER).validate(json.loads(answer["response"]))
    daemon.delete("any")


@pytest.mark.parametrize("stream", [True, False])
def test_a_thought_that_is_cut_leads_to_the_answer_as_well(
    daemon: Daemon, stream: bool
) -> None:
    answer = ask(
        daemon,
        "/api/chat",
        stream=stream,
        think=4,
        format=AN_ANSWER,
        options=OPTIONS,
    )
    assert answer["thinking"]
    assert answer["ollapy"]["thinking_cut"]
    Draft202012Validator(AN_ANSWER).validate(json.loads(answer["content"]))
