"""The benchmark beside other servers: its clients against a real daemon and a stub, with little work and no times."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.bench import http, long_chat, transfers
from scripts.bench.host import Host
from scripts.bench.measures import MEASURES
from scripts.bench.versus import command
from scripts.bench.versus.calls import ask
from scripts.bench.versus.command_server import CommandServer
from scripts.bench.versus.comparison import compare
from scripts.bench.versus.contenders import Ollapy, Terms
from scripts.bench.versus.match import play
from scripts.bench.versus.scenario import Measure, Size
from scripts.bench.versus.scenarios import SCENARIOS
from scripts.bench.versus.target import Target
from scripts.bench.versus.wire import Failed, Response, post
from scripts.bench.versus.words import Words
from scripts.make_gguf import write_scripted

STUB = f"{shlex.quote(sys.executable)} -m tests.support.openai_stub {{port}}"
SMALL = Size(
    prompt=4,
    answer=100,
    stream_prompt=4,
    stream_answer=8,
    clients=2,
    prefix=8,
    prefix_end=2,
    prefix_answer=4,
    intruder=16,
    victim_answer=200,
    victim_lead=2,
    opening=4,
    turns=2,
    turn=2,
    turn_answer=4,
    storm=4,
    storm_prompt=16,
    storm_seconds=0.02,
    texts=4,
    text=4,
)


@pytest.fixture(scope="module")
def terms(tmp_path_factory: pytest.TempPathFactory) -> Terms:
    weights = tmp_path_factory.mktemp("weights") / "endless.gguf"
    write_scripted(weights, "round and round ", endless=True, context_length=65536)
    return Terms(model=weights, threads=1, context=4096, patience=60.0)


@pytest.fixture(scope="module")
def targets(
    tmp_path_factory: pytest.TempPathFactory, terms: Terms
) -> Iterator[dict[str, Target]]:
    folder = tmp_path_factory.mktemp("versus")
    contenders = (
        Ollapy(folder / "ollapy", terms),
        CommandServer("stub", STUB, folder / "stub.log", terms),
    )
    with ExitStack() as stack:
        yield {c.name: stack.enter_context(c.start()) for c in contenders}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("who", ["ollapy", "stub"])
def test_every_scenario_measures_every_target(
    targets: dict[str, Target], name: str, who: str
) -> None:
    scenario = SCENARIOS[name]

    result = scenario.run(targets[who], Words(name), SMALL)

    assert len(result.values) == len(scenario.measures)
    assert all(value > 0 and math.isfinite(value) for value in result.values)


def test_both_targets_do_the_same_work(targets: dict[str, Target]) -> None:
    results = [
        SCENARIOS["streams-8"].run(target, Words(1), SMALL)
        for target in targets.values()
    ]

    assert [result.num_tokens for result in results] == [8 * 8] * 2


@pytest.mark.parametrize(
    ("name", "num_rows"), [("pull", 5), ("import", 1), ("list", 1)]
)
def test_transfers_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, num_rows: int
) -> None:
    small = replace(transfers._SHAPE, layers=1, width=64, ffn=64)
    monkeypatch.setattr(transfers, "_SHAPE", small)
    monkeypatch.setattr(transfers, "_IMPORTED", 1 << 20)
    monkeypatch.setattr(transfers, "_NUM_MODELS", 2)

    rows = list(MEASURES[name](Host(tmp_path), 1))

    assert len(rows) == num_rows
    assert all(math.isfinite(row.value) for row in rows)


def test_a_long_chat_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_chat, "_NUM_TOKENS", 2000)
    monkeypatch.setattr(long_chat, "_NUM_CHATS", 2)

    rows = list(MEASURES["long-chat"](Host(tmp_path), 1))

    assert len(rows) == 2
    assert all(math.isfinite(row.value) for row in rows)


@pytest.mark.parametrize(("name", "num_rows"), [("version", 1), ("tokens", 2)])
def test_the_daemon_is_measured_beside_bare_starlette(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, num_rows: int
) -> None:
    monkeypatch.setattr(http, "_NUM_REQUESTS", 20)
    monkeypatch.setattr(http, "_COUNTS", (3,))
    monkeypatch.setattr(http, "_NUM_TOKENS", 40)
    monkeypatch.setattr(http, "_SETTLED", 3)

    rows = list(MEASURES[name](Host(tmp_path), 1))

    assert len(rows) == num_rows
    assert all(math.isfinite(row.value) for row in rows)


def test_an_engine_s_counters_are_numbers(tmp_path: Path) -> None:
    host = Host(tmp_path)
    with host.daemon():
        host.call("POST", "/api/generate", {"model": "tiny"})
        counters = host.counters("tiny")

    assert {"steps", "rows", "decode_seconds", "overhead_seconds"} <= counters.keys()
    assert all(isinstance(value, int | float) for value in counters.values())


def test_an_error_is_told_in_the_servers_words(targets: dict[str, Target]) -> None:
    with pytest.raises(Failed, match=r"status 404: .*no such route"):
        ask(targets["stub"], post("/v1/nothing", {}))
    with pytest.raises(Failed, match=r"status 404: .*'nothing' not found"):
        ask(targets["ollapy"], post("/api/generate", {"model": "nothing"}))


def test_a_server_that_does_not_start_is_a_row_that_says_so(
    tmp_path: Path, terms: Terms, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = SCENARIOS["streams-8"]
    line = f"{shlex.quote(sys.executable)} -c 'raise SystemExit(\"no model\")'"
    stub = CommandServer("stub", STUB, tmp_path / "stub.log", terms)
    broken = CommandServer("broken", line, tmp_path / "broken.log", terms)

    own, other = play(scenario, [stub, broken], rounds=1, size=SMALL, seed=1)
    [row] = compare(scenario, own, other)

    assert (row.ratio, row.note) == (None, "broken: did not start, status 1")
    assert len(row.own) == 1
    assert "broken | no model" in capsys.readouterr().err


def test_the_command_compares(terms: Terms, capsys: pytest.CaptureFixture[str]) -> None:
    command.main(
        [
            *("--model", str(terms.model), "--server", STUB, "--only", "single"),
            *("--rounds", "1", "--threads", "1", "--json"),
        ]
    )

    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["measure"]["name"] for row in rows] == [
        measure.name for measure in SCENARIOS["single"].measures
    ]
    assert all(row["ratio"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("unit", "ratio"), [("s", 4.0), ("tokens/s", 0.25)], ids=["fewer", "more"]
)
def test_ratios_above_one_are_better(unit: str, ratio: float) -> None:
    assert Measure("speed", unit).ratio(0.5, 2.0) == ratio


@pytest.mark.parametrize("step", [1, 7, 1000], ids=["bytes", "pieces", "whole"])
@pytest.mark.parametrize(
    ("head", "framed", "is_complete"),
    [
        ("Content-Length: 11", b"hello\nworld", True),
        (
            "Transfer-Encoding: chunked",
            b"4\r\nhell\r\n7\r\no\nworld\r\n0\r\n\r\n",
            True,
        ),
        ("Connection: close", b"hello\nworld", False),
    ],
    ids=["length", "chunks", "close"],
)
def test_framing_is_taken_off_however_it_arrives(
    step: int, head: str, framed: bytes, is_complete: bool
) -> None:
    data = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + framed
    response = Response()

    pieces = [response.feed(data[i : i + step]) for i in range(0, len(data), step)]

    assert b"".join(pieces) == b"hello\nworld"
    assert (response.status, response.is_complete) == (200, is_complete)
