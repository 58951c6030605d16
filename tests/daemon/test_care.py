"""The care of the store over HTTP: prune, verify, du, and what the daemon does when it starts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from ollapy.names import Digest
from ollapy.store import Layer, Manifest, Store
from ollapy.store.locks import FileLock
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE, digest_of, encode
from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.misbehaving import Asked, Reply, misbehaving
from tests.support.models import add_model
from tests.support.registry import running_registry
from tests.support.waiting import eventually

WEIGHTS = digest_of(TINY.read_bytes())
CONFIG = b'{"model_format":"gguf"}'
SUCCESS = {"status": "success"}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with a model `x`."""
    add_model(tmp_path / "models", "x", TINY, system=b"Be brief.")
    with running_daemon(tmp_path) as daemon:
        yield daemon


def blob(daemon: Daemon, digest: Digest = WEIGHTS) -> Path:
    return daemon.models / "blobs" / digest.filename


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def verify(daemon: Daemon, **body: Any) -> dict[str, Any]:
    response = daemon.post("/api/verify", stream=False, **body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


# ---- verify


def test_a_sound_store(own: Daemon) -> None:
    assert verify(own) == SUCCESS
    assert verify(own, model="X") == verify(own, models=["tiny", "x"]) == SUCCESS


def test_damage_is_named_and_the_model_is_not_used(own: Daemon) -> None:
    problem = "the model of 'x:latest' is damaged, pull the model again"
    flip(blob(own))

    with own.stream("/api/verify") as records:
        found = list(records)

    damaged = {"problem": problem, "models": ["x:latest"], "digest": str(WEIGHTS)}
    assert found[-1] == {"status": "damaged", "damaged": [damaged]}
    asked = own.post("/api/generate", model="x", prompt="Hi")
    assert asked.status_code == 500
    assert asked.json() == {
        "error": "the model of 'x:latest' is missing, pull the model again"
    }
    assert own.generate("What is the capital of France?", model="tiny")


def test_a_model_that_is_not_there(own: Daemon) -> None:
    response = own.post("/api/verify", model="absent")

    assert response.status_code == 404
    assert response.json() == {"error": "model 'absent:latest' not found"}


@pytest.mark.parametrize("body", [{"model": "../x"}, {"models": ["x", "a b"]}])
def test_names_that_are_none(own: Daemon, body: dict[str, Any]) -> None:
    response = own.post("/api/verify", **body)

    assert response.status_code == 400
    assert response.json() == {"error": "invalid model name"}


# ---- repair


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_registry(tmp_path_factory.mktemp("registry") / "it") as address:
        yield address


def publish(daemon: Daemon, name: str, source: str = "x") -> None:
    assert daemon.post("/api/copy", source=source, destination=name).status_code == 200
    pushed = daemon.post("/api/push", model=name, stream=False)
    assert pushed.json() == SUCCESS


def test_a_repair_brings_what_is_damaged_and_no_more(
    own: Daemon, registry: str
) -> None:
    name = f"{registry}/ann/repaired:v1"
    publish(own, name)
    own.delete("x")
    answer = own.generate("What is the capital of Japan?", model=name)["response"]
    flip(blob(own))

    with own.stream("/api/verify", repair=True) as records:
        found = list(records)

    [damaged] = found[-1]["damaged"]
    assert (found[-1]["status"], damaged["repaired"]) == ("success", True)
    assert damaged["models"] == [name]
    assert verify(own) == SUCCESS
    eventually(lambda: own.http.get("/api/ps").json() == {"models": []}, "still loaded")
    again = own.generate("What is the capital of Japan?", model=name)["response"]
    assert again == answer


def test_a_damaged_manifest_is_repaired(own: Daemon, registry: str) -> None:
    name = f"{registry}/ann/manifest:v1"
    publish(own, name)
    path = own.models / "manifests" / registry / "ann" / "manifest" / "v1"
    path.write_bytes(path.read_bytes()[:-9])
    assert verify(own)["status"] == "damaged"

    found = verify(own, models=[name], repair=True)

    assert (found["status"], len(found["damaged"])) == ("success", 1)
    assert verify(own) == SUCCESS


def test_a_repair_does_not_replace_a_model_by_a_namesake(
    own: Daemon, registry: str, tmp_path: Path
) -> None:
    """A model made here may be called like one that somebody else has published."""
    name = f"{registry}/ann/namesake:v1"
    publish(own, name, source="tiny")
    own.delete(name)
    other = tmp_path / "other.gguf"
    other.write_bytes(TINY.read_bytes() + b"!")
    digest = digest_of(other.read_bytes())
    add_model(own.models, name, other)
    manifest = own.models / "manifests" / registry / "ann" / "namesake" / "v1"
    before = manifest.read_bytes()
    flip(blob(own, digest))

    found = verify(own, models=[name], repair=True)

    assert found["status"] == "damaged"
    assert found["damaged"][0]["problem"] == (
        f"the model of '{name}' is damaged, pull the model again "
        f"(what is called '{name}' there is another model, pull it to replace yours)"
    )
    assert manifest.read_bytes() == before


# ---- prune


def test_prune(own: Daemon) -> None:
    orphan = Store(own.models).blobs.add([b"orphan"])
    removed = {
        "kind": "blob",
        "name": str(orphan),
        "size": blob(own, orphan).stat().st_blocks * 512,
    }

    assert own.post("/api/prune", dry_run=True).json() == {"removed": [], "size": 0}
    would = own.post("/api/prune", all=True, dry_run=True).json()
    assert blob(own, orphan).exists()
    done = own.post("/api/prune", all=True).json()

    assert would == done == {"removed": [removed], "size": removed["size"]}
    assert not blob(own, orphan).exists()
    assert verify(own) == SUCCESS


def test_a_damaged_manifest_stops_pruning_and_is_named(own: Daemon) -> None:
    manifest = own.models / "manifests/registry.ollama.ai/library/x/latest"
    manifest.write_bytes(b"{")

    response = own.post("/api/prune", all=True)

    assert response.status_code == 500
    assert response.json()["error"].startswith("the manifest of 'x:latest' is damaged")
    assert str(own.models) not in response.text
    assert blob(own).exists()

    own.delete("x")
    assert len(own.post("/api/prune", all=True).json()["removed"]) == 3


def rest_of_a_download(models: Path) -> Path:
    """What a download leaves that is whole but was killed before it could clean up."""
    rest = models / "blobs" / f"{WEIGHTS.filename}-partial-blocks"
    rest.write_bytes(b"rest")
    return rest


def test_the_daemon_prunes_when_it_starts(tmp_path: Path) -> None:
    add_model(tmp_path / "models", "x", TINY)
    rest = rest_of_a_download(tmp_path / "models")

    with running_daemon(tmp_path) as daemon:
        eventually(lambda: not rest.exists(), "the store was not pruned")
        eventually(lambda: "store pruned" in daemon.log.read_text(), "nothing logged")
        assert verify(daemon) == SUCCESS


def test_noprune(tmp_path: Path) -> None:
    """The damaged model is named after the time for pruning."""
    models = tmp_path / "models"
    add_model(models, "x", TINY)
    rest = rest_of_a_download(models)
    (models / "manifests/registry.ollama.ai/library/x/bad").write_bytes(b"{")

    with running_daemon(tmp_path, NOPRUNE="1") as daemon:
        log = daemon.log
        eventually(lambda: "x:bad" in log.read_text(), "the models were not looked at")
        assert rest.exists()


def test_a_store_with_a_damaged_manifest_is_not_pruned_and_serves(
    tmp_path: Path,
) -> None:
    models = tmp_path / "models"
    add_model(models, "x", TINY)
    rest = rest_of_a_download(models)
    (models / "manifests/registry.ollama.ai/library/x/bad").write_bytes(b"{")

    with running_daemon(tmp_path) as daemon:
        eventually(lambda: "store not pruned" in daemon.log.read_text(), "no warning")
        assert daemon.generate("What is the capital of France?", model="x")
        assert rest.exists()


def test_a_daemon_starts_and_serves_while_another_changes_the_store(
    tmp_path: Path,
) -> None:
    add_model(tmp_path / "models", "x", TINY)

    with FileLock(tmp_path / "models" / "lock"), running_daemon(tmp_path) as daemon:
        assert daemon.generate("What is the capital of France?", model="x")


# ---- du


def test_du(own: Daemon) -> None:
    assert own.post("/api/copy", source="x", destination="y").status_code == 200
    add_model(own.models, "z", TINY)

    usage = own.http.get("/api/du").json()

    disk = {p.name: p.stat().st_blocks * 512 for p in (own.models / "blobs").iterdir()}
    [z] = [model for model in usage["models"] if model["name"] == "z:latest"]
    assert z == {
        "name": "z:latest",
        "size": TINY.stat().st_size + len(CONFIG),
        "own": 0,
        "shared": disk[WEIGHTS.filename] + disk[digest_of(CONFIG).filename],
        "elsewhere": 0,
        "shared_with": ["x:latest", "y:latest"],
    }
    del usage["models"]
    assert usage == {
        "total": sum(disk.values()),
        "unneeded": 0,
        "downloads": 0,
        "leftovers": 0,
        "kv_cache": 0,
    }


def test_a_file_of_the_users_is_used_in_place(own: Daemon, tmp_path: Path) -> None:
    """Adopted, listed, counted as elsewhere, run, removed: the file stays as it was."""
    file = tmp_path / "mine.gguf"
    file.write_bytes(TINY.read_bytes() + b"!")
    before, digest = file.stat(), digest_of(file.read_bytes())
    store = Store(own.models)
    assert store.blobs.adopt(file) == digest
    manifest = json.loads(
        (own.models / "manifests/registry.ollama.ai/library/x/latest").read_bytes()
    )
    for layer in manifest["layers"]:
        if layer["digest"] == str(WEIGHTS):
            layer.update(digest=str(digest), size=before.st_size)
    path = own.models / "manifests/registry.ollama.ai/library/mine/latest"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(manifest))

    [mine] = [
        model
        for model in own.http.get("/api/du").json()["models"]
        if model["name"] == "mine:latest"
    ]
    assert mine["own"] + mine["elsewhere"] >= before.st_size
    assert verify(own) == SUCCESS
    answer = own.generate("What is the capital of France?", model="mine")
    assert "Paris" in answer["response"]
    own.delete("mine")

    after = file.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert not store.blobs.exists(digest)


# ---- list


def test_damaged_models_are_marked(own: Daemon) -> None:
    """In a field of ollapy's own; Ollama's clients see those that can be used."""
    add_model(own.models, "bad", TINY, system=b"Be bad.")
    (own.models / "manifests/registry.ollama.ai/library/x/latest").write_bytes(b"{")
    blob(own, digest_of(b"Be bad.")).unlink()

    tags = own.http.get("/api/tags").json()

    assert [model["name"] for model in tags["models"]] == ["tiny:latest"]
    problems = {model["name"]: model["problem"] for model in tags["damaged"]}
    assert problems["bad:latest"] == (
        "the system of 'bad:latest' is missing, pull the model again"
    )
    assert problems["x:latest"].startswith("the manifest of 'x:latest' is damaged")


def test_f20_a_model_is_removed_while_it_is_pulled(own: Daemon) -> None:
    """The old one is gone at once; the pull brings the new one, and keeps what it found here."""
    weights = Layer(f"{LAYER_TYPE}model", str(WEIGHTS), TINY.stat().st_size)
    system = Layer(f"{LAYER_TYPE}system", str(digest_of(b"New.")), 4)
    config = Layer(CONFIG_TYPE, str(digest_of(CONFIG)), len(CONFIG))
    manifest = encode(Manifest(config=config, layers=[weights, system]))
    was_asked, is_open = Event(), Event()

    def behaviour(asked: Asked, reply: Reply) -> None:
        if "/manifests/" in asked.path:
            reply.whole("200 OK", manifest)
        else:
            was_asked.set()
            assert is_open.wait(30)
            reply.ranged(asked, b"New.")

    with misbehaving(behaviour) as server:
        name = f"127.0.0.1:{server.port}/ann/both:v1"
        add_model(own.models, name, TINY, system=b"Old.")
        own.delete("x")
        with own.stream("/api/pull", model=name) as records:
            assert was_asked.wait(30)
            own.delete(name)
            pruned = own.post("/api/prune", all=True).json()
            assert own.post("/api/show", model=name).status_code == 404
            is_open.set()
            assert list(records)[-1] == SUCCESS

    assert pruned["removed"] == []  # the system text of the old one went with it
    assert own.post("/api/show", model=name).json()["system"] == "New."
    assert verify(own) == SUCCESS
