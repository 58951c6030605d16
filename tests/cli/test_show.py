"""`ollapy show` and `/api/show`: what a model is made of, in words and as the API's fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ollapy.modelfile import Message, Parameter, parse
from ollapy.names import ModelName
from ollapy.store import Blobs, Layer, Manifest, Store
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE
from scripts.make_gguf import write_lora
from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.parts import split, write_projector
from tests.support.terminal import Result, ollapy

CONFIG = {
    "model_format": "gguf",
    "renderer": "qwen3",
    "parser": "qwen3-think",
    "requires": "0.14.0",
}
TEXTS = {
    "template": "{{ .System }} {{ .Prompt }}",
    "system": "Be brief.\n\nBe kind.\nBe honest.",
    "params": '{"stop":["<|a|>","b \\"c\\""],"temperature":0.5,"num_ctx":4096}',
    "messages": '[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"}]',
    "license": "LICENSE\n\nThe first line.\nThe second.",
}
SCREEN = """\
  Model
    architecture        llama
    parameters          3.54M
    context length      4096
    embedding length    256
    quantization        Q8_0
    requires            0.14.0
    template            in the Modelfile
    files               2
    adapters            1

  Capabilities
    completion
    insert
    vision

  Projector
    architecture        clip
    parameters          8K
    embedding length    32
    dimensions          256

  Parameters
    stop           "<|a|>"
    stop           "b \\"c\\""
    temperature    0.5
    num_ctx        4096

  System
    Be brief.
    Be kind.
    ...

  License
    LICENSE
    The first line.
    ...
"""


def put(models: Path, name: str, *layers: tuple[str, bytes]) -> Manifest:
    """Store a model of these layers, by their kinds."""
    blobs = Blobs(models / "blobs")

    def layer(media_type: str, data: bytes) -> Layer:
        return Layer(media_type, str(blobs.add([data])), len(data))

    manifest = Manifest(
        config=layer(CONFIG_TYPE, json.dumps(CONFIG).encode()),
        layers=[layer(LAYER_TYPE + kind, data) for kind, data in layers],
    )
    Store(models).put(ModelName.parse(name), manifest)
    return manifest


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with `full`, which has everything that a model can have."""
    folder = tmp_path_factory.mktemp("gallery")
    files = [
        *(("model", part) for part in split(TINY, folder, 2)),
        ("projector", write_projector(folder / "mmproj.gguf")),
        ("adapter", write_lora(folder / "lora.gguf", TINY, strength=0.1)),
    ]
    put(
        folder / "models",
        "full",
        *((kind, path.read_bytes()) for kind, path in files),
        *((kind, text.encode()) for kind, text in TEXTS.items()),
    )
    with running_daemon(folder) as daemon:
        yield daemon


def shown(daemon: Daemon, **body: Any) -> dict[str, Any]:
    response = daemon.post("/api/show", model="full", **body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_the_screen_has_every_section(gallery: Daemon) -> None:
    assert ollapy("show", "full", host=gallery.address) == Result(0, SCREEN, "")


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("license", TEXTS["license"]),
        ("template", TEXTS["template"]),
        ("system", TEXTS["system"]),
    ],
)
def test_one_text_is_printed_whole(gallery: Daemon, part: str, text: str) -> None:
    result = ollapy("show", f"--{part}", "full", host=gallery.address)

    assert result == Result(0, f"{text}\n", "")


def test_the_modelfile_has_every_part(gallery: Daemon) -> None:
    text = ollapy("show", "--modelfile", "full", host=gallery.address).out
    lines, found = text.splitlines(), parse(text)

    files = shown(gallery)["ollapy"]["files"]
    assert [(Path(path).name.replace("-", ":")) for path in found.sources] == [
        file["digest"] for file in files if file["kind"] in ("model", "projector")
    ]
    assert len(found.sources) == 3
    assert len(found.adapters) == 1
    assert (found.template, found.system) == (TEXTS["template"], TEXTS["system"])
    assert (found.renderer, found.parser) == ("qwen3", "qwen3-think")
    assert found.requires == "0.14.0"
    assert found.parameters == (
        Parameter("stop", "<|a|>"),
        Parameter("stop", 'b "c"'),
        Parameter("temperature", "0.5"),
        Parameter("num_ctx", "4096"),
    )
    assert found.licenses == (TEXTS["license"],)
    assert found.messages == (Message("user", "Hi"), Message("assistant", "Yes?"))
    commands = [line.split()[0] for line in lines if line[:1].isupper()]
    assert commands[:4] == ["FROM", "ADAPTER", "FROM", "FROM"]


def test_the_api_tells_of_the_projector_and_the_files(gallery: Daemon) -> None:
    answer = shown(gallery)

    assert answer["projector_info"] == {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "general.parameter_count": 8192,
        "clip.has_vision_encoder": True,
        "clip.vision.embedding_length": 32,
        "clip.vision.projection_dim": 256,
    }
    assert answer["details"]["families"] == ["llama", "clip"]
    assert answer["requires"] == "0.14.0"
    assert answer["ollapy"]["template_of"] == "model"
    kinds = [file["kind"] for file in answer["ollapy"]["files"]]
    assert kinds == ["model", "model", "projector", "adapter"]


def test_a_model_without_a_projector_has_no_such_field(gallery: Daemon) -> None:
    answer = gallery.post("/api/show", model="tiny").json()

    assert "projector_info" not in answer
    assert answer["details"]["families"] == ["llama"]
    assert answer["ollapy"]["template_of"] == "weights"


def test_a_system_and_options_change_the_modelfile_alone(gallery: Daemon) -> None:
    """As in Ollama, whose `run` saves a session this way."""
    plain = shown(gallery)
    answer = shown(gallery, system="Rhyme.", options={"num_ctx": 8, "stop": ["x"]})

    found = parse(answer["modelfile"])
    assert found.system == "Rhyme."
    assert set(found.parameters) == {
        Parameter("stop", "x"),
        Parameter("temperature", "0.5"),
        Parameter("num_ctx", "8"),
    }
    assert {**answer, "modelfile": ""} == {**plain, "modelfile": ""}


def test_an_editor_that_shows_the_base_name_gets_the_models(gallery: Daemon) -> None:
    response = gallery.http.post(
        "/api/show",
        json={"model": "full"},
        headers={"User-Agent": "GitHubCopilotChat/0.31"},
    )

    assert response.json()["model_info"]["general.basename"] == "full"


def test_a_projector_that_is_damaged_is_named(tmp_path: Path) -> None:
    put(
        tmp_path / "models",
        "odd",
        ("model", TINY.read_bytes()),
        ("projector", b"GGUF and no more"),
    )
    with running_daemon(tmp_path) as daemon:
        result = ollapy("show", "odd", host=daemon.address)

    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(
        "Error: the projector of 'odd:latest' cannot be used: "
    )
