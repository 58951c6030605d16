"""`ollapy why`: sentences that follow from the journal's entry, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ollapy.api.report import ContextReport, DivergenceReport
from ollapy.api.status import PlacementReport, RequestEntry
from ollapy.cli.why import faster, sentences
from tests.support.daemon import Daemon
from tests.support.strangers import free_address
from tests.support.terminal import Result, ollapy, terminal

SECOND = 10**9
PARTING = DivergenceReport(8, "the end", " of all", " of some")


def entry(**fields: Any) -> RequestEntry:
    """A chat that has taken ten seconds, most of them to read its prompt."""
    known = {
        "outcome": "stop",
        "total_duration": 10 * SECOND,
        "load_duration": SECOND // 1000,
        "first_token_duration": 8 * SECOND,
        "prompt_eval_count": 1000,
        "prompt_eval_duration": 8 * SECOND,
        "eval_count": 21,
        "eval_duration": 2 * SECOND,
        "placement": PlacementReport(4_900_000_000, 0),
        "context": ContextReport(4096, 1000, 200),
    }
    return RequestEntry(
        id=7, kind="chat", model="big:latest", created_at="", **{**known, **fields}
    )


def context(*numbers: int, parting: DivergenceReport | None = None) -> dict[str, Any]:
    report = ContextReport(*numbers)
    if parting:
        report = ContextReport(*numbers, divergence=parting)
    return {"context": report}


def test_a_context_that_there_was_no_memory_for() -> None:
    told = entry(**context(2048, 1500, 0, 2, 900, 6144))

    assert "There was no memory for the 8,192 that it asked for." in sentences(told)
    assert any("Free some memory" in advice for advice in faster(told))


def test_a_whole_story_in_its_order() -> None:
    assert sentences(entry()) == [
        "Request 7, a chat with big:latest, took 10.0 s.",
        "The model was loaded already.",
        "All of it, 4.9 GB, was in main memory and computed by the processor: "
        "there is no accelerator that models may use.",
        "Its prompt has 1,000 tokens, in a context of 4,096.",
        "The first 200 of them were in memory from earlier requests, 800 were read, at 100 tokens/s.",
        "There was nothing more to reuse.",
        "The first of 21 tokens came after 8.0 s, the others at 10.0 tokens/s.",
        "It stopped because the model had said all it wanted.",
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"load_duration": 3 * SECOND}, "took 3.0 s to load it"),
        ({"placement": PlacementReport(9, 9, {"CUDA0": 9})}, "All of it, 9 B, was on CUDA0."),
        (
            {"placement": PlacementReport(9, 3, {"CPU": 6, "A": 2, "B": 1})},
            "3 B of it were on A and B, which had no room for the rest of 9 B",
        ),
        (
            {"placement": PlacementReport(9, 0, {"CPU": 9}, ["CUDA0"], num_threads=4)},
            "by 4 threads at most: CUDA0 had no room for any layer of it, or num_gpu was 0",
        ),
        ({"placement": PlacementReport(9, kv_type="q8_0")}, "kept as q8_0"),
        (context(4096, 1000, 1), "The first of them was in memory"),
        ({"placement": PlacementReport(host="vllm:80")}, "on another server, vllm:80"),
        ({"queue_duration": SECOND}, "It waited 1.0 s for the step under way"),
        (
            {"queue_duration": SECOND, "wait": "room", "waited_for": [3, 4]},
            "It waited 1.0 s for room beside requests 3 and 4.",
        ),
        (
            {"wait": "room", "waited_for": [*range(9)]},
            "requests 0, 1, 2, 3, 4 and 4 more.",
        ),
        ({"wait": "prompt", "waited_for": [3]}, "for request 3, whose prompt begins the same"),
        ({"preemptions": 2}, "It gave up its place 2 times"),
        ({"beside": [5]}, "request 5 was under way"),
        (context(4096, 1000), "None of it was in memory, so all of it was read"),
        (
            context(4096, 1000, 8, parting=PARTING),
            "At token 8, behind “the end”, it goes on with “ of all”, "
            "where the nearest prompt in memory has “ of some”.",
        ),
        (
            context(4096, 1000, 8, parting=DivergenceReport(8, "a", "b")),
            "which is somebody else's",
        ),
        (
            context(4096, 1000, 8, parting=DivergenceReport(8)),
            "the words are for who asked it",
        ),
        (context(4096, 1000, 3, parting=PARTING), "so 5 tokens before that were read again"),
        (context(4096, 1000, 0, 3, 50), "the 3 oldest messages had to be left out, 50 tokens"),
        (context(4096, 1000, 0, 0, 50), "50 early tokens of it were dropped to go on"),
        ({"stop": "END"}, "It stopped at the stop string “END”."),
        ({"outcome": "length"}, "it was to have 21 tokens at most"),
        ({"outcome": "length", **context(1021, 1000)}, "the context of 1,021 tokens was full"),
        ({"outcome": "length", **context(0, 1000)}, "see num_predict"),
        ({"outcome": "cancelled"}, "its client had left"),
        ({"outcome": "failed", "error": "no"}, "It failed: no."),
        ({"outcome": "running"}, "It is not over yet."),
        ({"outcome": "load"}, "to be loaded."),
        ({"outcome": "tool"}, "It ended with “tool”."),
        ({"thinking_tokens": 9, "thinking_cut": True}, "thought 9, when its budget was spent"),
        ({"forced_tokens": 4}, "left no choice about 4, which were not sampled"),
        ({"parse_error": "no name"}, "as the model's format says: no name."),
        ({"eval_count": 0, "outcome": "running"}, "Its answer began after 8.0 s."),
    ],
    ids=str,
)  # fmt: skip
def test_a_sentence_of_each_kind(fields: dict[str, Any], expected: str) -> None:
    assert any(expected in sentence for sentence in sentences(entry(**fields)))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"load_duration": 9 * SECOND}, ["Keep the model in memory", "Reading the"]),
        (context(4096, 1000, 8, parting=PARTING), ["Put what changes from request"]),
        (context(4096, 1000, 0, 3, 50), ["Give it a longer context with num_ctx"]),
        (context(4096, 1000, 990), []),
        ({"queue_duration": 9 * SECOND, "wait": "room"}, ["Let fewer", "Reading"]),
        ({"thinking_tokens": 20}, ["Reading", "Have it think less"]),
        ({"placement": PlacementReport(9, 3)}, ["Reading", "Use a smaller quantisation or context"]),
        ({"total_duration": 10**7, "load_duration": 10**7, "eval_duration": 0, "prompt_eval_duration": 0}, []),
    ],
    ids=str,
)  # fmt: skip
def test_what_took_longest_is_advised_first(
    fields: dict[str, Any], expected: list[str]
) -> None:
    told = faster(entry(**fields))

    assert [given for given, begin in zip(told, expected, strict=False) if not given.startswith(begin)] == []  # fmt: skip
    assert len(told) >= len(expected)


def test_the_last_request_and_one_by_its_number(own: Daemon) -> None:
    own.generate("Hi", model="endless", options={"num_predict": 2, "temperature": 0})
    own.generate("Who was Ada Lovelace?")
    own.post("/api/tokenize", model="tiny", content="not an answer")
    last = ollapy("why", host=own.address)
    listed = ollapy("why", "--list", host=own.address).out.splitlines()
    first = ollapy("why", "1", "--json", host=own.address)

    assert (last.status, last.err) == (0, "")
    assert last.out.startswith("Request 2, a completion with tiny:latest, took ")
    assert [line.split()[0] for line in listed] == ["REQUEST", "3", "2", "1"]
    told = json.loads(first.out)
    assert told["request"]["id"] == 1
    assert "it was to have 2 tokens at most" in told["sentences"][-1]
    known = ollapy("why", "--list", "--json", host=own.address)
    assert len(json.loads(known.out)["requests"]) == 3


def test_what_the_daemon_does_not_know(own: Daemon) -> None:
    cure = "see `ollapy why --list`\n"
    assert ollapy("why", host=own.address) == Result(
        1, "", f"Error: the daemon does not know of a request, {cure}"
    )
    assert ollapy("why", "9", host=own.address).err.endswith(f"request 9, {cure}")
    assert ollapy("why", "x", host=own.address).status == 2
    assert ollapy("why", host=free_address()).status == 1


@pytest.mark.parametrize("env", [{}, {"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_on_a_narrow_terminal_words_stay_whole(
    own: Daemon, env: dict[str, str]
) -> None:
    own.generate("Say \x1b[2J and 漢字漢字漢字")
    own.generate("Say \x1b[2J and 漢字仮名")
    piped = ollapy("why", host=own.address)
    with terminal("why", host=own.address, columns=20, rows=80, **env) as shown:
        assert shown.wait() == 0
        lines = shown.lines

    assert "\x1b" not in shown.raw
    assert "".join(shown.raw.split()) == "".join(piped.out.split())
    assert lines[0] == "Request 2, a"
