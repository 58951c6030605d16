"""Models made of models and of files: /api/create and the blobs that it needs."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ollama
import pytest

from ollapy.gguf import read_header
from ollapy.gguf.tables import FILE_TYPES
from ollapy.names import Digest, ModelName
from ollapy.store import Manifest, Store
from scripts.make_gguf import write_lora, write_random, write_scripted
from tests.support.daemon import Daemon, running_daemon
from tests.support.hugging_face import config_of, tensors_of, write_model
from tests.support.parts import split
from tests.support.waiting import eventually

BASE = {"from": "tiny"}
UNKNOWN = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose store has its folders."""
    with running_daemon(tmp_path_factory.mktemp("create")) as daemon:
        create(daemon, "here", **BASE)
        yield daemon


@pytest.fixture(scope="module")
def client(own: Daemon) -> Iterator[ollama.Client]:
    client = ollama.Client(own.address)
    yield client
    client._client.close()


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A random model in full precision."""
    path = tmp_path / "full.gguf"
    write_random(path)
    return path


def upload(daemon: Daemon, data: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    response = daemon.http.post(f"/api/blobs/{digest}", content=data)
    assert response.status_code in (200, 201), response.text
    return digest


def create(daemon: Daemon, model: str, **body: Any) -> list[dict[str, Any]]:
    """The records of a creation that succeeds."""
    with daemon.stream("/api/create", model=model, **body) as records:
        found = list(records)
    assert found[-1] == {"status": "success"}, found
    return found


def unfinished(daemon: Daemon) -> list[Path]:
    """Files that are being written, or have been left."""
    return list((daemon.models / "blobs").glob(".new-*"))


def refusal(daemon: Daemon, **body: Any) -> tuple[int, str]:
    response = daemon.post("/api/create", **{"model": "never", **body})
    if response.status_code == 200:
        last = json.loads(response.text.splitlines()[-1])
        return 200, str(last.get("error"))
    return response.status_code, str(response.json()["error"])


def show(daemon: Daemon, model: str) -> dict[str, Any]:
    response = daemon.post("/api/show", model=model)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def manifest(daemon: Daemon, model: str) -> Manifest:
    entry = Store(daemon.models).entry(ModelName.parse(model))
    assert entry
    return entry.manifest


def test_ollamas_own_client_makes_a_model_of_a_model(
    own: Daemon, client: ollama.Client
) -> None:
    client.create(
        "pirate",
        from_="tiny",
        system="You are a pirate.",
        license=["First.", "Second."],
        parameters={"temperature": 0.5, "stop": ["Arr", "Yo"], "num_ctx": 512},
        messages=[
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Ahoy"},
        ],
    )

    found = show(own, "pirate")
    assert found["system"] == "You are a pirate."
    assert found["license"] == "First.\nSecond."
    assert found["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Ahoy"},
    ]
    assert found["details"]["parent_model"] == "tiny:latest"
    lines = [line.split() for line in found["parameters"].splitlines()]
    assert lines == [
        ["num_ctx", "512"],
        ["stop", '"Arr"'],
        ["stop", '"Yo"'],
        ["temperature", "0.5"],
    ]
    answer = client.generate("pirate", "What is 2 + 2?", think=False)
    assert answer.done_reason == "stop"


def test_what_is_given_replaces_what_the_base_has_and_the_rest_stays(
    own: Daemon,
) -> None:
    first = {"system": "One.", "license": "L1", "parameters": {"seed": 1, "top_k": 5}}
    create(own, "older", **BASE, **first, messages=[{"role": "user", "content": "a"}])

    create(own, "newer", **{"from": "older"}, license="L2", parameters={"seed": 2})

    found = show(own, "newer")
    assert (found["system"], found["license"]) == ("One.", "L1\nL2")
    lines = [line.split() for line in found["parameters"].splitlines()]
    assert lines == [["seed", "2"], ["top_k", "5"]]
    assert found["messages"] == [{"role": "user", "content": "a"}]
    assert manifest(own, "newer").layers_of("model")[0].from_ == "older:latest"


def test_layers_are_ollamas_bytes(own: Daemon) -> None:
    create(own, "bytes", **BASE, system="S", parameters={"num_ctx": 8, "stop": ["<"]})

    layers = {la.kind: la for la in manifest(own, "bytes").layers}
    blobs = Store(own.models).blobs
    assert blobs.read(layers["system"].digest) == b"S"
    assert blobs.read(layers["params"].digest) == b'{"num_ctx":8,"stop":["\\u003c"]}\n'


def test_layers_that_are_here_are_not_written_again(own: Daemon) -> None:
    create(own, "once", **BASE, system="Once.")

    told = [r["status"] for r in create(own, "twice", **BASE, system="Once.")]

    assert not [s for s in told if s.startswith("creating new")]
    assert len([s for s in told if s.startswith("using existing layer sha256:")]) == 3
    assert told[-2:] == ["writing manifest", "success"]


def test_a_model_of_a_file(own: Daemon, tiny: Path) -> None:
    digest = upload(own, tiny.read_bytes())

    create(own, "filed", files={"tiny.gguf": digest})

    found = show(own, "filed")
    assert found["details"]["quantization_level"] == "Q8_0"
    assert "completion" in found["capabilities"]
    same = own.generate("What is 3 + 4?")["response"]
    assert own.generate("What is 3 + 4?", model="filed")["response"] == same
    config = manifest(own, "filed").config.digest
    assert json.loads(Store(own.models).blobs.read(config)) == {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "model_type": "3.54M",
        "file_type": "Q8_0",
        "architecture": "amd64",
        "os": "linux",
    }


def test_split_files_make_one_model_whatever_they_are_called(
    own: Daemon, tiny: Path, tmp_path: Path
) -> None:
    parts = split(tiny, tmp_path, 3)
    files = {f"{9 - i}.bin": upload(own, p.read_bytes()) for i, p in enumerate(parts)}

    create(own, "parts", files=files)

    assert len(manifest(own, "parts").layers_of("model")) == 3
    same = own.generate("What is 3 + 4?")["response"]
    assert own.generate("What is 3 + 4?", model="parts")["response"] == same
    last = files.popitem()
    assert "give all of its parts" in refusal(own, files=dict([last]))[1]


def test_an_adapter_changes_what_a_model_says(
    own: Daemon, tiny: Path, tmp_path: Path
) -> None:
    lora = write_lora(tmp_path / "lora.gguf", tiny, strength=0.5)
    digest = upload(own, lora.read_bytes())

    create(own, "adapted", **BASE, adapters={"lora.gguf": digest})

    short = {"temperature": 0, "num_predict": 4}
    plain = own.generate("What is 3 + 4?", options=short)["response"]
    answer = own.generate("What is 3 + 4?", model="adapted", options=short)
    assert answer["response"] != plain


@pytest.mark.parametrize("file_type", ["Q4_K_M", "bf16"])
def test_weights_in_another_precision(own: Daemon, full: Path, file_type: str) -> None:
    files = {"full.gguf": upload(own, full.read_bytes())}

    told = create(own, "smaller", files=files, quantize=file_type)

    counts = [r for r in told if r["status"].startswith("quantizing F16 model to")]
    assert counts[-1]["completed"] == counts[-1]["total"]
    assert [c.get("completed", 0) for c in counts] == sorted(
        c.get("completed", 0) for c in counts
    )
    assert "verifying conversion" in [r["status"] for r in told]
    details = show(own, "smaller")["details"]
    assert details["quantization_level"] == file_type.upper()
    assert own.generate("Hi", model="smaller", options={"num_predict": 2})["response"]


@pytest.mark.slow
def test_every_type_makes_a_model_or_says_why_not(own: Daemon, full: Path) -> None:
    files = {"full.gguf": upload(own, full.read_bytes())}
    for file_type in FILE_TYPES.values():
        with own.stream(
            "/api/create", model="kind", files=files, quantize=file_type
        ) as records:
            last = list(records)[-1]
        if file_type in ("NVFP4", "Q1_0"):  # the pinned llama.cpp cannot write them
            assert "llama.cpp cannot quantize the model: " in last["error"]
        else:
            assert last == {"status": "success"}, (file_type, last)
            level = show(own, "kind")["details"]["quantization_level"]
            assert level == file_type


def test_a_hugging_face_folder(own: Daemon, tmp_path: Path) -> None:
    config = config_of("LlamaForCausalLM")
    folder = write_model(tmp_path / "hf", config, tensors_of(config), files=2)
    files = {p.name: upload(own, p.read_bytes()) for p in folder.iterdir()}

    told = create(own, "converted", files=files, quantize="Q8_0")

    assert "converting model" in [r["status"] for r in told]
    assert show(own, "converted")["details"]["quantization_level"] == "Q8_0"
    options = {"num_predict": 2}
    assert own.generate("Hi", model="converted", options=options)["eval_count"] == 2


def test_a_model_that_is_replaced_is_not_what_answers(
    own: Daemon, tmp_path: Path
) -> None:
    for word in ("first", "second"):
        path = tmp_path / f"{word}.gguf"
        write_scripted(path, word)
        create(own, "changing", files={"m.gguf": upload(own, path.read_bytes())})
        assert own.generate("?", model="changing")["response"] == word


def test_a_client_that_leaves_leaves_nothing(own: Daemon, full: Path) -> None:
    files = {"full.gguf": upload(own, full.read_bytes())}
    with own.stream(
        "/api/create", model="left", files=files, quantize="Q4_K_M"
    ) as records:
        assert any(r["status"].startswith("quantizing") for r in records)

    eventually(lambda: not unfinished(own), "something is left of the file")
    assert not [p for p in own.runners if "quantize" in " ".join(p.cmdline())]


def test_info_and_requirements_are_kept(own: Daemon) -> None:
    info = {"capabilities": ["tools"], "context_length": 99, "unheard of": 1}

    create(own, "told", **BASE, info=info, requires="0.14.0", renderer="r", parser="p")

    config = json.loads(
        Store(own.models).blobs.read(manifest(own, "told").config.digest)
    )
    assert config["context_length"] == 99
    kept = [config[key] for key in ("requires", "renderer", "parser")]
    assert kept == ["0.14.0", "r", "p"]
    assert "tools" in show(own, "told")["capabilities"]


FILE = {"x.gguf": UNKNOWN}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "neither 'from' or 'files' was specified"),
        ({"model": "", "from": "tiny"}, "invalid model name"),
        ({"model": "../x", "from": "tiny"}, "invalid model name"),
        ({"from": "/etc/passwd"}, "invalid model name"),
        ({"from": "/no/such/path/here"}, "invalid model name"),
        ({"files": {}}, "unknown type"),
        ({"files": FILE}, f"blob {UNKNOWN} of 'x.gguf' is not in the store"),
        ({"files": {"x.gguf": ""}}, "invalid digest format"),
        ({"files": {"x.gguf": "sha256:12"}}, "invalid digest format"),
        *(
            ({"files": {name: UNKNOWN}}, "file path must be relative")
            for name in ("", "/x", "../x", "a/../b", "C:/x", "a\\b", "a\0", "x" * 5000)
        ),
        ({"adapters": FILE}, "no base model was found"),
        ({**BASE, "adapters": {"a.gguf": UNKNOWN}}, "upload it first"),
        ({**BASE, "quantize": "Q9"}, "unsupported quantization type Q9 - supported"),
        ({**BASE, "quantize": "Q4_K_M"}, "only supported for F16, BF16 and F32"),
        ({**BASE, "draft_quantize": "Q8_0"}, "requires a DRAFT model"),
        ({**BASE, "template": "{{ .Foo "}, "template error: line 1"),
        ({**BASE, "template": "{% if %}"}, "template error: line 1"),
        ({**BASE, "parameters": {"num_ctx": "x"}}, 'option "num_ctx" must be of type'),
        ({**BASE, "parameters": {"stop": 5}}, 'option "stop" must be of type'),
        ({**BASE, "messages": [{"role": "god", "content": ""}]}, "the role of a"),
        ({**BASE, "requires": "new"}, "requires must be a valid semver"),
        ({**BASE, "info": {"base_name": 1}}, 'info field "base_name" must be a string'),
        ({**BASE, "info": {"context_length": -1}}, "must be a non-negative integer"),
    ],
)
def test_what_cannot_be_made(own: Daemon, body: dict[str, Any], sentence: str) -> None:
    eventually(lambda: not unfinished(own), "an earlier test has not ended")
    before = sorted(own.models.rglob("*"))

    response = own.http.post(
        "/api/create", content=json.dumps({"model": "never", **body})
    )

    assert response.status_code == 400, response.text
    assert sentence.lower() in response.json()["error"].lower()
    eventually(
        lambda: sorted(own.models.rglob("*")) == before, "something of it was left"
    )


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("x.gguf", b"PK\3\4 zip", "supplied file was not in GGUF format"),
        ("x.bin", b"\x89PNG", "unknown type"),
        ("x.gguf", b"", "supplied file was not in GGUF format"),
        ("x.gguf", b"GGUF", "'x.gguf' cannot be used: the file ends inside its header"),
        ("x.gguf", b"GGUF\1\0\0\0" + bytes(40), "'x.gguf' cannot be used"),
        ("model.safetensors", b"\x10\0\0\0\0\0\0\0{}", "config.json is missing"),
    ],
)
def test_files_that_are_no_model(
    own: Daemon, name: str, data: bytes, sentence: str
) -> None:
    status, error = refusal(own, files={name: upload(own, data)})

    assert sentence in error
    assert status == (200 if name.endswith("safetensors") else 400)
    assert Store(own.models).entry(ModelName.parse("never")) is None


def test_two_models_or_two_adapters_are_one_too_many(
    own: Daemon, tiny: Path, full: Path, tmp_path: Path
) -> None:
    files = {"a.gguf": upload(own, full.read_bytes())}
    files["b.gguf"] = upload(own, tiny.read_bytes())
    lora = write_lora(tmp_path / "lora.gguf", tiny, strength=0.5).read_bytes()
    adapters = dict.fromkeys(("a.gguf", "b.gguf"), upload(own, lora))

    assert "several models, take one" in refusal(own, files=files)[1]
    assert "both models" in refusal(own, **BASE, files={"a.gguf": files["a.gguf"]})[1]
    assert "only one adapter" in refusal(own, **BASE, adapters=adapters)[1]


def test_a_blob_comes_once(own: Daemon) -> None:
    data = b"a blob of three MiB" * 165_000
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    url = f"/api/blobs/{digest}"

    assert own.http.head(url).status_code == 404
    assert own.http.post(url, content=data).status_code == 201
    assert own.http.head(url).status_code == 200
    assert own.http.post(url, content=b"not read").status_code == 200
    assert Store(own.models).blobs.size(Digest.parse(digest)) == len(data)


def test_a_blob_that_is_another_leaves_nothing(own: Daemon) -> None:
    eventually(lambda: not unfinished(own), "an earlier test has not ended")
    before = sorted((own.models / "blobs").iterdir())

    response = own.http.post(f"/api/blobs/{UNKNOWN}", content=b"other")

    other = hashlib.sha256(b"other").hexdigest()
    text = f'digest mismatch, expected "{UNKNOWN}", got "sha256:{other}"'
    assert (response.status_code, response.json()) == (400, {"error": text})
    assert sorted((own.models / "blobs").iterdir()) == before


def test_a_client_that_stops_sending_leaves_nothing(own: Daemon) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x" * (2 << 20)
        raise ZeroDivisionError

    eventually(lambda: not unfinished(own), "an earlier test has not ended")
    before = sorted((own.models / "blobs").iterdir())
    with pytest.raises(ZeroDivisionError):
        own.http.post(f"/api/blobs/{UNKNOWN}", content=chunks())

    eventually(
        lambda: sorted((own.models / "blobs").iterdir()) == before,
        "something is left of the upload",
    )


@pytest.mark.parametrize(
    "digest",
    [
        *("sha256:" + "0" * n for n in (0, 63, 65)),
        *(f"sha256:{'0' * 63}{end}" for end in ("%0a", "%20", "%00", "%09", "g")),
        "md5:" + "0" * 32,
        "0" * 64,
        "sha512:" + "0" * 128,
        f"sha256:{'٠' * 64}",
    ],
)
def test_what_is_no_digest(own: Daemon, digest: str) -> None:
    response = own.http.post(f"/api/blobs/{digest}", content=b"x")

    assert response.status_code == 400
    assert response.json() == {"error": "invalid digest format"}


def test_capitals_and_a_dash_are_the_same_digest(own: Daemon) -> None:
    data = b"folded"
    digest = hashlib.sha256(data).hexdigest()

    spelled = f"/api/blobs/sha256-{digest.upper()}"
    assert own.http.post(spelled, content=data).status_code == 201
    assert own.http.head(f"/api/blobs/sha256:{digest}").status_code == 200


def test_an_empty_blob(own: Daemon) -> None:
    empty = hashlib.sha256().hexdigest()
    (own.models / "blobs" / f"sha256-{empty}").unlink(missing_ok=True)
    assert own.http.post(f"/api/blobs/sha256:{empty}").status_code == 201
    assert own.http.post(f"/api/blobs/{UNKNOWN}").status_code == 400


def test_an_answer_that_is_not_streamed(own: Daemon) -> None:
    body = {"model": "whole", **BASE, "stream": False}
    response = own.post("/api/create", **body)
    assert (response.status_code, response.json()) == (200, {"status": "success"})


def test_the_weights_of_a_base_are_shared(own: Daemon) -> None:
    create(own, "one", **BASE, system="1")
    create(own, "two", **BASE, system="2")
    [one], [two] = (manifest(own, m).layers_of("model") for m in ("one", "two"))
    assert one.digest == two.digest
    path = Store(own.models).blobs.find(one.digest)
    assert path
    assert read_header(path).architecture == "llama"


def test_a_base_that_is_nowhere(own: Daemon, free_port: int) -> None:
    host = f"127.0.0.1:{free_port}"
    with own.http.stream(
        "POST", "/api/create", json={"model": "x", "from": f"{host}/a/b"}
    ) as response:
        text = response.read().decode()
    assert host in text
    assert Store(own.models).entry(ModelName.parse("x")) is None


@pytest.fixture
def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
