"""The store: models by name, and the blobs that live and die with them."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from ollapy.api.ollama import Message
from ollapy.errors import (
    CorruptManifest,
    InvalidModel,
    InvalidRequest,
    ModelNotFound,
    OllapyError,
)
from ollapy.gguf import read_header
from ollapy.names import ModelName
from ollapy.store import Layer, Manifest, Model, ModelConfig, Store
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE, digest_of, encode
from ollapy.units import format_parameters
from tests.support.raw_gguf import Row, boolean, model, text, u32, write

TINY = Path(__file__).parents[2] / "ollapy" / "store" / "tiny.gguf"
WEIGHTS = model()
ADAPTER = write(
    {
        "general.architecture": text("llama"),
        "general.type": text("adapter"),
        "adapter.type": text("lora"),
    },
    [
        Row("blk.0.attn_q.weight.lora_a", (32, 2)),
        Row("blk.0.attn_q.weight.lora_b", (2, 32)),
    ],
)


def name(text: str) -> ModelName:
    return ModelName.parse(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def store(root: Path) -> Iterator[Store]:
    with closing(Store(root)) as store:
        yield store


def layers(store: Store, *given: tuple[str, bytes]) -> list[Layer]:
    """Stores each content and names it as a layer of that kind."""
    return [
        Layer(f"{LAYER_TYPE}{kind}", str(store.blobs.add([data])), len(data))
        for kind, data in given
    ]


def put(
    store: Store,
    model_name: str,
    *given: tuple[str, bytes],
    config: bytes = b"{}",
    weights: bytes = WEIGHTS,
) -> Model:
    """Stores a model of these layers and gets it."""
    manifest = Manifest(
        config=Layer(CONFIG_TYPE, str(store.blobs.add([config])), len(config)),
        layers=layers(store, ("model", weights), *given),
    )
    store.put(name(model_name), manifest)
    return store.get(name(model_name))


def blobs(root: Path) -> set[str]:
    """The names of all files in the blob folder, stray ones too."""
    return {path.name for path in (root / "blobs").iterdir()}


def check(root: Path) -> None:
    """I1: every blob is what its name says. I2: every manifest's blobs are there."""
    for path in (root / "blobs").iterdir():
        assert path.name == f"sha256-{hashlib.sha256(path.read_bytes()).hexdigest()}"
    for path in (root / "manifests").glob("*/*/*/*"):
        manifest = msgspec.json.decode(path.read_bytes())
        for layer in [manifest["config"], *manifest["layers"]]:
            blob = root / "blobs" / layer["digest"].replace(":", "-")
            assert blob.stat().st_size == layer["size"]


def names(models: Iterable[Model]) -> list[str]:
    return [str(model.name) for model in models]


# ---- what a manifest stands for


def test_a_model_with_everything(store: Store, root: Path) -> None:
    config = (
        b'{"model_format":"gguf","model_family":"llama","renderer":"r","unknown":1}'
    )

    model = put(
        store,
        "user/Full:7b",
        ("projector", b"P"),
        ("adapter", ADAPTER),
        ("template", b"{{ .Prompt }}"),
        ("system", b"Be brief."),
        ("params", b'{"temperature":0.5,"stop":["a","b"]}'),
        ("messages", b'[{"role":"user","content":"Hi"}]'),
        ("license", b"MIT"),
        ("license", b"Apache"),
        ("embed", b"obsolete"),
        config=config,
    )

    assert names([model]) == ["user/Full:7b"]
    assert model.size == sum(path.stat().st_size for path in (root / "blobs").iterdir())
    assert model.config == ModelConfig(
        model_format="gguf", model_family="llama", renderer="r"
    )
    assert model.weights.read_bytes() == WEIGHTS
    assert model.loads == (digest_of(WEIGHTS),)
    assert [path.read_bytes() for path in model.projectors] == [b"P"]
    (adapter,) = model.adapters
    assert Path(adapter.path).read_bytes() == ADAPTER
    assert (adapter.digest, adapter.size, adapter.scale) == (
        str(digest_of(ADAPTER)),
        len(ADAPTER),
        1.0,
    )
    assert (model.template, model.system) == ("{{ .Prompt }}", "Be brief.")
    assert model.parameters == {"temperature": 0.5, "stop": ["a", "b"]}
    assert model.messages == [Message("user", "Hi")]
    assert model.licenses == ["MIT", "Apache"]
    assert model.header == read_header(model.weights)
    assert model.digest == digest_of(
        (root / "manifests" / model.name.path).read_bytes()
    )
    check(root)


def test_a_model_with_weights_alone(store: Store) -> None:
    model = put(store, "plain")

    assert (model.template, model.system, model.parameters, model.messages) == (
        None,
        None,
        {},
        [],
    )
    assert (model.licenses, model.projectors, model.adapters, model.parent) == (
        [],
        [],
        (),
        "",
    )


GO_TOOLS = b"{{ .Tools }}{{ range .Messages }}{{ .Content }}{{ end }}"
GO_THINKING = (
    b"{{ range .Messages }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}"
    b"{{ .Content }}{{ end }}"
)
CAPABILITIES = {
    "completion": ({}, [], ["completion"]),
    "embedding": ({"llama.pooling_type": u32(1), "llama.attention.causal": boolean(0)}, [], ["embedding"]),
    "tools of Jinja": ({"tokenizer.chat_template": text("{{ tools }}")}, [], ["completion", "tools"]),
    "tools of Go": ({}, [("template", GO_TOOLS)], ["completion", "tools"]),
    "thinking of Jinja": ({"tokenizer.chat_template": text("<think></think>")}, [], ["completion", "thinking"]),
    "thinking of Go": ({}, [("template", GO_THINKING)], ["completion", "thinking"]),
    "insert of Go": ({}, [("template", b"<p>{{ .Prompt }}<s>{{ .Suffix }}")], ["completion", "insert"]),
    "a template of the model's own": ({"tokenizer.chat_template": text("{{ tools }}")}, [("template", b"{{ .Prompt }}")], ["completion"]),
    "an empty template": ({"tokenizer.chat_template": text("{{ tools }}")}, [("template", b"")], ["completion", "tools"]),
    "a broken template": ({}, [("template", b"{{ .Tools")], ["completion"]),
    "insert by tokens": (
        {f"tokenizer.ggml.{key}_token_id": u32(5) for key in ("fim_pre", "suffix", "fim_mid")},
        [],
        ["completion", "insert"],
    ),
    "no insert with two tokens": (
        {f"tokenizer.ggml.{key}_token_id": u32(5) for key in ("fim_pre", "prefix", "fim_mid")},
        [],
        ["completion"],
    ),
    "vision by projector": ({}, [("projector", b"P")], ["completion", "vision"]),
    "vision and audio inside": (
        {"llama.vision.block_count": u32(2), "llama.audio.block_count": u32(2)},
        [],
        ["completion", "vision", "audio"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "given", "expected"), CAPABILITIES.values(), ids=CAPABILITIES
)
def test_capabilities(
    store: Store,
    keys: dict[str, bytes],
    given: list[tuple[str, bytes]],
    expected: list[str],
) -> None:
    assert put(store, "x", *given, weights=model(keys)).capabilities == expected


def test_capabilities_of_the_config_come_first(store: Store) -> None:
    model = put(store, "x", config=b'{"capabilities":["vision","completion"]}')

    assert model.capabilities == ["vision", "completion"]


# ---- finding


def test_newest_first(store: Store, root: Path) -> None:
    for number, written in enumerate(("b", "c", "a")):
        put(store, written)
        os.utime(root / "manifests" / name(written).path, (4e9 + number, 4e9 + number))

    assert names(store.models()) == ["a:latest", "c:latest", "b:latest", "tiny:latest"]


def test_b079_any_spelling_finds(store: Store) -> None:
    put(store, "Mixed:Q4")

    assert names([store.get(name("mixed:q4"))]) == ["Mixed:Q4"]
    assert names([put(store, "MIXED:Q4")]) == ["Mixed:Q4"]


def test_absent(store: Store) -> None:
    assert store.find(name("absent")) is None
    for act in (store.get, store.delete):
        with pytest.raises(ModelNotFound) as caught:
            act(name("absent"))
        assert str(caught.value) == "model 'absent:latest' not found"


def test_reading_creates_nothing(store: Store, root: Path) -> None:
    store.models()
    store.get(name("tiny"))
    store.find(name("x"))

    assert not root.exists()


def damage_manifest(store: Store, root: Path) -> None:
    (root / "manifests" / name("bad").path).write_bytes(b"{")


def lose_weights(store: Store, root: Path) -> None:
    store.blobs.remove(store.get(name("bad")).loads[0])


def lose_template(store: Store, root: Path) -> None:
    store.blobs.remove(digest_of(b"bad"))


DAMAGE = {
    "manifest": damage_manifest,
    "weights": lose_weights,
    "template": lose_template,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_model_hides_no_other_and_can_be_replaced(
    store: Store, root: Path, damage: object
) -> None:
    assert callable(damage)
    put(store, "good")
    put(store, "bad", ("template", b"bad"), weights=model({"x": u32(1)}))
    damage(store, root)

    assert "bad:latest" not in names(store.models())
    assert "good:latest" in names(store.models())
    with pytest.raises(CorruptManifest, match="'bad:latest'") as caught:
        store.get(name("bad"))
    assert str(root) not in str(caught.value)

    put(store, "bad")
    assert "bad:latest" in names(store.models())


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_model_can_be_deleted(
    store: Store, root: Path, damage: object
) -> None:
    assert callable(damage)
    put(store, "bad", ("template", b"bad"), weights=model({"x": u32(1)}))
    damage(store, root)

    store.delete(name("bad"))

    assert names(store.models()) == ["tiny:latest"]


@pytest.mark.parametrize(
    ("kind", "data"),
    [("params", b"{"), ("params", b"[1]"), ("params", b"\xff"), ("messages", b'[{"role":1}]'), ("system", bytes(5 << 20))],
    ids=["not JSON", "a list", "not UTF-8", "wrong type", "5 MB"],
)  # fmt: skip
def test_a_damaged_layer(store: Store, kind: str, data: bytes) -> None:
    with pytest.raises(CorruptManifest, match=f"the {kind} of 'x:latest' is damaged"):
        put(store, "x", (kind, data))


def test_weights_that_llama_cpp_would_abort_on(store: Store) -> None:
    bad = put(store, "bad", weights=model({"llama.block_count": u32(0)}))

    assert names(store.models()) == ["tiny:latest"]
    with pytest.raises(InvalidModel) as caught:
        _ = bad.header
    assert str(caught.value) == (
        "the file of 'bad:latest' cannot be run: llama.block_count is 0, not between 1 and 512"
    )


def test_an_adapter_is_not_a_model(store: Store) -> None:
    """llama.cpp would load it unchecked: only a model's header is held to a model's rules."""
    with pytest.raises(InvalidModel, match="an addition to a model"):
        _ = put(store, "x", weights=ADAPTER).header


def test_a_header_is_read_once(store: Store, root: Path) -> None:
    first = put(store, "x").header

    store.copy(name("x"), name("y"))
    assert store.get(name("y")).header is first


# ---- changing


def test_i2_a_manifest_needs_its_blobs(store: Store, root: Path) -> None:
    [layer] = layers(store, ("model", WEIGHTS))
    absent = msgspec.structs.replace(layer, digest_text=f"sha256:{'0' * 64}")
    short = msgspec.structs.replace(layer, size=layer.size - 1)

    for wrong in (absent, short):
        with pytest.raises(CorruptManifest, match="is not in the store"):
            store.put(name("x"), Manifest(config=layer, layers=[wrong]))
    assert store.find(name("x")) is None


def test_bytes_of_a_manifest_are_kept(store: Store, root: Path) -> None:
    """The digest that a registry knows is of its own spelling of the JSON."""
    [layer] = layers(store, ("model", WEIGHTS))
    config = Layer(CONFIG_TYPE, str(store.blobs.add([b"{}"])), 2)
    theirs = b" " + encode(Manifest(config=config, layers=[layer]))

    store.put(name("x"), theirs)
    store.copy(name("x"), name("y"))

    assert (
        store.get(name("x")).digest == store.get(name("y")).digest == digest_of(theirs)
    )


def test_i3_replacing_keeps_what_is_shared(store: Store, root: Path) -> None:
    put(store, "x", ("system", b"old"), ("license", b"MIT"))
    put(store, "x", ("system", b"new"), ("license", b"MIT"))

    assert store.get(name("x")).system == "new"
    assert blobs(root) == {
        digest_of(data).filename for data in (WEIGHTS, b"{}", b"new", b"MIT")
    }
    check(root)


def test_i3_a_replacement_that_fails_keeps_the_old(store: Store, root: Path) -> None:
    put(store, "x", ("system", b"old"))
    before = blobs(root)

    with pytest.raises(OllapyError):
        store.put(name("x"), b"{}")

    assert store.get(name("x")).system == "old"
    assert blobs(root) == before


def test_copy_shares_blobs(store: Store, root: Path) -> None:
    put(store, "x", ("system", b"S"))
    before = blobs(root)

    store.copy(name("X"), name("user/y:1"))

    assert blobs(root) == before
    assert store.get(name("user/y:1")).system == "S"
    with pytest.raises(ModelNotFound, match="model 'z:latest' not found"):
        store.copy(name("z"), name("y"))


def test_copy_onto_itself_does_nothing(store: Store, root: Path) -> None:
    put(store, "x")
    path = root / "manifests" / name("x").path
    os.utime(path, (5, 5))

    store.copy(name("x"), name("X"))

    assert path.stat().st_mtime == 5


def test_i6_delete_keeps_what_others_need(store: Store, root: Path) -> None:
    put(store, "x", ("system", b"own"), ("license", b"MIT"))
    put(store, "y", ("license", b"MIT"))

    store.delete(name("x"))
    assert blobs(root) == {
        digest_of(data).filename for data in (WEIGHTS, b"{}", b"MIT")
    }
    check(root)

    store.delete(name("Y"))
    assert blobs(root) == set()
    assert list((root / "manifests").iterdir()) == []


def test_i6_a_damaged_manifest_keeps_every_blob(
    store: Store, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, "x", ("system", b"S"))
    store.copy(name("x"), name("bad"))
    damage_manifest(store, root)
    before = blobs(root)

    with caplog.at_level(logging.WARNING):
        store.delete(name("x"))

    assert blobs(root) == before
    assert "blobs kept" in caplog.text


def test_many_change_the_store_at_once(store: Store, root: Path) -> None:
    """Half the threads make models of shared blobs, half delete them; what is left is whole."""
    put(store, "seed", ("license", b"MIT"))

    def churn(number: int) -> None:
        for _ in range(10):
            store.copy(name("seed"), name(f"x{number}"))
            store.copy(name(f"x{number}"), name("contended"))
            store.delete(name(f"x{number}"))

    threads = [Thread(target=churn, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(names(store.models())) == [
        "contended:latest",
        "seed:latest",
        "tiny:latest",
    ]
    check(root)


# ---- the built-in model


def test_tiny_is_in_every_store(store: Store) -> None:
    tiny = store.get(name("Tiny"))

    assert names(store.models()) == names([tiny]) == ["tiny:latest"]
    assert tiny.weights == TINY
    assert tiny.digest == Store(Path("elsewhere")).get(name("tiny")).digest
    assert tiny.modified_at == TINY.stat().st_mtime
    assert tiny.capabilities == ["completion", "tools", "thinking", "insert"]


def test_tinys_config_is_true_of_its_header(store: Store) -> None:
    tiny = store.get(name("tiny"))

    assert tiny.config == ModelConfig(
        model_format="gguf",
        model_family=tiny.header.architecture,
        model_families=[tiny.header.architecture],
        model_type=format_parameters(tiny.header.num_parameters),
        file_type=tiny.header.file_type,
        architecture="amd64",
        os="linux",
    )


def test_tiny_cannot_be_removed(store: Store, root: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        store.delete(name("TINY"))

    assert str(caught.value) == "model 'tiny:latest' is built in and cannot be removed"


def test_a_copy_of_tiny_is_an_ordinary_model(store: Store, root: Path) -> None:
    store.copy(name("tiny"), name("small"))

    small = store.get(name("small"))
    assert small.weights.parent == root / "blobs"
    assert small.digest == store.get(name("tiny")).digest
    assert store.get(name("tiny")).weights == TINY
    check(root)
    store.delete(name("small"))
    assert blobs(root) == set()


def test_a_stored_tiny_hides_the_built_in_one(store: Store) -> None:
    put(store, "Tiny", ("system", b"S"))

    assert names(store.models()) == ["Tiny:latest"]
    assert store.get(name("tiny")).system == "S"

    store.delete(name("tiny"))
    assert store.get(name("tiny")).system is None


@pytest.mark.parametrize("models", ["file", "file/models"])
def test_a_file_in_the_way_of_the_store_is_told(tmp_path: Path, models: str) -> None:
    (tmp_path / "file").touch()

    assert Store(tmp_path / models).obstacle() == f"{tmp_path / 'file'} is not a folder"
    assert Store(tmp_path / "not" / "yet").obstacle() == ""
