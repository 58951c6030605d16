"""Models to a real registry and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest

from tests.support.daemon import Daemon, running_daemon
from tests.support.registry import running_registry

SECRET = "$2b$04$1wCsv04bqZt1bR2PvkPAleFnPDZ1rxJBWFSoGP/0l7je93qd14vKe"  # "secret"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_registry(tmp_path_factory.mktemp("registry") / "it") as address:
        yield address


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    with running_daemon(tmp_path) as daemon:
        yield daemon


def copy(daemon: Daemon, name: str) -> None:
    response = daemon.post("/api/copy", source="tiny", destination=name)
    assert response.status_code == 200, response.text


def digest(daemon: Daemon, name: str) -> str:
    models = daemon.http.get("/api/tags").json()["models"]
    return next(str(m["digest"]) for m in models if m["name"] == name)


def test_a_model_goes_there_and_comes_back(own: Daemon, registry: str) -> None:
    name = f"{registry}/ann/there:v1"
    copy(own, name)
    before = digest(own, name)
    client = ollama.Client(f"http://{own.address}")

    pushed = [p.status for p in client.push(name, stream=True)]
    own.delete(name)
    pulled = list(client.pull(name, stream=True))
    client._client.close()

    assert pushed[0] == "retrieving manifest"
    assert pushed[-2:] == ["pushing manifest", "success"]
    statuses = [p.status for p in pulled]
    assert statuses[0] == "pulling manifest"
    assert statuses[-3:] == ["verifying sha256 digest", "writing manifest", "success"]
    counts = [(p.completed or 0, p.total) for p in pulled if p.digest]
    assert all(total and completed <= total for completed, total in counts)
    assert digest(own, name) == before
    answer = own.generate("What is the capital of Japan?", model=name)
    assert "Tokyo" in answer["response"]


def test_a_second_pull_brings_no_bytes(own: Daemon, registry: str) -> None:
    name = f"{registry}/ann/again:v1"
    copy(own, name)
    assert own.post("/api/push", model=name, stream=False).json() == {
        "status": "success"
    }

    with own.stream("/api/pull", model=name) as records:
        found = list(records)

    assert found[-1] == {"status": "success"}
    assert all(r["completed"] == r["total"] for r in found if "digest" in r)


def test_a_model_that_the_registry_does_not_have(own: Daemon, registry: str) -> None:
    with own.stream("/api/pull", model=f"{registry}/ann/nothing") as records:
        found = list(records)

    assert found == [
        {"status": "pulling manifest"},
        {"error": "pull model manifest: file does not exist"},
    ]
    whole = own.post("/api/pull", model=f"{registry}/ann/nothing", stream=False)
    assert whole.status_code == 500
    assert whole.json() == {"error": "pull model manifest: file does not exist"}


def test_a_registry_that_wants_a_password(tmp_path: Path, own: Daemon) -> None:
    with running_registry(tmp_path / "guarded", f"ann:{SECRET}\n") as address:
        name = f"{address}/ann/private:v1"
        copy(own, name)

        refused = own.post("/api/push", model=name, stream=False)
        taken = own.post(
            "/api/push", model=name, stream=False, username="ann", password="secret"
        )

    assert refused.json() == {"error": "unauthorized: access denied"}
    assert taken.json() == {"status": "success"}


def test_the_built_in_model_neither_comes_nor_goes(own: Daemon) -> None:
    assert own.post("/api/pull", model="tiny", stream=False).json() == {
        "status": "success"
    }
    refused = own.post("/api/push", model="tiny", stream=False)

    assert refused.status_code == 400
    assert "`ollapy cp tiny you/tiny` makes a copy to push" in refused.json()["error"]


def test_a_model_that_is_not_here_cannot_be_pushed(own: Daemon, registry: str) -> None:
    with own.stream("/api/push", model=f"{registry}/ann/unknown") as records:
        found = list(records)

    assert found[0] == {"status": "retrieving manifest"}
    assert found[1] == {"error": f"model '{registry}/ann/unknown:latest' not found"}


@pytest.mark.parametrize("route", ["/api/pull", "/api/push"])
@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ("../x", "invalid model name"),
        ("a/b/c/d", "invalid model name"),
        ("http://example.com/a/b", "insecure protocol http"),
    ],
)
def test_names_that_cannot_be(
    daemon: Daemon, route: str, model: str, complaint: str
) -> None:
    response = daemon.post(route, model=model)

    assert response.status_code == 400
    assert response.json()["error"].startswith(complaint)
