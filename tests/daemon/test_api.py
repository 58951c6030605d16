"""The native API as Ollama's clients meet it: real HTTP, a real daemon, the tiny model."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from tests.support.daemon import Daemon
from tests.support.models import add_endless
from tests.support.tools import WEATHER

GREEDY = {"temperature": 0}
CAPITAL = "What is the capital of Japan?"


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def chat(daemon: Daemon, *messages: dict[str, Any], **body: Any) -> dict[str, Any]:
    body = {"options": GREEDY, "think": False, **body}
    response = daemon.post(
        "/api/chat", model="tiny", messages=list(messages), stream=False, **body
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_root_and_version(daemon: Daemon) -> None:
    assert daemon.http.get("/").text == "Ollama is running"
    head = daemon.http.head("/")
    assert (head.status_code, head.content) == (200, b"")
    version = daemon.http.get("/api/version").json()
    assert all(part.isdigit() for part in version["version"].split(".")), (
        "clients make integers of it"
    )
    assert version["ollapy"] == "0.1.0"


def test_generate_streams_thinking_and_answer(daemon: Daemon) -> None:
    with daemon.stream(
        "/api/generate", model="tiny", prompt="What is 37 + 48?", options=GREEDY
    ) as records:
        *chunks, last = records

    assert (
        "".join(r.get("thinking", "") for r in chunks)
        == "7 + 8 = 15, carry 1. 3 + 4 + 1 = 8. So 85."
    )
    assert "".join(r["response"] for r in chunks) == "37 + 48 = 85."
    assert len(chunks) > 1, "those that wait together are one"
    assert [r["done"] for r in chunks] == [False] * len(chunks)
    assert (last["done"], last["done_reason"], last["response"]) == (True, "stop", "")


def test_the_final_record_has_counts_timings_and_the_context_report(
    daemon: Daemon,
) -> None:
    last = daemon.generate(CAPITAL)

    assert last["prompt_eval_count"] == last["ollapy"]["context"]["prompt_tokens"]
    assert last["eval_count"] + last["prompt_eval_count"] == len(last["context"])
    durations = [
        last[f"{what}_duration"] for what in ("load", "prompt_eval", "eval", "total")
    ]
    assert all(isinstance(d, int) and d > 0 for d in durations)
    assert sum(durations[:3]) <= durations[3]
    assert last["ollapy"]["context"]["limit"] == 4096


def test_whole_and_streamed_answers_are_the_same(daemon: Daemon) -> None:
    with daemon.stream(
        "/api/chat", model="tiny", messages=[user(CAPITAL)], options=GREEDY
    ) as records:
        streamed = list(records)
    whole = chat(daemon, user(CAPITAL), think=True)

    for field in ("content", "thinking"):
        assert (
            "".join(r["message"].get(field, "") for r in streamed)
            == whole["message"][field]
        )
    assert whole["message"]["content"] == "The capital of Japan is Tokyo."


def test_a_conversation_is_remembered(daemon: Daemon) -> None:
    history = [
        user("My name is Grace."),
        {"role": "assistant", "content": "Nice to meet you, Grace!"},
    ]

    assert (
        "Grace"
        in chat(daemon, *history, user("What is my name?"))["message"]["content"]
    )


def test_the_next_turn_computes_only_what_is_new(daemon: Daemon) -> None:
    question = user("How do rainbows form?")
    first = chat(daemon, question)
    second = chat(
        daemon, question, first["message"], user("Do they happen on other planets?")
    )
    report = second["ollapy"]["context"]

    assert "Venus" in second["message"]["content"]
    assert report["cached_tokens"] >= 12, (
        "the question; the history leaves out the empty thought after it"
    )
    assert report["prompt_tokens"] == second["prompt_eval_count"]


def test_a_system_message_is_obeyed(daemon: Daemon) -> None:
    pirate = chat(
        daemon, {"role": "system", "content": "You are a pirate."}, user(CAPITAL)
    )
    generated = daemon.generate(CAPITAL, system="You are a pirate.")

    assert (
        pirate["message"]["content"]
        == generated["response"]
        == "Arr! The capital of Japan is Tokyo."
    )


def test_a_tool_is_called_and_its_result_used(daemon: Daemon) -> None:
    question = user("What is the weather in Rome?")
    called = chat(daemon, question, tools=[WEATHER])["message"]

    (call,) = called["tool_calls"]
    assert call["function"] == {
        "name": "get_weather",
        "arguments": {"location": "Rome"},
        "index": 0,
    }
    assert call["id"].startswith("call_")
    result = {"role": "tool", "content": "sunny", "tool_name": "get_weather"}
    answer = chat(daemon, question, called, result, tools=[WEATHER])["message"]
    assert answer["content"] == "It is sunny in Rome."


def test_an_answer_that_was_begun_is_continued(daemon: Daemon) -> None:
    answer = chat(
        daemon,
        user(CAPITAL),
        {"role": "assistant", "content": "The capital of Japan is"},
    )

    assert answer["message"]["content"] == " Tokyo."


def test_fill_in_the_middle(daemon: Daemon) -> None:
    answer = daemon.generate("def add(a, b):\n    return ", suffix="\n")

    assert answer["response"] == "a + b"


def test_raw_prompts_are_passed_as_they_are(daemon: Daemon) -> None:
    prompt = f"<|im_start|>user\n{CAPITAL}<|im_end|>\n<|im_start|>assistant\n"
    answer = daemon.generate(prompt, raw=True, think=None)

    assert answer["response"].startswith("<think>\n"), "nothing is parsed"
    assert "context" not in answer


def test_a_context_goes_on_where_it_ended(daemon: Daemon) -> None:
    first = daemon.generate("My name is Grace.")
    second = daemon.generate("What is my name?", context=first["context"])

    assert "Grace" in second["response"]
    assert second["prompt_eval_count"] > len(first["context"])


def test_stop_strings_and_length(daemon: Daemon) -> None:
    count = "Count from 3 to 30."
    stopped = daemon.generate(count, options={**GREEDY, "stop": [" 9"]})
    cut = daemon.generate(count, options={**GREEDY, "num_predict": 4})
    nothing = daemon.generate(count, options={**GREEDY, "num_predict": 0})

    assert (stopped["response"], stopped["done_reason"]) == ("3 4 5 6 7 8", "stop")
    assert (cut["eval_count"], cut["done_reason"]) == (4, "length")
    assert (nothing["response"], nothing["done_reason"]) == ("", "length")


def test_characters_split_over_tokens_are_whole_in_every_record(daemon: Daemon) -> None:
    request = {
        "model": "tiny",
        "prompt": "Draw a llama.",
        "think": False,
        "options": GREEDY,
    }
    with daemon.stream("/api/generate", **request) as records:
        texts = [record["response"] for record in records]

    assert [text for text in texts if text] == ["🦙"]


def test_log_probabilities(daemon: Daemon) -> None:
    answer = daemon.generate(CAPITAL, logprobs=True, top_logprobs=2)

    assert len(answer["logprobs"]) == answer["eval_count"]
    first = answer["logprobs"][0]
    assert bytes(first["bytes"]).decode() == first["token"] == "The"
    assert len(first["top_logprobs"]) == 2
    assert "logprobs" not in daemon.generate(CAPITAL)


def test_num_ctx_is_a_limit_of_the_request_and_reloads_nothing(daemon: Daemon) -> None:
    daemon.generate(CAPITAL)
    pids = [runner.pid for runner in daemon.runners]
    answer = daemon.generate("Write a long story.", options={**GREEDY, "num_ctx": 40})

    assert (answer["done_reason"], len(answer["context"])) == ("length", 40)
    assert answer["ollapy"]["context"]["limit"] == 40
    assert [runner.pid for runner in daemon.runners] == pids


def test_a_chat_too_long_drops_its_oldest_turns_and_says_so(daemon: Daemon) -> None:
    turns = [
        m
        for i in range(9)
        for m in (
            user(f"Say number {i}"),
            {"role": "assistant", "content": f"number {i}"},
        )
    ]
    answer = chat(daemon, *turns, user(CAPITAL), options={**GREEDY, "num_ctx": 100})
    report = answer["ollapy"]["context"]

    assert answer["message"]["content"] == "The capital of Japan is Tokyo."
    assert report["dropped_messages"] > 0
    assert report["dropped_tokens"] > 0
    assert report["prompt_tokens"] < 100


def test_a_full_context_shifts_where_that_is_wanted_and_says_so(daemon: Daemon) -> None:
    """A model that never ends by itself goes on past its context, as long as it is allowed to."""
    add_endless(daemon.models)
    options = {**GREEDY, "num_ctx": 64, "num_predict": 150}
    ask = partial(daemon.generate, "Go on.", model="endless", options=options)
    stopped, shifted = ask(), ask(shift=True)
    daemon.delete("endless")

    assert stopped["done_reason"] == shifted["done_reason"] == "length"
    assert stopped["eval_count"] + stopped["prompt_eval_count"] == 64
    assert shifted["eval_count"] == 150
    assert shifted["ollapy"]["context"]["dropped_tokens"] > 80
    assert shifted["response"].startswith(stopped["response"])


def test_priorities(daemon: Daemon) -> None:
    """In the body or in a header; anything but the two there are is refused."""
    background = daemon.generate("Say hi.", priority="background", options=GREEDY)
    assert background["response"]

    body = {"model": "tiny", "prompt": "Say hi.", "stream": False}
    for name, status in (("background", 200), ("interactive", 200), ("urgent", 400)):
        headers = {"Ollapy-Priority": name}
        response = daemon.http.post("/api/generate", json=body, headers=headers)
        assert response.status_code == status
    assert "interactive" in response.json()["error"]


def test_the_prompts_own_log_probabilities(daemon: Daemon) -> None:
    prompt = "1 2 3 4 5 6"
    options = {**GREEDY, "num_predict": 2}
    ask = partial(daemon.generate, prompt, raw=True, options=options)
    plain, scored = ask(), ask(prompt_logprobs=2)
    body = {"model": "tiny", "prompt": prompt, "raw": True, "options": options}
    with daemon.stream("/api/generate", **body, prompt_logprobs=2) as records:
        streamed = list(records)
    logprobs = scored["prompt_logprobs"]

    assert "prompt_logprobs" not in plain
    assert scored["response"] == plain["response"]
    assert len(logprobs) == plain["prompt_eval_count"] - 1, "the first follows nothing"
    assert "".join(one["token"] for one in logprobs) == prompt[1:]
    assert all(len(one["top_logprobs"]) == 2 for one in logprobs)
    assert streamed[0]["prompt_logprobs"] == logprobs
    assert not any("prompt_logprobs" in record for record in streamed[1:])


def test_without_truncation_a_chat_too_long_is_refused_with_the_numbers(
    daemon: Daemon,
) -> None:
    response = daemon.post(
        "/api/chat",
        model="tiny",
        messages=[user("word " * 50)],
        truncate=False,
        options={"num_ctx": 20},
    )

    assert response.status_code == 400
    assert "20 maximum context length" in response.json()["error"]


def test_embeddings_are_unit_vectors_that_tell_texts_apart(daemon: Daemon) -> None:
    texts = [
        "The capital of Japan is Tokyo.",
        "The capital of France is Paris.",
        "apple river stone",
    ]
    answer = daemon.post("/api/embed", model="tiny", input=texts).json()
    one = daemon.post("/api/embed", model="tiny", input=texts[0]).json()

    def dot(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    a, b, c = answer["embeddings"]
    assert [dot(v, v) for v in (a, b, c)] == pytest.approx([1.0] * 3, abs=1e-5)
    assert dot(a, b) > dot(a, c)
    assert dot(a, one["embeddings"][0]) > 0.9999, "whatever it was packed with"
    assert answer["prompt_eval_count"] > 10
    assert daemon.post("/api/embed", model="tiny", input=[]).json()["embeddings"] == []
    short = daemon.post("/api/embed", model="tiny", input="hi", dimensions=8).json()[
        "embeddings"
    ][0]
    assert (len(short), dot(short, short)) == (8, pytest.approx(1.0, abs=1e-5))


def test_models_and_their_details(daemon: Daemon) -> None:
    (tiny,) = [
        m
        for m in daemon.http.get("/api/tags").json()["models"]
        if m["name"] == "tiny:latest"
    ]
    shown = daemon.post("/api/show", model="tiny").json()

    assert tiny["model"] == "tiny:latest"
    assert len(tiny["digest"]) == 64
    assert tiny["details"]["family"] == shown["details"]["family"] == "llama"
    assert tiny["details"]["quantization_level"] == "Q8_0"
    assert {"completion", "tools", "thinking", "insert"} <= set(shown["capabilities"])
    assert shown["model_info"]["llama.context_length"] == 4096
    assert shown["model_info"]["tokenizer.ggml.tokens"] == []
    assert shown["template"].startswith("{%- if tools %}")
    assert "FROM " in shown["modelfile"]
    assert {"name": "output_norm.weight", "type": "F32", "shape": [256]} in shown[
        "tensors"
    ]


def test_load_ps_and_unload(daemon: Daemon) -> None:
    loaded = daemon.post("/api/generate", model="tiny", keep_alive="10m").json()
    (row,) = daemon.http.get("/api/ps").json()["models"]

    assert {k: loaded[k] for k in ("model", "response", "done", "done_reason")} == {
        "model": "tiny",
        "response": "",
        "done": True,
        "done_reason": "load",
    }
    assert (row["name"], row["context_length"], row["size_vram"]) == (
        "tiny:latest",
        4096,
        0,
    )
    assert row["size"] > 4_000_000
    unloaded = daemon.post("/api/chat", model="tiny", messages=[], keep_alive=0).json()
    assert unloaded["done_reason"] == "unload"
    assert unloaded["message"] == {"role": "assistant", "content": ""}
    assert daemon.http.get("/api/ps").json() == {"models": []}


def test_copy_and_delete(daemon: Daemon) -> None:
    assert (
        daemon.post("/api/copy", source="tiny", destination="user/mine:v1").status_code
        == 200
    )
    names = [m["name"] for m in daemon.http.get("/api/tags").json()["models"]]
    assert "user/mine:v1" in names
    assert "Tokyo" in daemon.generate(CAPITAL, model="USER/Mine:V1")["response"], (
        "case does not matter"
    )
    deleted = daemon.http.request(
        "DELETE", "/api/delete", json={"model": "user/mine:v1"}
    )
    assert (deleted.status_code, deleted.content) == (200, b"")
    assert (
        daemon.post("/api/generate", model="user/mine:v1", prompt="hi").status_code
        == 404
    )


def test_records_are_lines_of_json_with_ollamas_content_types(daemon: Daemon) -> None:
    with daemon.http.stream(
        "POST", "/api/generate", json={"model": "tiny", "prompt": "Hi"}
    ) as response:
        lines = response.read().decode().splitlines()
        assert response.headers["content-type"] == "application/x-ndjson"
    whole = daemon.post("/api/generate", model="tiny", prompt="Hi", stream=False)

    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert whole.headers["content-type"] == "application/json; charset=utf-8"
