"""`ollapy prune`, `verify`, `du` and `rm`, as their user sees them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ollapy.store import Store
from ollapy.store.manifests import digest_of
from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_model
from tests.support.strangers import free_address
from tests.support.terminal import Result, ollapy, terminal

WEIGHTS = digest_of(TINY.read_bytes())
PROBLEM = "the model of 'x:latest' is damaged, pull the model again"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with a model `x`."""
    add_model(tmp_path / "models", "x", TINY)
    with running_daemon(tmp_path) as daemon:
        yield daemon


def flip(daemon: Daemon) -> None:
    path = daemon.models / "blobs" / WEIGHTS.filename
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_verify_of_a_sound_store(own: Daemon) -> None:
    for words in ([], ["x"], ["x", "tiny"]):
        result = ollapy("verify", *words, host=own.address)
        assert result == Result(0, "nothing is damaged\n", "success\n")


def test_verify_names_what_is_damaged(own: Daemon) -> None:
    flip(own)

    assert ollapy("verify", host=own.address) == Result(
        1, f"damaged: {PROBLEM}\n", "damaged\n"
    )


def test_verify_json(own: Daemon) -> None:
    flip(own)

    result = ollapy("verify", "x", "--json", host=own.address)

    assert (result.status, result.err) == (1, "")
    damaged = {"problem": PROBLEM, "models": ["x:latest"], "digest": str(WEIGHTS)}
    last = json.loads(result.out.splitlines()[-1])
    assert last == {"status": "damaged", "damaged": [damaged]}


def test_a_repair_that_fails_says_why(own: Daemon) -> None:
    host = free_address()
    name = f"{host}/ann/x:v1"
    add_model(own.models, name, TINY)
    own.delete("x")
    flip(own)

    result = ollapy("verify", "--repair", host=own.address)

    assert result.status == 1
    assert result.out.startswith(
        f"damaged: the model of '{name}' is damaged, pull the model again ("
    )
    assert host in result.out.partition("(")[2]


def test_verify_on_a_terminal(own: Daemon, tmp_path: Path) -> None:
    large = tmp_path / "large.gguf"
    large.write_bytes(TINY.read_bytes() + bytes(32 << 20))
    add_model(own.models, "large", large)

    with terminal("verify", host=own.address) as screen:
        screen.expect("nothing is damaged")
        assert screen.wait() == 0
    assert f"verifying {digest_of(large.read_bytes()).hex[:12]}" in screen.raw


def test_verify_of_a_model_that_is_not_there(own: Daemon) -> None:
    result = ollapy("verify", "absent", host=own.address)

    assert result == Result(
        1, "", "Error: model 'absent:latest' not found, see `ollapy list`\n"
    )


def test_prune(own: Daemon) -> None:
    assert ollapy("prune", "--all", host=own.address) == Result(
        0, "nothing to free\n", ""
    )
    orphan = Store(own.models).blobs.add([bytes(8192)])

    kept = ollapy("prune", host=own.address)
    would = ollapy("prune", "--all", "--dry-run", host=own.address)
    done = ollapy("prune", "--all", host=own.address)

    assert kept == Result(0, "nothing to free\n", "")
    heading, row, total = would.out.splitlines()
    assert heading.split() == ["KIND", "ID", "SIZE"]
    assert row.split() == ["blob", str(orphan)[:19], "8.1", "KB"]
    assert total == "would free 8.1 KB: 1 blob"
    assert done == Result(0, "freed 8.1 KB: 1 blob\n", "")


def test_prune_json(own: Daemon) -> None:
    result = ollapy("prune", "--json", host=own.address)

    assert result == Result(0, '{"removed":[],"size":0}\n', "")


def test_du(own: Daemon) -> None:
    own.post("/api/copy", source="x", destination="y")
    Store(own.models).blobs.add([bytes(8192)])

    result = ollapy("du", host=own.address)

    assert (result.status, result.err) == (0, "")
    lines = [re.split(r" {4,}", line) for line in result.out.splitlines()]
    assert lines[0] == ["NAME", "SIZE", "OWN", "SHARED", "ELSEWHERE", "SHARED WITH"]
    assert sorted(lines[1:3]) == [
        ["x:latest", "3.8 MB", "-", "3.8 MB", "-", "y:latest"],
        ["y:latest", "3.8 MB", "-", "3.8 MB", "-", "x:latest"],
    ]
    assert result.out.endswith(
        "MB on the disk\n8.1 KB that no model needs, see 'ollapy prune --help'\n"
    )


def test_du_json(own: Daemon) -> None:
    result = ollapy("du", "--json", host=own.address)

    assert json.loads(result.out) == own.http.get("/api/du").json()


def test_several_models_are_removed_and_one_that_fails_keeps_none(own: Daemon) -> None:
    for name in ("a", "b"):
        own.post("/api/copy", source="x", destination=name)

    result = ollapy("rm", "a", "absent", "x", "b", "tiny", host=own.address)

    assert result == Result(
        1,
        "deleted 'a'\ndeleted 'x'\ndeleted 'b'\n",
        "Error: model 'absent' not found, see `ollapy list`\n"
        "Error: model 'tiny:latest' is built in and cannot be removed\n",
    )
    assert list((own.models / "blobs").iterdir()) == []


def test_list_names_what_is_damaged(own: Daemon) -> None:
    (own.models / "blobs" / WEIGHTS.filename).unlink()
    problem = "the model of 'x:latest' is missing, pull the model again"

    result = ollapy("list", host=own.address)
    narrowed = ollapy("list", "tiny", host=own.address)
    records = json.loads(ollapy("list", "--json", host=own.address).out)

    assert [line.split()[0] for line in result.out.splitlines()] == [
        "NAME",
        "tiny:latest",
    ]
    assert (result.status, result.err) == (0, f"Damaged: x:latest: {problem}\n")
    assert narrowed == Result(0, result.out, "")
    assert records["damaged"] == [{"name": "x:latest", "problem": problem}]
