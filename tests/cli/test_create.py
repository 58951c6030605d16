"""`ollapy create`, as its user sees it, and what becomes of the files that a Modelfile names."""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from ollapy.cli.blueprint import blueprint
from ollapy.cli.modelfile import read_modelfile
from ollapy.errors import OllapyError
from ollapy.names import Digest, ModelName
from ollapy.store import Blobs, Store
from scripts.make_gguf import write_lora
from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.hugging_face import config_of, tensors_of, write_model
from tests.support.misbehaving import misbehaving
from tests.support.parts import split, write_projector
from tests.support.raw_gguf import weights, write_sparse
from tests.support.strangers import free_address
from tests.support.terminal import CTRL_C, Result, Terminal, ollapy, terminal
from tests.support.waiting import eventually

GIB = 1 << 30
MODELFILE = '''\
# a poet
from ./weights/tiny.gguf
ADAPTER ./lora.gguf
PARAMETER temperature 0.5
PARAMETER stop "<|end|>"
parameter STOP x
PARAMETER stop "two words"
PARAMETER num_ctx 1024
TEMPLATE """{{ .System }}
{{ .Prompt }}"""
SYSTEM """Be brief.
Say "please"."""
LICENSE MIT
LICENSE """More
of it"""
MESSAGE user Hi
MESSAGE assistant What is it?
RENDERER qwen3
PARSER qwen3
REQUIRES 0.14.0
'''.replace("parameter STOP x\n", "")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One for all of these tests, whose models have names of their own."""
    with running_daemon(tmp_path_factory.mktemp("workshop")) as daemon:
        yield daemon


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a user has a model file."""
    path = tmp_path / "own"
    path.mkdir()
    (path / "tiny.gguf").write_bytes(TINY.read_bytes())
    return path


def env(daemon: Daemon) -> dict[str, str]:
    """Whose store is the daemon's."""
    return {"OLLAPY_MODELS": str(daemon.models)}


def create(daemon: Daemon, folder: Path, *words: str, given: str = "") -> Result:
    """In the folder, on the daemon's machine."""
    return ollapy(
        *("create", *words),
        host=daemon.address,
        env=env(daemon),
        folder=folder,
        given=given,
    )


def write(folder: Path, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "Modelfile").write_bytes(data)


def show(daemon: Daemon, name: str) -> dict[str, Any]:
    response = daemon.post("/api/show", model=name)
    assert response.status_code == 200, response.text
    shown: dict[str, Any] = response.json()
    return shown


def layers(daemon: Daemon, name: str) -> list[tuple[str, str]]:
    """Kind and digest of everything that the model is made of."""
    entry = Store(daemon.models).entry(ModelName.parse(name))
    assert entry
    return [(layer.kind, str(layer.digest)) for layer in entry.manifest.layers]


def blob(daemon: Daemon, name: str, number: int = 0) -> Path:
    """Where the bytes of one of a model's files are."""
    digest = show(daemon, name)["ollapy"]["files"][number]["digest"]
    path = Blobs(daemon.models / "blobs").find(Digest.parse(digest))
    assert path
    return path


def stored(daemon: Daemon) -> set[str]:
    """The names of all blobs."""
    return {path.name for path in (daemon.models / "blobs").glob("*")}


def needed(daemon: Daemon, name: str) -> set[str]:
    """Those of the blobs that a model is made of."""
    entry = Store(daemon.models).entry(ModelName.parse(name))
    assert entry
    return {digest.filename for digest in entry.manifest.digests}


# ---- what can be made


def test_every_instruction(daemon: Daemon, folder: Path) -> None:
    (folder / "weights").mkdir()
    (folder / "tiny.gguf").rename(folder / "weights" / "tiny.gguf")
    write_lora(folder / "lora.gguf", TINY, strength=0.1)
    write(folder, MODELFILE)

    result = create(daemon, folder, "every")

    assert (result.status, result.out) == (0, "")
    shown = show(daemon, "every")
    assert [file["kind"] for file in shown["ollapy"]["files"]] == ["model", "adapter"]
    assert shown["template"] == "{{ .System }}\n{{ .Prompt }}"
    assert shown["system"] == 'Be brief.\nSay "please".'
    assert shown["license"] == "MIT\nMore\nof it"
    assert shown["requires"] == "0.14.0"
    assert shown["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "What is it?"},
    ]
    assert "RENDERER qwen3\nPARSER qwen3\n" in shown["modelfile"]
    assert sorted(
        line.split(maxsplit=1) for line in shown["parameters"].split("\n")
    ) == [
        ["num_ctx", "1024"],
        ["stop", '"<|end|>"'],
        ["stop", '"two words"'],
        ["temperature", "0.5"],
    ]


def test_of_another_model(daemon: Daemon, folder: Path) -> None:
    write(folder, "FROM tiny\nSYSTEM Be brief.\n")

    assert create(daemon, folder, "brief").status == 0

    assert show(daemon, "brief")["system"] == "Be brief."
    answer = daemon.generate("What is the capital of Japan?", model="brief")
    assert "Tokyo" in answer["response"]


def test_a_folder_without_a_model_hides_no_name(daemon: Daemon, folder: Path) -> None:
    """But is meant where it is written as a path."""
    (folder / "tiny").mkdir()
    write(folder, "FROM tiny")
    named = create(daemon, folder, "named")
    write(folder, "FROM ./tiny")
    written = create(daemon, folder, "named")

    assert (named.status, written.status) == (0, 1)
    assert written.err.startswith("Error: 'tiny' holds no model: ")


def test_of_a_model_that_is_nowhere(daemon: Daemon, folder: Path) -> None:
    with misbehaving(lambda _, reply: reply.whole("404 Not Found", b"")) as server:
        name = f"127.0.0.1:{server.port}/ann/absent"
        write(folder, f"FROM {name}")
        result = create(daemon, folder, "orphan")

    assert (result.status, result.out) == (1, "")
    assert f"Error: model '{name}' is not on 127.0.0.1:{server.port}: " in result.err
    assert daemon.post("/api/show", model="orphan").status_code == 404


def test_paths_are_relative_to_the_modelfile(daemon: Daemon, folder: Path) -> None:
    write(folder, "FROM tiny.gguf")

    result = create(daemon, folder.parent, "elsewhere", "-f", "own/Modelfile")

    assert result.status == 0
    assert layers(daemon, "elsewhere")


def test_a_modelfile_that_is_piped_in(daemon: Daemon, folder: Path) -> None:
    text = "FROM ./tiny.gguf\nSYSTEM Be piped."

    assert create(daemon, folder, "piped", "-f", "-", given=text).status == 0

    assert show(daemon, "piped")["system"] == "Be piped."


def test_a_path_in_the_home_folder(daemon: Daemon, folder: Path) -> None:
    write(folder, "FROM ~/tiny.gguf")
    home = {**env(daemon), "HOME": str(folder)}

    result = ollapy(
        *("create", "homely", "-f", f"{folder}/Modelfile"),
        host=daemon.address,
        env=home,
    )

    assert result.status == 0


def test_without_a_modelfile_it_is_what_is_in_the_folder(
    daemon: Daemon, folder: Path
) -> None:
    write_projector(folder / "mmproj-tiny.gguf")
    (folder / "notes.txt").write_text("no model")

    result = create(daemon, folder, "found")

    assert result.status == 0
    assert result.err.startswith(
        "No Modelfile here, the model is made of the files in this folder.\n"
    )
    kinds = [kind for kind, _ in layers(daemon, "found")]
    assert kinds == ["model", "projector"]


def test_any_part_of_a_split_model_stands_for_all(daemon: Daemon, folder: Path) -> None:
    parts = split(folder / "tiny.gguf", folder, 3)
    write(folder, f"FROM ./{parts[1].name}\nFROM ./{parts[0].name}")

    assert create(daemon, folder, "split").status == 0

    assert [kind for kind, _ in layers(daemon, "split")] == ["model"] * 3
    answer = daemon.generate("What is the capital of Japan?", model="split")
    assert "Tokyo" in answer["response"]


def test_weights_and_projector_from_two_folders(daemon: Daemon, folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    write_projector(other / "tiny.gguf")
    write(folder, "FROM ./tiny.gguf\nFROM ./other/tiny.gguf")

    assert create(daemon, folder, "seeing").status == 0

    assert [kind for kind, _ in layers(daemon, "seeing")] == ["model", "projector"]


@pytest.mark.parametrize("name", ["a:b.gguf", "ünï.gguf", "a\nb.gguf", "a\\b.gguf"])
def test_a_file_of_any_name(daemon: Daemon, folder: Path, name: str) -> None:
    """The daemon may run on a system that knows no such name."""
    (folder / "tiny.gguf").rename(folder / name)

    result = create(daemon, folder, "odd")

    assert result.status == 0
    assert result.err.endswith("success\n")


@pytest.fixture
def safetensors(tmp_path: Path) -> Path:
    config = config_of("LlamaForCausalLM")
    path = write_model(
        tmp_path / "hf", config, tensors_of(config), dtype="BF16", files=2
    )
    (path / "consolidated.safetensors").write_bytes(b"the same in another layout")
    (path / "notes.txt").write_text("no part of it")
    return path


def test_a_folder_with_safetensors(
    daemon: Daemon, folder: Path, safetensors: Path
) -> None:
    write(folder, f"FROM {safetensors}")
    before = stored(daemon)

    result = create(daemon, folder, "converted")

    assert result.status == 0
    assert stored(daemon) - before <= needed(daemon, "converted")
    assert "reading consolidated" not in result.err
    assert "converting model" in result.err
    assert show(daemon, "converted")["details"]["quantization_level"] == "BF16"
    assert len([*safetensors.glob("*.safetensors")]) == 3


def test_quantized(daemon: Daemon, folder: Path, safetensors: Path) -> None:
    """The whole weights that the small ones are made of do not stay."""
    write(folder, f"FROM {safetensors}")
    before = stored(daemon)

    result = create(daemon, folder, "small", "-q", "q8_0")

    assert result.status == 0
    assert stored(daemon) - before <= needed(daemon, "small")
    assert show(daemon, "small")["details"]["quantization_level"] == "Q8_0"


def test_a_modelfile_of_show_makes_the_same_model(daemon: Daemon, folder: Path) -> None:
    write_lora(folder / "lora.gguf", TINY, strength=0.1)
    (folder / "weights").mkdir()
    parts = split(folder / "tiny.gguf", folder / "weights", 2)
    write_projector(folder / "mmproj.gguf")
    text = MODELFILE.replace("tiny.gguf", parts[0].name)
    (folder / "draft.gguf").write_bytes(weights(seed=8))
    write(folder, f"{text}FROM ./mmproj.gguf\nDRAFT draft.gguf\n")
    assert create(daemon, folder, "first").status == 0

    shown = ollapy("show", "--modelfile", "first", host=daemon.address)
    write(folder, shown.out)
    result = create(daemon, folder, "second")

    assert result.status == 0
    assert layers(daemon, "second") == layers(daemon, "first")
    assert "reading" not in result.err


# ---- how files come to the daemon


def is_copied(path: Path, source: Path) -> bool:
    """Whether it takes room of its own. Where a disk shares blocks nobody can tell."""
    return not path.samefile(source) and not _shares_blocks(source)


def _shares_blocks(source: Path) -> bool:
    probe = Blobs(source.parent / "probe" / "blobs")
    return not probe.path(probe.adopt(source)).samefile(source)


def test_a_file_is_not_copied_and_read_once(daemon: Daemon, folder: Path) -> None:
    source = folder / "own.gguf"
    source.write_bytes(weights(seed=9))
    write(folder, "FROM ./own.gguf\nSYSTEM Be brief.")

    first = create(daemon, folder, "once")
    write(folder, "FROM ./own.gguf\nSYSTEM Be kind.")
    second = create(daemon, folder, "once")

    assert (first.status, second.status) == (0, 0)
    assert not is_copied(blob(daemon, "once"), source)
    assert "reading own.gguf" in first.err
    assert _shares_blocks(source) or "reading" not in second.err
    assert show(daemon, "once")["system"] == "Be kind."


def test_a_file_on_another_disk_is_used_where_it_is(
    daemon: Daemon, folder: Path
) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == folder.stat().st_dev:
        pytest.skip("needs a second filesystem")
    source = memory / f"ollapy-create-{os.getpid()}.gguf"
    source.write_bytes(weights(seed=1))
    try:
        write(folder, f"FROM {source}")
        result = create(daemon, folder, "distant")
        assert result.status == 0
        assert blob(daemon, "distant") == source
    finally:
        source.unlink()


@contextmanager
def touched(path: Path) -> Iterator[None]:
    """A file that is written to without a pause."""
    is_over = Event()

    def touch() -> None:
        for number in count():
            if is_over.is_set():
                return
            os.utime(path, ns=(0, number))

    thread = Thread(target=touch)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_a_file_that_changes_meanwhile(daemon: Daemon, folder: Path) -> None:
    if _shares_blocks(folder / "tiny.gguf"):
        pytest.skip("this disk shares blocks, and the blob is what was there at first")
    big = write_sparse(folder / "big.gguf", 64 << 20)
    write(folder, "FROM ./big.gguf")

    with touched(big):
        result = create(daemon, folder, "changing")

    assert (result.status, result.out) == (1, "")
    assert result.err.endswith(
        "Error: 'big.gguf' changed while it was read, try again when it is complete\n"
    )


def test_another_store_gets_a_copy(daemon: Daemon, folder: Path) -> None:
    """As of a daemon on another machine, or in a container."""
    write(folder, "FROM ./tiny.gguf\nADAPTER ./lora.gguf")
    write_lora(folder / "lora.gguf", TINY, strength=0.5, seed=7)
    mine = folder / "store"

    result = ollapy(
        *("create", "sent"),
        host=daemon.address,
        env={"OLLAPY_MODELS": str(mine)},
        folder=folder,
    )

    assert result.status == 0
    assert "copying lora.gguf" in result.err
    path = blob(daemon, "sent", 1)
    assert path.read_bytes() == (folder / "lora.gguf").read_bytes()
    assert not path.samefile(folder / "lora.gguf")
    left = [p for p in mine.rglob("*") if p.is_file() and p.name != "lock"]
    assert left == []


def test_what_the_daemon_has_is_not_sent(daemon: Daemon, folder: Path) -> None:
    write(folder, "FROM ./tiny.gguf")
    assert create(daemon, folder, "there").status == 0

    result = ollapy(
        *("create", "again"),
        host=daemon.address,
        env={"OLLAPY_MODELS": str(folder / "store")},
        folder=folder,
    )

    assert result.status == 0
    assert "copying" not in result.err
    assert layers(daemon, "again") == layers(daemon, "there")


def test_a_store_that_one_may_not_write_to(daemon: Daemon, folder: Path) -> None:
    (folder / "unique.gguf").write_bytes(weights(seed=2))
    write(folder, "FROM ./unique.gguf")
    (folder / "store").write_text("no folder")

    result = ollapy(
        *("create", "foreign"),
        host=daemon.address,
        env={"OLLAPY_MODELS": str(folder / "store")},
        folder=folder,
    )

    assert result.status == 0
    assert "copying unique.gguf" in result.err


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon whose store is not the user's, and that one test may kill."""
    (tmp_path / "far").mkdir()
    with running_daemon(tmp_path / "far") as daemon:
        yield daemon


@contextmanager
def copying(daemon: Daemon, folder: Path) -> Iterator[Terminal]:
    """The command at work, in the middle of sending a file."""
    write_sparse(folder / "big.gguf", GIB // 4)
    write(folder, "FROM ./big.gguf")
    words = ("create", "sent", "-f", f"{folder}/Modelfile")
    mine = {"OLLAPY_MODELS": str(folder / "store")}
    with terminal(*words, host=daemon.address, **mine) as shown:
        shown.expect("copying big.gguf")
        yield shown


def test_ctrl_c_while_a_file_is_sent(far: Daemon, folder: Path) -> None:
    with copying(far, folder) as shown:
        shown.type(CTRL_C)
        assert shown.wait() == 130

    assert "Stopped, 'sent' is what it was before." in shown.screen
    eventually(
        lambda: [*(far.models / "blobs").iterdir()] == [],
        "the daemon keeps what it got",
    )
    assert list((folder / "store").rglob("*.lease")) == []


def test_a_daemon_that_dies_while_a_file_is_sent(far: Daemon, folder: Path) -> None:
    with copying(far, folder) as shown:
        far.process.kill()
        assert shown.wait() == 1

    assert shown.screen[-2] == (
        f"Error: lost the connection to ollapy at {far.address}, it may have ended"
    )


# ---- what is shown


def test_a_pipe_gets_lines_and_a_terminal_ticks(daemon: Daemon, folder: Path) -> None:
    (folder / "fresh.gguf").write_bytes(weights(seed=3))
    write(folder, "FROM ./fresh.gguf")
    words = ("create", "seen", "-f", f"{folder}/Modelfile")

    piped = create(daemon, folder, "seen")
    (folder / "fresh.gguf").write_bytes(weights(seed=4))
    with terminal(*words, host=daemon.address, **env(daemon)) as shown:
        assert shown.wait() == 0

    assert piped.err.startswith("reading fresh.gguf  65 KB\n")
    assert piped.err.endswith("writing manifest\nsuccess\n")
    assert shown.screen[0] == "✓ reading fresh.gguf  65 KB"
    assert shown.screen[-2:] == ["✓ success", ""]


def test_json_is_records(daemon: Daemon, folder: Path) -> None:
    (folder / "fresh.gguf").write_bytes(weights(seed=5))
    write(folder, "FROM ./fresh.gguf")

    result = create(daemon, folder, "told", "--json")

    assert (result.status, result.err) == (0, "")
    records = [json.loads(line) for line in result.out.splitlines()]
    assert records[0]["status"] == "reading fresh.gguf"
    assert records[-1] == {"status": "success"}


def test_ctrl_c_leaves_the_model_as_it_was(daemon: Daemon, folder: Path) -> None:
    write(folder, "FROM tiny\nSYSTEM Be first.")
    assert create(daemon, folder, "kept").status == 0
    write_sparse(folder / "big.gguf", 4 * GIB)
    write(folder, "FROM ./big.gguf")
    before = {*(daemon.models / "blobs").iterdir()}

    words = ("create", "kept", "-f", f"{folder}/Modelfile")
    with terminal(*words, host=daemon.address, **env(daemon)) as shown:
        shown.expect("reading big.gguf")
        shown.type(CTRL_C)
        assert shown.wait() == 130

    assert "Stopped, 'kept' is what it was before." in shown.screen
    assert show(daemon, "kept")["system"] == "Be first."
    assert {*(daemon.models / "blobs").iterdir()} == before
    assert [*(daemon.models / "leases").iterdir()] == []


# ---- what is refused


REFUSED = {
    "B094 empty": ("", "Modelfile: no FROM line"),
    "B094 no FROM": ("SYSTEM Be brief.", "Modelfile: no FROM line"),
    "B094 unknown": (
        "FROM x\n\nFORM y",
        'Modelfile: (line 3): command must be one of "from", "license", "template", "system", '
        '"adapter", "draft", "renderer", "parser", "parameter", "message", or "requires"',
    ),
    "B094 role": (
        "FROM x\nMESSAGE me Hi",
        'Modelfile: (line 2): message role must be one of "system", "user", or "assistant"',
    ),
    "B094 unterminated": (
        'FROM x\nSYSTEM """Be',
        "Modelfile: (line 2): unexpected EOF",
    ),
    "B094 no value": ("FROM x\nPARAMETER stop", "Modelfile: (line 2): unexpected EOF"),
    "B094 binary": (
        b"\x80\x81FROM",
        "Modelfile: the Modelfile is neither UTF-8 nor UTF-16 text",
    ),
    "B094 two names": (
        "FROM x\nFROM y",
        "FROM names two models, 'x' and 'y', take one of them",
    ),
    "B094 glob": (
        "FROM ./*.gguf",
        "FROM ./*.gguf: there is no such file or folder, looked for in '{}'",
    ),
    "B094 no user": (
        "FROM ~nobody-here/x",
        "FROM ~nobody-here/x: there is no such file or folder, looked for in '{}'",
    ),
    "B094 no name": (
        "FROM a b",
        "FROM a b: neither a file, nor a folder, nor a model's name",
    ),
    "B094 nothing": (
        'FROM ""',
        "FROM : neither a file, nor a folder, nor a model's name",
    ),
    "missing": (
        "FROM missing.gguf",
        "FROM missing.gguf: there is no such file or folder, looked for in '{}'",
    ),
    "missing adapter": (
        "FROM tiny\nADAPTER x",
        "ADAPTER x: there is no such file or folder, looked for in '{}'",
    ),
    "draft": (
        "FROM ./tiny.gguf\nDRAFT tiny.gguf",
        "DRAFT must not reference the same local path as FROM: tiny.gguf",
    ),
    "text": ("FROM ./Modelfile", "'Modelfile' cannot be used: not a GGUF file"),
    "pickle": (
        "FROM ./x.bin",
        "'x.bin' cannot be used: not a GGUF file, and loading a pickle may run programs: get the model as GGUF or safetensors",
    ),
    "safetensors": (
        "FROM ./x.safetensors",
        "'x.safetensors' cannot be used: not a GGUF file, name the folder that it is in",
    ),
    "cut": (
        "FROM ./cut.gguf",
        "'cut.gguf' cannot be used: the file ends inside its header",
    ),
    "pipe": ("FROM ./pipe", "'pipe' cannot be used: not a regular file"),
    "empty folder": (
        "FROM ./empty",
        "'empty' holds no model: no GGUF file, and no config.json with safetensors",
    ),
    "outer folder": (
        "FROM ./outer",
        "'outer' holds no model: no GGUF file, and no config.json with safetensors; name one of its folders: inner",
    ),
    "folder of many": (
        "FROM ./many",
        "'many' holds several models, name one of them: a.gguf, b.gguf",
    ),
    "parts": (
        "FROM ./cut-00002-of-00003.gguf",
        "'cut' has 2 of its 3 parts here, part 1 is missing",
    ),
    "empty adapter": (
        "FROM tiny\nADAPTER ./empty",
        "'empty' does not hold one GGUF file, an adapter",
    ),
    "adapter as safetensors": (
        "FROM tiny\nADAPTER ./hf",
        "'hf' is an adapter as safetensors: make a GGUF file of it with llama.cpp's "
        "convert_lora_to_gguf.py, and name that",
    ),
    "this folder": (
        "FROM .",
        "'{}' holds several models, name one of them: cut.gguf, cut-00002-of-00003.gguf, tiny.gguf, tiny-00001-of-00003.gguf",
    ),
    "B092 parameter": ("FROM tiny\nPARAMETER num_ctx many", "invalid int value [many]"),
    "B092 unknown parameter": (
        "FROM tiny\nPARAMETER nun_ctx 1",
        "unknown parameter 'nun_ctx', did you mean 'num_ctx'?",
    ),
    "B091 template": (
        "FROM ./tiny.gguf\nTEMPLATE {{ .Prompt",
        "template error: line 1: unclosed action",
    ),
    "requires": (
        "FROM tiny\nREQUIRES soon",
        "Modelfile: requires must be a valid semver (e.g. 0.14.0)",
    ),
}


@pytest.fixture(scope="module")
def junk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder full of what is no model."""
    folder = tmp_path_factory.mktemp("junk")
    tiny = TINY.read_bytes()
    (folder / "tiny.gguf").write_bytes(tiny)
    (folder / "cut.gguf").write_bytes(tiny[:1000])
    (folder / "x.bin").write_bytes(b"\x80\x04pickle")
    (folder / "x.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    os.mkfifo(folder / "pipe")
    for name in ("empty", "many", "outer", "outer/inner", "hf"):
        (folder / name).mkdir()
    (folder / "hf" / "adapter_model.safetensors").write_bytes(b"")
    for name in ("many/a.gguf", "many/b.gguf", "outer/inner/c.gguf"):
        (folder / name).write_bytes(tiny)
    for part in split(folder / "tiny.gguf", folder, 3)[1:]:
        part.rename(folder / part.name.replace("tiny", "cut"))
    return folder


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_is_one_sentence(
    junk: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told before anything is read or made."""
    text, sentence = REFUSED[case]
    write(junk, text)
    monkeypatch.chdir(junk)

    with pytest.raises(OllapyError) as caught:
        blueprint("wrong", *read_modelfile(None), None).check()

    assert str(caught.value) == sentence.format(junk)


def test_a_mistake_is_an_error_of_the_command(junk: Path) -> None:
    write(junk, "FROM ./cut.gguf")

    assert ollapy("create", "wrong", host=free_address(), folder=junk) == Result(
        1,
        "",
        "Error: 'cut.gguf' cannot be used: the file ends inside its header\n",
    )


def test_b094_an_adapter_that_is_the_model(daemon: Daemon, folder: Path) -> None:
    write(folder, "FROM ./tiny.gguf\nADAPTER ./tiny.gguf")

    result = create(daemon, folder, "wrong")

    assert result.status == 1
    assert result.err.splitlines()[-1].startswith("Error: 'tiny.gguf' is no adapter")


ACCEPTED: dict[str, Callable[[str], bytes]] = {
    "UTF-16 LE": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "UTF-16 BE": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "UTF-8 BOM": lambda text: codecs.BOM_UTF8 + text.encode(),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "NUL": lambda text: text.replace("brief", "br\0ief").encode(),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_b094_a_modelfile_of_any_system(
    daemon: Daemon, folder: Path, case: str
) -> None:
    write(folder, ACCEPTED[case]("FROM tiny\nSYSTEM Be brief, Zoë.\n"))

    assert create(daemon, folder, "any").status == 0

    assert show(daemon, "any")["system"] == "Be brief, Zoë."


def test_a_parameter_of_old_is_ignored(daemon: Daemon, folder: Path) -> None:
    write(folder, "FROM tiny\nPARAMETER mirostat 1\nPARAMETER num_ctx 512")

    result = create(daemon, folder, "old")

    assert result.status == 0
    assert result.err.startswith("Warning: PARAMETER mirostat is ignored, ")
    assert show(daemon, "old")["parameters"].split() == ["num_ctx", "512"]


def test_b094_a_huge_modelfile(daemon: Daemon, folder: Path) -> None:
    write(folder, "")
    os.truncate(folder / "Modelfile", 100_000_000)

    result = create(daemon, folder, "huge")

    assert result == Result(1, "", "Error: 'Modelfile' is larger than 16777216 bytes\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("../x",), "invalid model name: ../x"),
        (("a\x1b[31m",), "invalid model name: a\\x1b[31m"),
        (("x", "-f", "absent"), "could not read 'absent': No such file or directory"),
        (("x", "-f", "."), "could not read '.': Is a directory"),
        (
            ("x", "-q", "q9_9"),
            "unsupported quantization type Q9_9 - supported types are ",
        ),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    folder: Path, words: tuple[str, ...], sentence: str
) -> None:
    """For which no daemon is needed."""
    result = ollapy("create", *words, host=free_address(), folder=folder)

    assert (result.status, result.out) == (1, "")
    assert sentence in result.err
    assert result.err.splitlines()[-1].startswith("Error: ")


def test_the_daemon_is_not_needed_to_be_told_of_usage() -> None:
    result = ollapy("create", host=free_address())

    assert (result.status, result.out) == (2, "")
    assert "Missing argument 'MODEL'" in result.err
