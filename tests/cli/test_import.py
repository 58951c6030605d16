"""`ollapy import`: files on this machine get names, and stay what and where they are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ollapy.cli.naming import folder_name, gguf_name
from ollapy.gguf import Header
from ollapy.gguf.filenames import models_of
from ollapy.names import Digest, ModelName
from ollapy.store import Blobs
from scripts.make_gguf import write_lora
from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.hugging_face import config_of, tensors_of, write_json, write_model
from tests.support.parts import split, write_projector
from tests.support.raw_gguf import weights, write_sparse
from tests.support.strangers import free_address
from tests.support.terminal import CTRL_C, Result, ollapy, terminal

GIB = 1 << 30


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One for the tests that give names and contents of their own."""
    with running_daemon(tmp_path_factory.mktemp("imports")) as daemon:
        yield daemon


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Daemon]:
    """One for a test that looks at all that there is."""
    with running_daemon(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "own"
    path.mkdir()
    return path


def env(daemon: Daemon) -> dict[str, str]:
    return {"OLLAPY_MODELS": str(daemon.models)}


def bring(daemon: Daemon, *words: str | Path, folder: Path | None = None) -> Result:
    """Import, on the daemon's machine."""
    return ollapy(
        *("import", *map(str, words)),
        host=daemon.address,
        env=env(daemon),
        folder=folder,
    )


def files(daemon: Daemon, name: str) -> list[dict[str, Any]]:
    response = daemon.post("/api/show", model=name)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["ollapy"]["files"]
    return found


def kinds(daemon: Daemon, name: str) -> list[str]:
    return [file["kind"] for file in files(daemon, name)]


def blobs(daemon: Daemon, name: str) -> list[Path]:
    """Where the bytes of a model's files are."""
    store = Blobs(daemon.models / "blobs")
    found = [store.find(Digest.parse(f["digest"])) for f in files(daemon, name)]
    return [path for path in found if path]


def names(daemon: Daemon) -> set[str]:
    models = daemon.http.get("/api/tags").json()["models"]
    return {model["name"] for model in models} - {"tiny:latest"}


def test_a_file(own: Daemon, folder: Path) -> None:
    file = folder / "Poet-1B-Instruct.Q4_K_M.gguf"
    file.write_bytes(TINY.read_bytes())
    before = file.stat()

    result = bring(own, file)

    name = "poet-1b-instruct:q4_k_m"
    assert (result.status, result.out) == (
        0,
        f"imported as '{name}', 3.8 MB linked, nothing copied\n",
    )
    assert result.err.endswith("success\n")
    assert (
        "Tokyo" in own.generate("What is the capital of Japan?", model=name)["response"]
    )
    after = file.stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
    [blob] = blobs(own, name)
    if blob.stat().st_ino == file.stat().st_ino:
        assert after.st_blocks == blob.stat().st_blocks


def test_what_is_imported_outlives_the_files_name(own: Daemon, folder: Path) -> None:
    (folder / "a.gguf").write_bytes(TINY.read_bytes())
    bring(own, folder / "a.gguf")
    (folder / "a.gguf").unlink()

    assert (
        "Tokyo"
        in own.generate("What is the capital of Japan?", model="a:q8_0")["response"]
    )


def test_the_same_again_is_said_to_be_here(own: Daemon, folder: Path) -> None:
    """And what was made of it since, such as its system text, is kept."""
    file = folder / "poet.gguf"
    file.write_bytes(weights())
    first = bring(own, file, "--name", "poet")
    own.post(
        "/api/create", model="poet", **{"from": "poet"}, system="Rhyme.", stream=False
    )

    second = bring(own, file, "--name", "poet")

    assert (first.status, second.status) == (0, 0)
    assert second.out == "'poet' is here already\n"
    assert own.post("/api/show", model="poet").json()["system"] == "Rhyme."


def test_another_model_of_the_name_stays(own: Daemon, folder: Path) -> None:
    (folder / "bard.gguf").write_bytes(weights(seed=11))
    bring(own, folder / "bard.gguf", "--name", "bard")
    before = files(own, "bard")
    (folder / "other.gguf").write_bytes(weights(seed=12))

    refused = bring(own, folder / "other.gguf", "--name", "Bard")
    assert refused.status == 1
    assert refused.err.endswith(
        "Error: there is another model 'Bard' already: --name gives this one another name, "
        "--force replaces that one\n"
    )
    assert files(own, "bard") == before

    forced = bring(own, folder / "other.gguf", "--name", "Bard", "--force")
    assert forced.status == 0
    assert files(own, "bard") != before


def test_any_part_and_the_projector(own: Daemon, folder: Path) -> None:
    (folder / "tiny-f16.gguf").write_bytes(TINY.read_bytes())
    parts = split(folder / "tiny-f16.gguf", folder, 3)
    (folder / "tiny-f16.gguf").unlink()
    write_projector(folder / "mmproj-tiny-f16.gguf")

    result = bring(own, parts[1])

    assert (result.status, result.out.partition(",")[0]) == (
        0,
        "imported as 'tiny:f16'",
    )
    assert kinds(own, "tiny:f16") == ["model"] * 3 + ["projector"]
    assert (
        "Tokyo"
        in own.generate("What is the capital of Japan?", model="tiny:f16")["response"]
    )


def test_a_folder_of_models(empty: Daemon, folder: Path) -> None:
    """Each is one of its empty, a projector goes with the model it is named for, and what is damaged keeps no other."""
    for seed, name in enumerate(("apple-Q8_0", "pear-Q8_0", "plum-Q4_0")):
        (folder / f"{name}.gguf").write_bytes(weights(seed=seed))
    (folder / "broken.gguf").write_bytes(b"GGUF")
    write_projector(folder / "pear-mmproj.gguf")
    write_lora(folder / "apple-lora.gguf", TINY, strength=0.1)

    result = bring(empty, folder)

    assert result.status == 1
    assert "Error: '" in result.err
    assert (
        "broken.gguf' cannot be used: the file ends inside its header\n" in result.err
    )
    assert result.out.count("imported as") == 3
    assert names(empty) == {"apple:q8_0", "pear:q8_0", "plum:q4_0"}
    assert kinds(empty, "pear:q8_0") == ["model", "projector"]
    assert kinds(empty, "apple:q8_0") == ["model"]


def test_a_name_for_several(empty: Daemon, folder: Path) -> None:
    for seed, name in enumerate(("apple", "pear")):
        (folder / f"{name}.gguf").write_bytes(weights(seed=seed))

    result = bring(empty, folder, "--name", "fruit")

    assert (result.status, result.out, names(empty)) == (2, "", set())
    assert "it is for one model, and these are 2: apple.gguf, pear.gguf" in result.err


def test_a_folder_with_safetensors(own: Daemon, tmp_path: Path) -> None:
    config = config_of("LlamaForCausalLM", torch_dtype="bfloat16")
    model = write_model(tmp_path / "Poet-1B", config, tensors_of(config), dtype="BF16")

    result = bring(own, ".", folder=model)
    again = bring(own, model)
    small = bring(own, model, "-q", "q8_0")

    assert result.status == 0
    assert result.out.startswith("imported as 'poet-1b:bf16', made of ")
    assert again.status == 1
    assert "reading" not in again.err
    assert small.out.startswith("imported as 'poet-1b:q8_0', made of ")
    details = own.post("/api/show", model="poet-1b:q8_0").json()["details"]
    assert details["quantization_level"] == "Q8_0"


def test_a_file_on_another_disk(own: Daemon, folder: Path) -> None:
    """It has to stay, which is said; if it does not, importing it again is the cure."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == folder.stat().st_dev:
        pytest.skip("needs a second filesystem")
    file = memory / f"ollapy-import-{os.getpid()}.gguf"
    moved = file.with_name(f"moved-{file.name}")
    file.write_bytes(weights(seed=13))
    try:
        first = bring(own, file, "--name", "far")
        assert (
            first.out
            == "imported as 'far', 65 KB used where it is, nothing copied: keep the file\n"
        )
        assert blobs(own, "far") == [file]
        file.rename(moved)
        assert (
            "has moved or changed: import it again"
            in ollapy("show", "far", host=own.address).err
        )
        second = bring(own, moved, "--name", "far")
        assert second.status == 0
        assert blobs(own, "far") == [moved]
    finally:
        file.unlink(missing_ok=True)
        moved.unlink(missing_ok=True)


def test_a_daemon_elsewhere_gets_a_copy(own: Daemon, folder: Path) -> None:
    (folder / "away.gguf").write_bytes(weights(seed=14))
    words = ("import", str(folder / "away.gguf"), "--name", "away")
    mine = {"OLLAPY_MODELS": str(folder / "store")}

    first = ollapy(*words, host=own.address, env=mine)
    second = ollapy(*words, host=own.address, env=mine)

    assert first.out == "imported as 'away', 65 KB copied to the daemon\n"
    assert second.out == "'away' is here already\n"


def test_json_is_records(own: Daemon, folder: Path) -> None:
    (folder / "told.gguf").write_bytes(weights(seed=15))

    result = bring(own, folder / "told.gguf", "--json")

    assert (result.status, result.err) == (0, "")
    records = [json.loads(line) for line in result.out.splitlines()]
    assert records[0] == {"status": "importing as told:latest"}
    assert records[-1] == {"status": "success"}


def test_a_file_of_a_cache(empty: Daemon, folder: Path) -> None:
    """Whose name is a digest: what it is called is in the file, and its neighbours are not its parts."""
    file = folder / f"sha256-{'a' * 64}"
    file.write_bytes(TINY.read_bytes())
    (folder / f"{file.name}.gguf").write_bytes(weights(seed=1))

    result = bring(empty, file)

    assert result.status == 0
    [name] = names(empty)
    assert files(empty, name) == files(empty, "tiny")


def test_nothing_is_not_this_folder(own: Daemon, folder: Path) -> None:
    """As where a variable of the shell is not set."""
    (folder / "apple.gguf").write_bytes(weights(seed=1))

    result = bring(own, "", folder=folder)

    assert result == Result(1, "", "Error: there is no file or folder ''\n")


def test_a_name_that_is_none(own: Daemon, folder: Path) -> None:
    (folder / "apple.gguf").write_bytes(weights(seed=1))

    for name in ("../x", ""):
        result = bring(own, folder / "apple.gguf", "--name", name)

        assert result == Result(
            1, "", f"Error: invalid model name: {name or repr(name)}\n"
        )


def test_ctrl_c(empty: Daemon, folder: Path) -> None:
    file = write_sparse(folder / "big.gguf", 4 * GIB)

    with terminal("import", str(file), host=empty.address, **env(empty)) as shown:
        shown.expect("reading big.gguf")
        shown.type(CTRL_C)
        assert shown.wait() == 130

    assert any(line.startswith("Stopped, ") for line in shown.screen)
    assert names(empty) == set()


def test_what_is_no_model(folder: Path) -> None:
    """Is told without a daemon, or with one before anything is made."""
    (folder / "notes").mkdir()

    assert ollapy("import", "absent", host=free_address(), folder=folder) == Result(
        1, "", "Error: there is no file or folder 'absent'\n"
    )
    assert ollapy("import", "notes", host=free_address(), folder=folder) == Result(
        1,
        "",
        "Error: 'notes' holds no model: no GGUF file, and no config.json with safetensors\n",
    )


@pytest.mark.parametrize("kind", ["projector", "adapter", "part", "text"])
def test_what_is_only_a_part(daemon: Daemon, folder: Path, kind: str) -> None:
    path = folder / "x.gguf"
    match kind:
        case "projector":
            write_projector(path)
        case "adapter":
            write_lora(path, TINY, strength=0.1)
        case "part":
            path.write_bytes(TINY.read_bytes())
            path = split(path, folder, 2)[0].rename(folder / "y-00001-of-00002.gguf")
        case "text":
            path.write_text("no model")

    result = bring(daemon, path.name, "--name", "wrong", folder=folder)

    assert (result.status, result.out) == (1, "")
    assert (
        result.err
        == {
            "projector": "Error: 'x.gguf' is no model but goes with one, import the model beside it\n",
            "adapter": "Error: 'x.gguf' is no model but goes with one, import the model beside it\n",
            "part": "Error: 'y' has 1 of its 2 parts here, part 2 is missing\n",
            "text": "Error: 'x.gguf' cannot be used: not a GGUF file\n",
        }[kind]
    )


# ---- names


def header(file_type: int, name: str | None) -> Header:
    named = {} if name is None else {"general.name": name}
    return Header(3, {"general.file_type": file_type, **named}, (), 0, 0)


@pytest.mark.parametrize(
    ("file", "inside", "expected"),
    [
        ("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "Llama", "meta-llama-3.1-8b-instruct:q4_k_m"),
        ("gemma-3-4b-it-UD-Q4_K_XL.gguf", "Gemma", "gemma-3-4b-it:ud-q4_k_xl"),
        ("mistral-7b.gguf", "Mistral", "mistral-7b:q8_0"),
        ("Ünï códe model!.gguf", None, "uni-code-model:q8_0"),
        ("model.gguf", "My Model v2", "my-model-v2:q8_0"),
        ("ggml-model-q4_0.gguf", "Tiny", "tiny:q4_0"),
        ("sha256-" + "a" * 64, "Qwen3 4B", "qwen3-4b:q8_0"),
        ("model.gguf", "../../etc", "etc:q8_0"),
        ("model.gguf", "模型", "folder:q8_0"),
        ("model.gguf", None, "folder:q8_0"),
        (".gguf.gguf", None, "folder:q8_0"),
        ("z" * 120 + ".gguf", None, "z" * 80 + ":q8_0"),
        ("--x--.gguf", None, "x:q8_0"),
    ],
)  # fmt: skip
def test_a_file_has_a_name(file: str, inside: str | None, expected: str) -> None:
    path = file if file.endswith(".gguf") else f"{file}.gguf"
    [model] = models_of([path])

    name = gguf_name(model, header(7, inside), Path("/x/folder"))

    assert name == expected
    assert str(ModelName.parse(name)) == expected


@pytest.mark.parametrize(
    ("path", "config", "expected"),
    [
        ("Qwen3-4B", {"torch_dtype": "bfloat16"}, "qwen3-4b:bf16"),
        ("Qwen3-4B", {"dtype": "float16"}, "qwen3-4b:f16"),
        ("Qwen3-4B", {}, "qwen3-4b:latest"),
        (f"models--org--Qwen3-4B/snapshots/{'a' * 40}", {}, "qwen3-4b:latest"),
        ("model", {"_name_or_path": "org/Poet"}, "poet:latest"),
        ("model", {"_name_or_path": 7, "dtype": []}, "model:latest"),
    ],
)
def test_a_folder_has_a_name(
    tmp_path: Path, path: str, config: dict[str, Any], expected: str
) -> None:
    folder = tmp_path / path
    folder.mkdir(parents=True)
    write_json(folder / "config.json", config)

    assert folder_name(folder) == expected
