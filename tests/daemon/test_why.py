"""What the journal knows of a prompt, and to whom it tells it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ollapy.keys import KeyRing, Scope
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that answers only to who has a key."""
    folder = tmp_path_factory.mktemp("why")
    add_endless(folder / "models")
    with running_daemon(folder, REQUIRE_KEY="1") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def keys(own: Daemon) -> dict[str, dict[str, str]]:
    """The headers of three who may ask."""
    ring = KeyRing(own.models.parent / "keys.json")
    scopes = {"ann": Scope.INFER, "bob": Scope.INFER, "chief": Scope.MANAGE}
    return {
        name: {"x-api-key": ring.create(name, scope)} for name, scope in scopes.items()
    }


def ask(own: Daemon, text: str, headers: dict[str, str]) -> dict[str, Any]:
    body = {"model": "tiny", "prompt": text, "raw": True, "stream": False}
    options = {"num_predict": 1, "temperature": 0}
    response = own.http.post("/api/generate", json={**body, "options": options}, headers=headers)  # fmt: skip
    assert response.status_code == 200, response.text
    context: dict[str, Any] = response.json()["ollapy"]["context"]
    return context


def entries(own: Daemon, headers: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = own.http.get("/api/requests", headers=headers).json()["requests"]  # fmt: skip
    return found


def test_where_a_prompt_parts_is_told_with_words_to_who_asked_both(
    own: Daemon, keys: dict[str, dict[str, str]]
) -> None:
    ask(own, "The quick brown fox jumps over the lazy dog", keys["ann"])
    second = ask(own, "The quick brown fox sleeps\nall day", keys["ann"])
    third = ask(own, "The quick brown fox jumps\x1b[2J high", keys["bob"])

    told = second["divergence"]
    assert told["token"] == second["cached_tokens"] > 3
    assert told["shared"].endswith("brown fox")
    assert told["prompt"].startswith(" sleeps\\n")
    assert told["cached"].startswith(" jumps over")
    assert "\\x1b[2J" in third["divergence"]["prompt"]
    assert "cached" not in third["divergence"], "it is another's"


def test_who_may_see_which_entries(
    own: Daemon, keys: dict[str, dict[str, str]]
) -> None:
    ask(own, "Once upon a time there was a king who lived in a castle", keys["ann"])
    ask(own, "Once upon a time there was a queen who lived in a tower", keys["ann"])
    ask(own, "Once upon a day", keys["bob"])
    ann, bob, chief = (entries(own, keys[name]) for name in ("ann", "bob", "chief"))

    assert not {entry["id"] for entry in ann} & {entry["id"] for entry in bob}
    assert {entry["id"] for entry in [*ann, *bob]} <= {entry["id"] for entry in chief}
    assert ann[0]["context"]["divergence"]["prompt"].startswith(" queen")
    seen = next(entry for entry in chief if entry["id"] == ann[0]["id"])
    token = ann[0]["context"]["divergence"]["token"]
    assert seen["context"]["divergence"] == {"token": token}


def test_what_is_known_of_one_that_runs_and_of_one_beside_it(
    own: Daemon, keys: dict[str, dict[str, str]]
) -> None:
    ann, endless = keys["ann"], {"model": "endless", "prompt": "go", "raw": True}

    def find(number: int) -> dict[str, Any]:
        return next(e for e in entries(own, ann) if e["id"] == number)

    long = {**endless, "shift": True, "options": {"num_predict": 10**6}}
    with own.http.stream("POST", "/api/generate", json=long, headers=ann) as first:
        lines = first.iter_lines()  # kept: without it the answer would end
        next(lines)
        running = entries(own, ann)[0]
        short = {**endless, "stream": False, "options": {"num_predict": 2}}
        own.http.post("/api/generate", json=short, headers=ann)
    eventually(lambda: find(running["id"])["outcome"] != "running", "it goes on")
    ended, later = find(running["id"]), find(running["id"] + 1)

    assert later["beside"] == [running["id"]]
    assert later["placement"]["size"] > 0
    assert ended["outcome"] == "cancelled"
    assert ended["context"] == running["context"], "known since it began"
