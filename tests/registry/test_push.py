"""Pushing to registries that do everything wrong: what was sent is whole, or an error says that it is not."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

from ollapy.api.ollama import Progress
from ollapy.errors import OllapyError, RemoteError
from ollapy.names import ModelName
from ollapy.operation import Operation
from ollapy.store import Store
from tests.support.cutting import cutting
from tests.support.misbehaving import Asked, Behaviour, Reply, Server, misbehaving
from tests.support.offer import offer, pull, puller
from tests.support.raw_gguf import weights
from tests.support.registry import running_registry

MODEL = offer(model=weights(1 << 20), template=b"{{ .Prompt }}")
UPLOAD = "/v2/ann/it/blobs/uploads/one"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries as ever, but at once; and parts of a quarter of a megabyte."""
    monkeypatch.setattr("ollapy.net.retry._MAX_DELAY", 0.01)
    pushing = import_module("ollapy.registry.push")  # the package's `push` hides it
    monkeypatch.setattr(pushing, "_PART", 1 << 18)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A store with the model in it."""
    with misbehaving(MODEL.answer) as server:
        pull(tmp_path / "models", server)
        source = ModelName.parse(f"127.0.0.1:{server.port}/ann/it:v1")
    Store(tmp_path / "models").copy(source, ModelName.parse("mine"))
    return tmp_path / "models"


class Taking:
    """A registry that takes uploads, one at a time."""

    def __init__(self, location: str = UPLOAD) -> None:
        self.location = location
        self.upload = b""
        self.blobs: dict[str, bytes] = {}
        self.manifest = b""

    def answer(self, asked: Asked, reply: Reply) -> None:
        match asked.method:
            case "HEAD":
                reply.head("404 Not Found")
            case "POST":
                self.upload = b""
                reply.whole("202 Accepted", b"", Location=self.location)
            case "PATCH":
                start = int((asked.header("content-range") or "").split("-")[0])
                assert start == len(self.upload)
                self.upload += asked.body
                reply.whole("202 Accepted", b"", Location=self.location)
            case "PUT" if "/manifests/" in asked.path:
                self.manifest = asked.body
                reply.whole("201 Created", b"")
            case "PUT":
                self.blobs[asked.path.partition("digest=")[2]] = self.upload
                reply.whole("201 Created", b"")


def push(models: Path, address: str) -> list[Progress]:
    """Push the model; says what was reported."""
    name = ModelName.parse(f"{address}/ann/it:v1")
    it = puller(models)
    it.store.copy(ModelName.parse("mine"), name)
    records: list[Progress] = []
    it.push(name, Operation(records.append))
    return records


def address(server: Server) -> str:
    return f"127.0.0.1:{server.port}"


def once(first: Behaviour, method: str, then: Behaviour) -> Behaviour:
    """The first request of that method is answered in another way."""
    turns: list[Asked] = []

    def answer(asked: Asked, reply: Reply) -> None:
        if asked.method == method and not turns:
            turns.append(asked)
            first(asked, reply)
        else:
            then(asked, reply)

    return answer


def check_taken(registry: Taking) -> None:
    assert registry.blobs == MODEL.blobs
    assert registry.manifest == MODEL.data


@pytest.mark.parametrize(
    "location", [UPLOAD, "one", "./one?state=a%2Fb", "/elsewhere?x=y"]
)
def test_parts_go_where_the_registry_says(models: Path, location: str) -> None:
    registry = Taking(location)
    with misbehaving(registry.answer) as server:
        push(models, address(server))

    check_taken(registry)


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad", "503 Busy", "429 Slow"])
@pytest.mark.parametrize("method", ["HEAD", "POST", "PATCH", "PUT"])
def test_what_fails_once_is_sent_again(models: Path, method: str, status: str) -> None:
    registry = Taking()

    def fail(asked: Asked, reply: Reply) -> None:
        reply.whole(status, b"")

    with misbehaving(once(fail, method, registry.answer)) as server:
        push(models, address(server))

    check_taken(registry)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("status", ["404 Not Found", "416 Range"])
def test_an_upload_that_is_forgotten_begins_again(
    models: Path, method: str, status: str
) -> None:
    registry = Taking()

    def forget(asked: Asked, reply: Reply) -> None:
        reply.whole(status, b"")

    answer = once(forget, method, registry.answer)
    with misbehaving(answer) as server:
        push(models, address(server))

    check_taken(registry)


def test_an_upload_that_is_always_forgotten_is_given_up(models: Path) -> None:
    registry = Taking()

    def answer(asked: Asked, reply: Reply) -> None:
        if asked.method == "PATCH":
            reply.whole("404 Not Found", b"")
        else:
            registry.answer(asked, reply)

    with (
        misbehaving(answer) as server,
        pytest.raises(RemoteError, match="forgot the upload"),
    ):
        push(models, address(server))
    assert registry.manifest == b""


@pytest.mark.parametrize(
    ("location", "complaint"),
    [
        ("", "does not say where to"),
        ("file:///etc/passwd", "refused to go"),
        ("http://169.254.169.254/x", "insecure protocol"),
        ("http://a@127.0.0.1/x", "refused to go"),
        ("http://example.com/x", "insecure protocol"),
    ],
)
def test_uploads_that_lead_astray(models: Path, location: str, complaint: str) -> None:
    with (
        misbehaving(Taking(location).answer) as server,
        pytest.raises(RemoteError, match=complaint),
    ):
        push(models, address(server))


def test_uploads_elsewhere_come_without_credentials(models: Path) -> None:
    registry = Taking()
    with misbehaving(registry.answer) as elsewhere:
        registry.location = elsewhere.url("/up")

        def answer(asked: Asked, reply: Reply) -> None:
            if asked.path.startswith("/token"):
                reply.whole("200 OK", b'{"token":"good"}')
            elif asked.header("authorization") == "Bearer good":
                registry.answer(asked, reply)
            else:
                challenge = f'Bearer realm="{reply.server.url("/token")}"'
                reply.whole("401 Unauthorized", b"", WWW_Authenticate=challenge)

        with misbehaving(answer) as server:
            push(models, address(server))

    check_taken(registry)
    assert {asked.method for asked in elsewhere.asked} == {"PATCH", "PUT"}
    assert all(asked.header("authorization") is None for asked in elsewhere.asked)


def test_errors_are_short_and_clean(models: Path) -> None:
    def answer(asked: Asked, reply: Reply) -> None:
        reply.head("400 Bad", Content_Length=1 << 30)
        with suppress(OSError):
            for _ in range(1000):
                reply.raw(b"\x1b[31mno\r\n" * 8000)

    with misbehaving(answer) as server, pytest.raises(OllapyError) as caught:
        push(models, address(server))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_no_count_goes_backwards_when_a_part_is_sent_again(models: Path) -> None:
    registry = Taking()

    def drop(asked: Asked, reply: Reply) -> None:
        pass

    with misbehaving(once(drop, "PATCH", registry.answer)) as server:
        records = push(models, address(server))

    check_taken(registry)
    for digest in {record.digest for record in records}:
        counts = [r.completed for r in records if r.digest == digest]
        assert counts == sorted(counts)


@pytest.mark.parametrize("kept", [500, 100_000, 300_000, 700_000])
def test_a_real_registry_behind_a_wire_that_is_cut(
    models: Path, tmp_path: Path, kept: int
) -> None:
    with (
        running_registry(tmp_path / "registry") as real,
        cutting(real, after=kept) as wire,
    ):
        push(models, wire.address)
        name = ModelName.parse(f"{real}/ann/it:v1")
        other = puller(tmp_path / "other")
        other.pull(name, Operation())
        entry = other.store.entry(name)

    assert wire.num_cut == 1
    assert entry is not None
    assert entry.data == MODEL.data
