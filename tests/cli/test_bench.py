"""`ollapy bench`: that it measures what it says, never how fast."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from ollapy.api.tuning import Trial, TuneResponse, Tuning
from ollapy.cli.bench.bandwidth import bandwidth, measured
from ollapy.cli.bench.measures import Limit, fits
from ollapy.cli.bench.result import Depth, Result, Streams
from ollapy.cli.bench.table import table
from ollapy.cli.bench.trials import trials
from ollapy.gguf import Header, read_header
from ollapy.gguf.header import Tensor
from tests.conftest import TINY
from tests.support.daemon import Daemon
from tests.support.strangers import free_address
from tests.support.terminal import CTRL_C, ollapy, terminal

QUICK = ("--rounds", "1", "-s", "1", "-s", "2", "-d", "0", "-d", "600")
OLD = Result(
    "0", "big:latest", "d", "Linux", 4096, 2.0, 5 * 10**9, 0, 4 * 10**9, 1000, 50e9,
    [Depth(0, 100.0, 10.0, 0.8), Depth(2048, 50.0, 8.0, 0.7)], [Streams(1, 10.0, 10.0)],
)  # fmt: skip


def test_everything_is_measured_through_the_api(own: Daemon, tmp_path: Path) -> None:
    own.generate("Hi")
    told = ollapy("bench", *QUICK, "--json", host=own.address)
    result = msgspec.json.decode(told.out, type=Result)
    requests = own.http.get("/api/requests").json()["requests"]
    answered = [r for r in requests if r.get("prompt_eval_count")]

    assert told.status == 0, told.err
    assert result.model == "tiny:latest"
    assert (result.context, result.size_vram) == (4096, 0)
    assert result.size > result.weights > 3_000_000
    assert result.kv_per_token > 0
    assert result.load_seconds > 0
    assert result.bandwidth > 1e8
    assert [depth.depth for depth in result.depths] == [0, 600]
    for depth in result.depths:
        assert min(depth.read, depth.generated) > 0
        assert depth.share == pytest.approx(
            depth.generated
            * (result.weights + (depth.depth + 536) * result.kv_per_token)
            / result.bandwidth
        )
    assert [streams.count for streams in result.streams] == [1, 2]
    deep = next(r for r in answered if r["prompt_eval_count"] == 600 + 512)
    assert deep["context"]["cached_tokens"] == 600
    assert deep["eval_count"] == 48, "the model may not end before"

    file = tmp_path / "before.json"
    file.write_text(told.out)
    again = ollapy("bench", "tiny", *QUICK, "--compare", str(file), host=own.address)
    assert again.status == 0, again.err
    rows = again.out.splitlines()
    assert rows[0].startswith("tiny:latest, ")
    assert rows[-5].split()[0] == "600"
    assert rows[-5].count("x)") == 2


@pytest.mark.parametrize(
    ("depth", "shown"), [((0, 100.0, 12.0, 0.9), "12 (1.20x)"), ((512, 1.0, 1.0, 1.5), "caches")]
)  # fmt: skip
def test_ratios_to_what_was_before(
    depth: tuple[int, float, float, float], shown: str
) -> None:
    now = msgspec.structs.replace(OLD, depths=[Depth(*depth)])
    text = "\n".join(table(now, OLD))

    assert shown in text
    assert "loaded in 2 (1.00x) s" in text
    assert "x" not in "".join(table(now, None)).partition("DEPTH")[2].replace("caches", "")  # fmt: skip


def test_what_a_token_takes_of_the_memory() -> None:
    assert Limit(4 * 10**9, 10**6, 50e9).share(10.0, 1000) == pytest.approx(1.0)
    assert Limit(4 * 10**9, 10**6, 0.0).share(10.0, 1000) is None
    assert fits(0, 1000)
    assert not fits(500, 1000)


def test_the_weights_that_a_token_reads() -> None:
    header = read_header(TINY)
    table_bytes = sum(t.nbytes for t in header.tensors if t.name == "token_embd.weight")
    has_output = any(t.name == "output.weight" for t in header.tensors)
    assert header.active_bytes == header.weights_bytes - has_output * table_bytes

    experts = Header(
        3,
        {"general.architecture": "moe", "moe.expert_count": 8, "moe.expert_used_count": 2},
        (
            Tensor("token_embd.weight", (100,), 0, 0),
            Tensor("output.weight", (100,), 0, 0),
            Tensor("blk.0.ffn_up_exps.weight", (800,), 0, 0),
        ),
        0,
        0,
    )  # fmt: skip
    assert experts.active_bytes == 4 * (100 + 200)


def test_the_memory_is_measured_in_a_child() -> None:
    assert measured(1 << 20, 1) > 0
    assert bandwidth() > 1e8


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("nope",), "model 'nope' not found"),
        (("tiny", "-d", "100000"), "too short to be measured so deep"),
        (("tiny", "--compare", "/nowhere/x.json"), "could not read /nowhere/x.json"),
    ],
)
def test_what_cannot_be_measured(
    own: Daemon, words: tuple[str, ...], problem: str
) -> None:
    result = ollapy("bench", *words, host=own.address)

    assert result.status == 1
    assert result.out == ""
    assert problem in result.err.splitlines()[-1]


def test_a_file_that_is_none_of_its_results(own: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"model": 3}))
    result = ollapy("bench", "--compare", str(file), host=own.address)

    assert result.status == 1
    assert f"{file} is no result of a benchmark" in result.err


def test_ctrl_c_ends_it_at_once(own: Daemon) -> None:
    words = ("bench", "endless", "--rounds", "100", "-d", "0")
    with terminal(*words, host=own.address, columns=20, TERM="dumb") as shown:
        shown.expect("round 1 of 100")
        shown.type(CTRL_C)
        assert shown.wait() == 130
        assert "Traceback" not in shown.text


def test_another_daemon_is_not_started_elsewhere() -> None:
    host = free_address().replace("127.0.0.1", "127.0.0.3")
    assert ollapy("bench", host=host).status == 1


def test_what_a_tuning_has_tried() -> None:
    usual, other = Tuning(4, 4), Tuning(2, 4, 128, False)
    response = TuneResponse("big:latest", other, [Trial(usual, 100.0, 10.0), Trial(other, 1200.4, 11.0)])  # fmt: skip
    *rows, empty, last = trials(response)

    assert [row.split() for row in rows[1:]] == [
        ["4", "4", "-", "auto", "100", "10.0"],
        ["2", "4", "128", "off", "1,200", "11.0"],
    ]
    assert empty == ""
    assert last == (
        "big:latest is computed with 2 thread(s), 4 for prompts, 128 tokens of a prompt at once, "
        "no flash attention where its context is short from its next load on."
    )
