"""A daemon that others can reach answers only to who has a key."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ollapy.daemon.app import ENDPOINTS
from ollapy.keys import KeyRing, Scope
from tests.support.daemon import Daemon, running_daemon

_PRINTED = re.compile(r"API key, shown only now: (\S+)")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon bound to all addresses."""
    folder = tmp_path_factory.mktemp("keys")
    with running_daemon(folder, HOST="0.0.0.0:0") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def first(own: Daemon) -> str:
    """The key that it made when it started."""
    (secret,) = _PRINTED.findall(own.log.read_text())
    return str(secret)


def bearer(secret: str) -> dict[str, str]:
    """The header that brings a key."""
    return {"Authorization": f"Bearer {secret}"}


def test_the_first_key_is_printed_once_and_kept_as_a_hash(
    own: Daemon, first: str
) -> None:
    key = KeyRing(own.models.parent / "keys.json").keys[0]

    assert first not in (own.models.parent / "keys.json").read_text()
    assert (key.name, key.scope) == ("first", Scope.MANAGE)
    assert "others can reach 0.0.0.0:0, and it answers who has a key" in (
        own.log.read_text()
    )


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD"])
def test_without_a_key_there_is_nothing(own: Daemon, method: str) -> None:
    """B040: on every path, the unknown too, but those that only say who is there."""
    free = {endpoint.path for endpoint in ENDPOINTS if endpoint.needs is None}
    paths = {endpoint.path for endpoint in ENDPOINTS} | {"/nowhere", "/v1/nowhere"}

    assert free == {"/", "/api/version"}
    for path in paths - free:
        response = own.http.request(method, path)
        assert response.status_code == 401, path
        assert response.headers["www-authenticate"] == "Bearer"


def test_the_refusal_is_in_the_shape_of_its_api(own: Daemon) -> None:
    ours, openai = own.http.get("/api/tags").json(), own.http.get("/v1/nope").json()

    assert "OLLAPY_API_KEY" in ours["error"]
    assert openai["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"Authorization": "Bearer {}"}, 200),
        ({"Authorization": "bearer  {}"}, 200),
        ({"x-api-key": "{}"}, 200),
        ({"api-key": "{}"}, 401),
        ({"Authorization": "{}"}, 401),
        ({"Authorization": "Basic {}"}, 401),
        ({"Authorization": "Bearer x{}"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Cookie": "key={}"}, 401),
    ],
    ids=str,
)
def test_where_a_key_may_stand(
    own: Daemon, first: str, header: dict[str, str], expected: int
) -> None:
    """B040"""
    headers = {name: value.format(first) for name, value in header.items()}

    assert own.http.get("/api/tags", headers=headers).status_code == expected
    assert own.http.get(f"/api/tags?key={first}&api_key={first}").status_code == 401


def test_a_key_that_may_infer_may_not_manage(own: Daemon) -> None:
    ring = KeyRing(own.models.parent / "keys.json")
    weak = bearer(ring.create("weak", Scope.INFER))
    body = {"model": "tiny", "prompt": "What is 2 + 2?", "stream": False}

    answer = own.http.post("/api/generate", json=body, headers=weak)
    refused = own.http.request(
        "DELETE", "/api/delete", json={"model": "tiny"}, headers=weak
    )
    unknown = own.http.get("/nowhere", headers=weak)

    assert answer.status_code == 200
    assert answer.json()["done"]
    assert refused.status_code == 403
    assert "may only infer" in refused.json()["error"]
    assert unknown.status_code == 403


def test_a_revoked_key_opens_nothing_any_more(own: Daemon) -> None:
    ring = KeyRing(own.models.parent / "keys.json")
    secret = ring.create("passing", Scope.MANAGE)
    assert own.http.get("/api/tags", headers=bearer(secret)).status_code == 200
    ring.revoke(ring.keys[-1].id)

    assert own.http.get("/api/tags", headers=bearer(secret)).status_code == 401


def test_the_command_line_brings_the_key(own: Daemon, first: str) -> None:
    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ollapy", *words],
            capture_output=True,
            text=True,
            timeout=60,
            env={
                **os.environ,
                "OLLAPY_HOST": own.address,
                "OLLAPY_KEYS": str(own.models.parent / "keys.json"),
                **env,
            },
        )

    without, given = run("list"), run("list", OLLAPY_API_KEY=first)
    made = run("key", "create", "laptop", "--infer")
    listed = run("key", "list").stdout
    with_new = run("list", OLLAPY_API_KEY=made.stdout.strip())
    key_id = next(line for line in listed.splitlines() if "laptop" in line).split()[0]
    run("key", "revoke", key_id)
    after = run("list", OLLAPY_API_KEY=made.stdout.strip())

    assert (without.returncode, given.returncode) == (1, 0)
    assert "OLLAPY_API_KEY" in without.stderr
    assert "tiny" in given.stdout
    assert with_new.returncode == 0
    assert made.stdout.strip() not in listed
    assert after.returncode == 1
    assert "not known here" in after.stderr


def test_it_may_be_refused_knowingly(tmp_path: Path) -> None:
    with running_daemon(tmp_path, HOST="0.0.0.0:0", INSECURE_NO_AUTH="1") as daemon:
        assert daemon.http.get("/api/tags").status_code == 200
        assert "it answers ANYBODY, without a key" in daemon.log.read_text()
        assert not (tmp_path / "keys.json").exists()


def test_it_may_be_wanted_on_loopback(tmp_path: Path) -> None:
    """For a daemon behind a proxy; the key of an earlier start is good for the next."""
    with running_daemon(tmp_path, REQUIRE_KEY="1") as daemon:
        (secret,) = _PRINTED.findall(daemon.log.read_text())
    with running_daemon(tmp_path, REQUIRE_KEY="1") as daemon:
        assert not _PRINTED.findall(daemon.log.read_text())
        assert httpx.get(f"http://{daemon.address}/api/tags").status_code == 401
        found = daemon.http.get("/api/tags", headers={"x-api-key": secret})
        assert found.status_code == 200
        assert daemon.stop(signal.SIGTERM) == 0
