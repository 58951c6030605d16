"""Pulls from a hub, through the real library and our own downloads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ollapy.api.ollama import Progress
from ollapy.download.partial import BLOCK
from ollapy.errors import (
    DigestMismatch,
    InvalidModel,
    NotOnRemote,
    OllapyError,
    RemoteError,
    Unauthorized,
)
from ollapy.names import ModelName
from ollapy.operation import Operation
from ollapy.store import Store
from tests.conftest import TINY
from tests.support import judge
from tests.support.hub import (
    STRANGER,
    TOKEN,
    FakeHub,
    Repo,
    puller_from,
    refuse,
    running_hub,
)
from tests.support.misbehaving import Asked, Reply
from tests.support.parts import split
from tests.support.raw_gguf import model, model_rows, text, weights, write

SMALL, LARGE = weights(), weights(3 * BLOCK + 7, seed=1)
PROJECTOR = write({"general.architecture": text("clip")}, model_rows())
FILES = {
    "README.md": b"# A model",
    "Tiny-Q4_K_M.gguf": LARGE,
    "Tiny-Q8_0.gguf": SMALL,
}
NAME = "hf.co/ann/Tiny-GGUF"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries as ever, but at once."""
    monkeypatch.setattr("ollapy.net.retry._MAX_DELAY", 0.01)


def pull(hub: FakeHub, models: Path, name: str = NAME, **env: str) -> list[Progress]:
    records: list[Progress] = []
    puller = puller_from(hub, models, **env)
    last = puller.pull(ModelName.parse(name), Operation(records.append))
    judge.check_sound(models)
    return [*records, last]


def refusal(hub: FakeHub, models: Path, name: str = NAME, **env: str) -> OllapyError:
    """The error of a pull, after which nothing has a name."""
    with pytest.raises(OllapyError) as caught:
        pull(hub, models, name, **env)
    assert judge.manifests(models) == {}
    assert str(caught.value).isprintable()
    assert str(models.parent) not in str(caught.value)
    return caught.value


def manifest(models: Path, name: str) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(
        judge.manifests(models)[f"manifests/{name}"]
    )
    return found


def blob(models: Path, layer: dict[str, object]) -> bytes:
    name = str(layer["digest"]).replace(":", "-")
    return (models / "blobs" / name).read_bytes()


def test_what_becomes_of_a_repository(models: Path) -> None:
    files = {**FILES, "mmproj-Tiny-F16.gguf": PROJECTOR}
    with running_hub(Repo("ann/Tiny-GGUF", files)) as hub:
        records = pull(hub, models)

    found = manifest(models, "hf.co/ann/Tiny-GGUF/latest")
    kinds = [str(layer["mediaType"]).rpartition(".")[2] for layer in found["layers"]]
    assert kinds == ["model", "projector"]
    assert [blob(models, layer) for layer in found["layers"]] == [LARGE, PROJECTOR]
    assert found["layers"][0]["from"] == "hf.co/ann/Tiny-GGUF/Tiny-Q4_K_M.gguf"
    config = json.loads(blob(models, found["config"]))  # type: ignore[arg-type]
    assert config == {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "file_type": "Q4_K_M",
        "architecture": "amd64",
        "os": "linux",
    }
    statuses = [r.status for r in records]
    assert statuses[0] == "pulling manifest"
    assert statuses[-3:] == ["verifying sha256 digest", "writing manifest", "success"]


@pytest.mark.parametrize(
    ("tag", "data"),
    [
        ("", LARGE),
        (":Q8_0", SMALL),
        (":q8_0", SMALL),
        (":tiny-q8_0.gguf", SMALL),
        (":Tiny-Q8_0", SMALL),
    ],
)
@pytest.mark.parametrize("host", ["hf.co", "HuggingFace.co"])
def test_forms_of_names(models: Path, host: str, tag: str, data: bytes) -> None:
    with running_hub(Repo("ann/Tiny-GGUF", FILES)) as hub:
        pull(hub, models, f"{host}/Ann/tiny-gguf{tag}")

    (found,) = judge.manifests(models).values()
    assert blob(models, json.loads(found)["layers"][0]) == data
    assert hub.cdn.served == len(data)


def test_a_second_pull_fetches_nothing(models: Path) -> None:
    """And says of each blob that it is there."""
    with running_hub(Repo("ann/Tiny-GGUF", FILES)) as hub:
        pull(hub, models)
        served, before = hub.cdn.served, judge.state(models)
        records = pull(hub, models)

    assert hub.cdn.served == served
    assert judge.state(models) == before
    counts = [(r.completed, r.total) for r in records if r.digest]
    assert len(counts) == 2
    assert all(completed == total > 0 for completed, total in counts)


def test_split_files(models: Path, tmp_path: Path) -> None:
    """The parts of one model are its layers, in order; what is no whole model gets no name."""
    parts = {path.name: path.read_bytes() for path in split(TINY, tmp_path, 3)}
    turned = dict(zip(parts, reversed(parts.values()), strict=True))
    with running_hub(
        Repo("ann/Tiny", parts), Repo("ann/Bad", turned), Repo("ann/Half", {})
    ) as hub:
        hub.repos[2].files = dict([*parts.items()][:2])
        sentence = str(refusal(hub, models, "hf.co/ann/Bad"))
        assert "has only 2 of the 3 parts" in str(
            refusal(hub, models, "hf.co/ann/Half")
        )
        pull(hub, models, "hf.co/ann/Tiny")

    assert "cannot be run by llama.cpp" in sentence
    found = manifest(models, "hf.co/ann/Tiny/latest")
    assert [blob(models, la) for la in found["layers"]] == [*parts.values()]
    assert Store(models).get(ModelName.parse("hf.co/ann/Tiny")).header.is_model


def test_a_file_that_llama_cpp_cannot_run_gets_no_name(models: Path) -> None:
    other = model({"general.architecture": text("gptoss")})
    with running_hub(Repo("ann/gpt-oss", {"gpt-oss-Q8_0.gguf": other})) as hub:
        error = refusal(hub, models, "hf.co/ann/gpt-oss")

    assert isinstance(error, InvalidModel)
    assert str(error) == (
        "'hf.co/ann/gpt-oss:latest' cannot be run by llama.cpp: llama.cpp has no architecture 'gptoss'; "
        "'ollapy pull gpt-oss:latest' brings one that can"
    )


def test_a_large_one_is_looked_at_before_all_of_it_has_come(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for gigabytes that are then refused; and nothing of them is kept."""
    monkeypatch.setattr("ollapy.download.download._BEGINNING", BLOCK)
    bad = LARGE.replace(b"general.architecture", b"general.architectura")

    def fault(asked: Asked, reply: Reply) -> bool:
        if "Signature" in asked.path:
            reply.head("200 OK", Content_Length=len(bad))
            reply.body(bad[: 2 * BLOCK])
            reply.stall()
        return "Signature" in asked.path

    with running_hub(Repo("ann/Tiny-GGUF", {"Tiny-Q8_0.gguf": bad})) as hub:
        hub.fault = fault
        error = refusal(hub, models)

    assert str(error) == (
        f"'{NAME}:latest' cannot be run by llama.cpp: general.architecture is missing"
    )
    assert [file for file in judge.files(models) if "partial" in file] == []


def test_a_large_one_that_is_good_is_not_kept_up(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ollapy.download.download._BEGINNING", BLOCK)
    with running_hub(Repo("ann/Tiny-GGUF", FILES)) as hub:
        pull(hub, models)

    assert hub.cdn.served == len(LARGE)


# ---- who may


@pytest.mark.parametrize("how", ["environment", "file"])
def test_the_token_is_for_the_hub_alone(
    models: Path, token_file: Path, how: str
) -> None:
    env = {"HF_TOKEN": TOKEN} if how == "environment" else {}
    if how == "file":
        token_file.write_text(TOKEN)
    with running_hub(Repo("ann/Tiny-GGUF", FILES, private=True)) as hub:
        pull(hub, models, **env)

    for asked in hub.api.asked:
        assert asked.header("authorization") == f"Bearer {TOKEN}"
    assert hub.cdn.asked
    assert all(TOKEN.encode() not in asked.head for asked in hub.cdn.asked)


def test_a_private_repository(models: Path) -> None:
    with running_hub(Repo("ann/Tiny-GGUF", FILES, private=True)) as hub:
        for env in ({}, {"HF_TOKEN": STRANGER}):
            error = refusal(hub, models, **env)
            assert isinstance(error, NotOnRemote)
            assert "has no repository 'ann/Tiny-GGUF', or it is private" in str(error)
            assert "'hf auth login'" in str(error)


def test_a_gated_repository_says_where_its_terms_are(models: Path) -> None:
    with running_hub(Repo("ann/Tiny-GGUF", FILES, gated=True)) as hub:
        for env in ({}, {"HF_TOKEN": STRANGER}):
            error = refusal(hub, models, **env)
            assert isinstance(error, Unauthorized)
            assert str(error).startswith(
                "'ann/Tiny-GGUF' is gated: accept its terms at "
                f"{hub.endpoint}/ann/Tiny-GGUF, then log in with 'hf auth login'"
            )
        pull(hub, models, HF_TOKEN=TOKEN)


def test_a_repository_that_is_not_there(models: Path) -> None:
    with running_hub() as hub:
        error = refusal(hub, models)

    assert isinstance(error, NotOnRemote)
    assert f"127.0.0.1:{hub.api.port} has no repository 'ann/Tiny-GGUF'" in str(error)


# ---- what goes wrong


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        ("429 Too Many", "", "answered 429"),
        ("500 Oops", "", "answered 500"),
        ("503 Busy", "", "answered 503"),
        ("403 Forbidden", "DisabledRepo", "does not let you see"),
        ("401 No", "GatedRepo", "is gated"),
        ("418 Teapot", "", "answered 418"),
    ],
)
def test_refusals(models: Path, status: str, code: str, sentence: str) -> None:
    def fault(_asked: Asked, reply: Reply) -> bool:
        refuse(reply, status, code)
        return True

    with running_hub() as hub:
        hub.fault = fault
        error = refusal(hub, models)

    assert isinstance(error, RemoteError)
    assert sentence in str(error)
    assert len(hub.api.asked) == (3 if status[:3] in ("429", "500", "503") else 1)


def test_what_fails_once_is_asked_again(models: Path) -> None:
    failed: set[str] = set()

    def fault(asked: Asked, reply: Reply) -> bool:
        place = asked.path.partition("?")[0].split("/")[1][:3]
        if place in failed:
            return False
        failed.add(place)
        reply.whole("503 Busy", b"not now")
        return True

    with running_hub(Repo("ann/Tiny-GGUF", FILES)) as hub:
        hub.fault = fault
        pull(hub, models)

    assert len(failed) == 3  # the listing, the file's address, and the file


@pytest.mark.parametrize(
    "said",
    [
        {"sha": None},
        {"sha": "../../main"},
        {
            "siblings": [
                {
                    "rfilename": "a.gguf",
                    "lfs": {"sha256": "../x", "size": 1, "pointerSize": 1},
                }
            ]
        },
        {"siblings": [{"rfilename": "a.gguf", "lfs": {"size": 1}}]},
        {"siblings": [{"rfilename": "a.gguf", "size": 1}]},
        {"siblings": [{"rfilename": 7}]},
        {"siblings": 7},
        {"siblings": None},
        {"siblings": [{"rfilename": "../../a\x1b.gguf", "size": 1}]},
    ],
    ids=repr,
)
def test_listings_that_are_none(models: Path, said: dict[str, object]) -> None:
    with running_hub(Repo("ann/Tiny-GGUF", FILES, said=said)) as hub:
        assert isinstance(refusal(hub, models), RemoteError)
    assert hub.cdn.asked == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"7", b"<html>"])
def test_answers_that_are_not_the_hubs(models: Path, body: bytes) -> None:
    def fault(_asked: Asked, reply: Reply) -> bool:
        reply.whole("200 OK", body, Content_Type="application/json")
        return True

    with running_hub() as hub:
        hub.fault = fault
        error = refusal(hub, models)

    assert "an answer about 'ann/Tiny-GGUF' that is not the hub's" in str(error)


def test_a_file_that_is_not_what_its_digest_says(models: Path) -> None:
    wrong = hashlib.sha256(b"other").hexdigest()
    lfs = {"sha256": wrong, "size": len(SMALL), "pointerSize": 134}
    sibling = {"rfilename": "a.gguf", "lfs": lfs}

    def fault(asked: Asked, reply: Reply) -> bool:
        if "Signature" in asked.path:
            reply.ranged(asked, SMALL)
        return "Signature" in asked.path

    said = {"siblings": [sibling]}
    with running_hub(Repo("ann/Tiny-GGUF", {"a.gguf": SMALL}, said=said)) as hub:
        hub.fault = fault
        error = refusal(hub, models)

    assert isinstance(error, DigestMismatch)
    assert list((models / "blobs").glob("*-partial*")) == []


def test_addresses_that_expire_are_asked_for_again(models: Path) -> None:
    """A connection that drops goes on from where it was, by a new address."""
    dropped: list[str] = []

    def fault(asked: Asked, reply: Reply) -> bool:
        if "Signature" not in asked.path or len(dropped) == 3:
            return False
        dropped.append(asked.path)
        start, end = asked.span or (0, len(LARGE))
        reply.head(
            "206 Partial Content" if asked.span else "200 OK",
            Content_Length=end - start,
            **(
                {"Content_Range": f"bytes {start}-{end - 1}/{len(LARGE)}"}
                if asked.span
                else {}
            ),
        )
        reply.body(LARGE[start : start + BLOCK])
        return True

    with running_hub(Repo("ann/Tiny-GGUF", FILES)) as hub:
        hub.fault, hub.num_uses = fault, 1
        pull(hub, models)

    assert hub.cdn.served == len(LARGE)  # not a byte twice
    assert len({asked.path for asked in hub.cdn.asked}) == 4


# ---- where it is asked


def test_nothing_is_asked_offline(models: Path) -> None:
    with running_hub(Repo("ann/Tiny-GGUF", FILES)) as hub:
        error = refusal(hub, models, HF_HUB_OFFLINE="1")

    assert "HF_HUB_OFFLINE is set" in str(error)
    assert hub.api.asked == []


def test_plain_http_is_for_this_machine(models: Path) -> None:
    with running_hub() as hub:
        error = refusal(hub, models, HF_ENDPOINT="http://mirror.example")

    assert str(error) == (
        "insecure protocol http, mirror.example of HF_ENDPOINT needs --insecure"
    )


def test_a_hub_that_is_not_there(models: Path) -> None:
    with running_hub() as hub:
        endpoint = hub.endpoint
    error = refusal(hub, models)

    assert str(error) == f"{endpoint.removeprefix('http://')} refused the connection"
