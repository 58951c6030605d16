"""Registries that do everything wrong: nothing of it gets a name, and what was here goes on working."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ollapy.api.ollama import Progress
from ollapy.download.partial import BLOCK
from ollapy.errors import OllapyError, RemoteError
from ollapy.names import ModelName
from ollapy.net.http import Http
from ollapy.operation import Operation
from ollapy.registry import Access, Credentials, Repository
from ollapy.registry.key import Key
from ollapy.registry.requests import Requests
from ollapy.store.manifests import CONFIG_TYPE, MAX_MANIFEST
from tests.support import judge
from tests.support.misbehaving import Asked, Behaviour, Reply, misbehaving
from tests.support.offer import name_on, offer, pull, puller
from tests.support.raw_gguf import weights

OLD = offer(model=weights(), template=b"{{ .Prompt }}", params=b'{"top_k":3}')
NEW = weights(BLOCK + 17, seed=3)
HEX = "0123456789abcdef" * 4
MANIFEST = "/manifests/"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries as ever, but at once."""
    monkeypatch.setattr("ollapy.net.retry._MAX_DELAY", 0.01)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def refused(models: Path, behaviour: Behaviour) -> str:
    """The sentence that a pull from a bad registry ends with, where a good one was before."""
    turn: list[Behaviour] = [OLD.answer]
    with misbehaving(lambda asked, reply: turn[0](asked, reply)) as server:
        pull(models, server)
        before = judge.state(models)
        turn[0] = behaviour
        with pytest.raises(OllapyError) as caught:
            pull(models, server)
        _check_untouched(models, before)
        turn[0] = OLD.answer
        pull(models, server)
    sentence = str(caught.value)
    assert len(sentence) < 1000
    assert sentence.isprintable()
    assert str(models.parent) not in sentence
    return sentence


def _check_untouched(models: Path, before: dict[str, bytes]) -> None:
    """The old model is there to the byte. Blobs may have come that are what they say, but no name for them."""
    judge.check_sound(models)
    after = judge.state(models)
    assert before.items() <= after.items()
    assert all(name.startswith("blobs/") for name in after.keys() - before.keys())
    assert {p.name for p in models.parent.iterdir()} == {"models"}


def changed(change: Callable[[dict[str, Any]], object]) -> Behaviour:
    """A good registry but for its manifest."""
    new = offer(model=NEW, template=b"new", params=b"{}")
    change(new.manifest)
    return new.answer


def with_layer(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: manifest["layers"][0].update(fields)


@pytest.mark.parametrize(
    "digest",
    [
        "../../x",
        "sha256:../../../../etc/passwd",
        f"sha256:{HEX}\n",
        f"sha256:{HEX}/../x",
        f"md5:{HEX[:32]}",
        f"sha512:{HEX * 2}",
        f"sha256:{HEX[1:]}",
        f"sha256:{HEX}0",
        "sha256:" + "０" * 64,
        "sha256",
        "",
        HEX,
        7,
        None,
        [HEX],
    ],
    ids=repr,
)
def test_digests(models: Path, digest: object) -> None:
    for place in ("layer", "config"):
        bad = offer(model=NEW)
        bad.layer("model" if place == "layer" else "config")["digest"] = digest

        assert "the manifest of" in refused(models, bad.answer)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("layers"),
        lambda m: m.update(layers=None),
        lambda m: m.update(layers={}),
        lambda m: m.update(layers=[]),
        lambda m: m.update(layers=m["layers"][1:]),
        lambda m: m.update(layers=m["layers"] * 4000),
        lambda m: m.update(layers=[None]),
        lambda m: m.pop("config"),
        lambda m: m.update(config=None),
        lambda m: m.update(schemaVersion=1),
        lambda m: m.update(schemaVersion=3),
        lambda m: m.update(schemaVersion="2"),
        lambda m: m.pop("schemaVersion"),
        lambda m: m.update(manifests=[]),
        lambda m: m.update(
            mediaType="application/vnd.docker.distribution.manifest.list.v2+json"
        ),
        lambda m: m.update(mediaType="application/vnd.oci.image.index.v1+json"),
        with_layer(size=-1),
        with_layer(size="7"),
        with_layer(size=1.5),
        with_layer(size=None),
        with_layer(mediaType=None),
        lambda m: m["config"].update(
            digest=m["layers"][0]["digest"], size=m["layers"][0]["size"] + 1
        ),
    ],
)
def test_manifests(models: Path, change: Callable[[dict[str, Any]], object]) -> None:
    sentence = refused(models, changed(change))

    assert "manifest of" in sentence or "not a model" in sentence


@pytest.mark.parametrize(
    "size",
    [0, 1, len(NEW) - 1, len(NEW) + 1, 1 << 50, 1 << 62, (1 << 64) - 1, 1 << 80],
)
def test_sizes(models: Path, size: int) -> None:
    refused(models, changed(with_layer(size=size)))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"<html>", b"\xff\xfe", b"[" * 100_000, b"{"]
)
def test_bodies_that_are_no_manifest(models: Path, data: bytes) -> None:
    def answer(asked: Asked, reply: Reply) -> None:
        reply.whole("200 OK", data)

    assert "manifest" in refused(models, answer)


def test_an_index_says_so(models: Path) -> None:
    index = b'{"schemaVersion": 2, "manifests": [{"digest": "sha256:00"}]}'

    def answer(asked: Asked, reply: Reply) -> None:
        reply.whole("200 OK", index)

    assert "multi-platform index" in refused(models, answer)


@pytest.mark.parametrize("num_bytes", [MAX_MANIFEST + 1, 5 << 20, 1 << 40])
def test_a_manifest_without_end(models: Path, num_bytes: int) -> None:
    """No more than the limit is read of it."""
    sent = []

    def answer(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK", Content_Length=num_bytes)
        while len(sent) << 16 < num_bytes:
            reply.raw(b" " * (1 << 16))
            sent.append(1)

    assert "larger than" in refused(models, answer)
    assert len(sent) << 16 < 64 << 20


def test_a_manifest_of_four_megabytes(models: Path) -> None:
    """One byte below the limit is fine."""
    new = offer(model=NEW)
    padding = MAX_MANIFEST - len(new.data) - len('"x": "", ')
    new.manifest["x"] = "y" * padding
    assert MAX_MANIFEST - 2 <= len(new.data) <= MAX_MANIFEST

    with misbehaving(new.answer) as server:
        pull(models, server)
    judge.check_sound(models)


def test_a_thousand_layers(models: Path) -> None:
    licences = [str(i).encode() for i in range(999)]
    new = offer(model=NEW)
    for licence in licences:
        part = offer(license=licence)
        new.blobs |= part.blobs
        new.manifest["layers"] += part.manifest["layers"]

    with misbehaving(new.answer) as server:
        records = pull(models, server)
    judge.check_sound(models)
    assert records[-1].done
    assert server.served == new.size


def test_foreign_addresses_are_not_gone_to(models: Path) -> None:
    new = offer(model=NEW)
    with misbehaving(new.answer) as foreign:
        urls = [foreign.url(), "http://169.254.169.254/latest/meta-data"]
        new.layer("model").update(urls=urls)
        with misbehaving(new.answer) as server:
            pull(models, server)

    assert foreign.asked == []
    judge.check_sound(models)


def test_a_text_twice(models: Path) -> None:
    new = offer(model=NEW, license=b"as is")
    new.manifest["layers"] += [new.layer("license")]
    with misbehaving(new.answer) as server:
        pull(models, server)

    assert server.served == new.size
    judge.check_sound(models)


def test_weights_twice(models: Path) -> None:
    bad = offer(model=NEW)
    bad.manifest["layers"] *= 2

    assert "cannot be run by llama.cpp" in refused(models, bad.answer)


def test_a_configuration_that_is_the_weights(models: Path) -> None:
    new = offer(model=NEW)
    new.manifest["config"] = {**new.layer("model"), "mediaType": CONFIG_TYPE}

    assert "config" in refused(models, new.answer)


@pytest.mark.parametrize(
    "kind", ["template", "system", "params", "messages", "license"]
)
def test_small_layers_that_are_large(models: Path, kind: str) -> None:
    """Not a byte is fetched of a model that has one."""
    new = offer(model=NEW, **{kind: b" " * (4 << 20) + b"1"})
    asked_for: list[str] = []

    def answer(asked: Asked, reply: Reply) -> None:
        asked_for.append(asked.path)
        new.answer(asked, reply)

    assert "larger than" in refused(models, answer)
    assert [path for path in asked_for if "/blobs/" in path] == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("params", b"{"),
        ("params", b"[]"),
        ("params", b""),
        ("params", b"\xff"),
        ("params", b'{"a":' * 50_000),
        ("messages", b'"hello"'),
        ("messages", b'[{"role": 7}]'),
        ("config", b"no"),
        ("config", b"[]"),
        ("template", b"{{ .Prompt }}\0"),
        ("system", b"be\0have"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value)[:20],
)
def test_small_layers_that_are_nonsense(models: Path, kind: str, data: bytes) -> None:
    bad = offer(**{"model": NEW, kind: data})

    assert f"the {kind} of" in refused(models, bad.answer)


def test_a_blob_that_is_something_else(models: Path) -> None:
    bad = offer(model=NEW, template=b"right")
    digest = bad.layer("template")["digest"]
    bad.blobs[digest] = b"wrong"

    sentence = refused(models, bad.answer)

    assert sentence.startswith("digest mismatch, file must be downloaded again")
    assert digest in sentence


def test_a_blob_that_is_not_there(models: Path) -> None:
    bad = offer(model=NEW, template=b"gone")
    digest = bad.layer("template")["digest"]
    del bad.blobs[digest]

    assert digest in refused(models, bad.answer)


@pytest.mark.parametrize("place", [MANIFEST, "/blobs/"])
@pytest.mark.parametrize("status", ["400 Bad", "403 No", "404 Gone", "418 \x1b[2J"])
def test_errors_of_a_gigabyte_with_escapes(
    models: Path, place: str, status: str
) -> None:
    new, sent = offer(model=NEW), []

    def answer(asked: Asked, reply: Reply) -> None:
        if place not in asked.path:
            new.answer(asked, reply)
            return
        reply.head(status, Content_Length=1 << 30)
        for _ in range(1 << 14):
            reply.raw(b"\x1b[31m\x07no\r\n" * 6000)
            sent.append(1)

    assert len(refused(models, answer)) < 500
    assert len(sent) < 200


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "//127.0.0.1/x",
        "http://a\\@127.0.0.1/",
        "http://a#@127.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://example.com/",
        "/v2/again/manifests/and/again",
    ],
)
@pytest.mark.parametrize("place", [MANIFEST, "/blobs/"])
def test_redirects_that_are_not_followed(
    models: Path, place: str, location: str
) -> None:
    new, num_asked = offer(model=NEW), []

    def answer(asked: Asked, reply: Reply) -> None:
        if place in asked.path or "again" in asked.path:
            num_asked.append(1)
            reply.whole("307 Temporary Redirect", b"", Location=location)
        else:
            new.answer(asked, reply)

    refused(models, answer)
    assert len(num_asked) <= 6


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "10.0.0.1", "[::1]"])
@pytest.mark.parametrize("how", ["redirect", "realm", "upload"])
def test_a_public_registry_does_not_lead_inside(
    tmp_path: Path, host: str, how: str
) -> None:
    with misbehaving(OLD.answer) as inside:
        target = f"http://{host}:{inside.port}/x"

        def answer(asked: Asked, reply: Reply) -> None:
            match how:
                case "redirect":
                    reply.whole("307 Temporary Redirect", b"", Location=target)
                case "realm":
                    challenge = f'Bearer realm="{target}"'
                    reply.whole("401 Unauthorized", b"", WWW_Authenticate=challenge)
                case "upload":
                    reply.whole("202 Accepted", b"", Location=target)

        with misbehaving(answer, "127.0.0.2") as server:
            http = Http(insecure=True, is_public=_is_public)
            name = ModelName.parse(f"127.0.0.2:{server.port}/ann/it")
            access = Access(http, name.host, Key(tmp_path / "key"), insecure=True)
            requests = Requests(http, access, Operation())
            repository = Repository(name, access)
            with pytest.raises(RemoteError, match="not public"):
                _ask(repository, requests, how)
    assert inside.asked == []


def _is_public(address: str) -> bool:
    """127.0.0.2 plays the internet."""
    return address == "127.0.0.2"


def _ask(repository: Repository, requests: Requests, how: str) -> None:
    if how == "upload":
        reply = requests.send("push", "POST", repository.url, body=b"")
        location = reply.headers["location"]
        requests.send("push", "PATCH", location, body=b"data")
    else:
        repository.plan(requests)


def test_a_relative_redirect_of_the_manifest(models: Path) -> None:
    def answer(asked: Asked, reply: Reply) -> None:
        if asked.path.endswith("/manifests/v1"):
            reply.whole("307 Temporary Redirect", b"", Location="other?a=b")
        else:
            OLD.answer(asked, reply)

    with misbehaving(answer) as server:
        pull(models, server)

    assert server.asked[1].path == "/v2/ann/it/manifests/other?a=b"
    judge.check_sound(models)


def guarded(behaviour: Behaviour, *, token: bytes, realm: str = "") -> Behaviour:
    """A registry that wants a token, which it gives itself or has given elsewhere."""

    def answer(asked: Asked, reply: Reply) -> None:
        if asked.path.startswith("/token"):
            reply.whole("200 OK", token)
        elif asked.header("authorization") == "Bearer good":
            behaviour(asked, reply)
        else:
            where = realm or reply.server.url("/token")
            challenge = (
                f'Bearer realm="{where}",service="it",scope="repository:ann/it:pull"'
            )
            reply.whole("401 Unauthorized", b"", WWW_Authenticate=challenge)

    return answer


def test_blobs_elsewhere_come_without_credentials(models: Path) -> None:
    with misbehaving(OLD.answer) as elsewhere:

        def answer(asked: Asked, reply: Reply) -> None:
            if "/blobs/" in asked.path:
                where = elsewhere.url(asked.path)
                reply.whole("307 Temporary Redirect", b"", Location=where)
            else:
                OLD.answer(asked, reply)

        with misbehaving(guarded(answer, token=b'{"token":"good"}')) as server:
            pull(models, server)

    assert len(elsewhere.asked) == len(OLD.blobs)
    assert [asked.header("authorization") for asked in elsewhere.asked] == [None] * 4
    judge.check_sound(models)


def test_no_access_for_ever(models: Path) -> None:
    """One token for each request, and no more."""
    paths: list[str] = []

    def answer(asked: Asked, reply: Reply) -> None:
        paths.append(asked.path.partition("?")[0])
        guarded(OLD.answer, token=b'{"token":"bad"}')(asked, reply)

    assert refused(models, answer) == "unauthorized: access denied"
    assert paths == ["/v2/ann/it/manifests/v1", "/token", "/v2/ann/it/manifests/v1"]


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"{}",
        b"null",
        b'{"token":""}',
        b'{"token":7}',
        b'{"token":"a\\r\\nX: y"}',
        b'{"token":"\\u00e9"}',
        b'{"token":"' + b"x" * 100_000 + b'"}',
        b"[" * 60_000,
    ],
    ids=lambda token: repr(token)[:24],
)
def test_tokens_that_are_none(models: Path, token: bytes) -> None:
    sentence = refused(models, guarded(OLD.answer, token=token))

    assert sentence == "the registry gave no token: it answered 200"


@pytest.mark.parametrize(
    "realm",
    [
        "file:///etc/passwd",
        "/token",
        "ftp://127.0.0.1/",
        "http://169.254.169.254/",
        "http://a@127.0.0.1/",
        "http://example.com/",
        " ",
    ],
)
def test_realms_that_are_not_asked(models: Path, realm: str) -> None:
    refused(models, guarded(OLD.answer, token=b"", realm=realm))


@pytest.mark.parametrize(
    "challenge", ["", "Bearer", "Negotiate", 'Bearer realm=""', "Basic realm=x", ",,,"]
)
def test_challenges_that_cannot_be_answered(models: Path, challenge: str) -> None:
    def answer(asked: Asked, reply: Reply) -> None:
        reply.whole("401 Unauthorized", b"", WWW_Authenticate=challenge)

    assert refused(models, answer).startswith("unauthorized: ")


def test_a_password_is_not_for_another_hosts_realm(models: Path) -> None:
    def tokens(asked: Asked, reply: Reply) -> None:
        reply.whole("200 OK", b'{"access_token":"good"}')

    with misbehaving(tokens) as elsewhere:
        answer = guarded(OLD.answer, token=b"", realm=elsewhere.url("/give?a=b"))
        with misbehaving(answer) as server:
            with_password(models, server.port)

    given = elsewhere.asked[0]
    assert given.path == "/give?a=b&service=it&scope=repository%3Aann%2Fit%3Apull"
    assert given.header("authorization") is None
    assert all("secret" not in str(asked.head) for asked in server.asked)


def with_password(models: Path, port: int) -> None:
    it = puller(models)
    it = type(it)(it.store, it.settings, credentials=Credentials("ann", "secret"))
    it.pull(ModelName.parse(f"127.0.0.1:{port}/ann/it:v1"), Operation())


def test_progress_is_told_in_order(models: Path) -> None:
    """Also where the connection drops again and again."""
    new = offer(model=weights(3 * len(NEW)), template=b"t")
    drops = iter([BLOCK // 2, BLOCK, 0, BLOCK + 1])

    def answer(asked: Asked, reply: Reply) -> None:
        data = new.blobs.get(asked.path.rpartition("/")[2], b"")
        kept = next(drops, None) if len(data) > BLOCK else None
        if kept is None:
            new.answer(asked, reply)
            return
        start, end = asked.span or (0, len(data))
        reply.head(
            "206 Partial Content",
            Content_Length=end - start,
            Content_Range=f"bytes {start}-{end - 1}/{len(data)}",
        )
        reply.body(data[start : start + kept])

    with misbehaving(answer) as server:
        records = pull(models, server)

    judge.check_sound(models)
    check_progress(records)
    assert server.served <= new.size + 4 * BLOCK


def check_progress(records: list[Progress]) -> None:
    """No count goes backwards or beyond its total."""
    seen: dict[str, int] = {}
    for record in records:
        assert seen.get(record.digest, 0) <= record.completed <= record.total
        seen[record.digest] = record.completed
    assert records[0].status == "pulling manifest"


def test_a_new_version_replaces_the_old_one(models: Path) -> None:
    turn = [OLD]
    new = offer(model=NEW, template=OLD.blobs[OLD.layer("template")["digest"]])
    with misbehaving(lambda asked, reply: turn[0].answer(asked, reply)) as server:
        pull(models, server)
        turn[0], served = new, server.served
        records = pull(models, server)

    assert [r.status for r in records[-2:]] == ["removing unused layers", "success"]
    assert server.served - served == len(NEW)  # the rest was here
    judge.check_sound(models)
    judge.check_tidy(models)
    assert [*judge.manifests(models).values()] == [new.data]


def test_the_same_version_brings_nothing(models: Path) -> None:
    with misbehaving(OLD.answer) as server:
        pull(models, server)
        served, before = server.served, judge.state(models)
        pull(models, server)

    assert server.served == served
    assert server.asked[-1].path.endswith("/manifests/v1")
    assert judge.state(models) == before


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy", "429 Slow"])
@pytest.mark.parametrize("place", [MANIFEST, "/blobs/", "/token"])
def test_what_fails_once_is_asked_again(models: Path, place: str, status: str) -> None:
    failed: list[str] = []
    whole = guarded(OLD.answer, token=b'{"token":"good"}')

    def answer(asked: Asked, reply: Reply) -> None:
        if place in asked.path and not failed:
            failed.append(asked.path)
            reply.whole(status, b"not now")
        else:
            whole(asked, reply)

    with misbehaving(answer) as server:
        pull(models, server)
    assert failed
    judge.check_sound(models)


def test_a_name_that_the_registry_spells_otherwise(models: Path) -> None:
    with misbehaving(OLD.answer) as server:
        pull(models, server)
        name = name_on(server)
        loud = ModelName(name.host, "ANN", "It", "V1")
        puller(models).pull(loud, Operation())

    assert len(judge.manifests(models)) == 1
