"""The conversion in its child process, as `ollapy create` uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ollapy.api.ollama import Progress
from ollapy.create.convert import convert
from ollapy.errors import Cancelled, InvalidModel, Unsupported
from ollapy.gguf import read_header
from ollapy.operation import Operation
from tests.support.hugging_face import config_of, tensors_of, write_json, write_model

ENV = {"PATH": os.environ["PATH"]}
CONFIG = config_of("LlamaForCausalLM")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", CONFIG, tensors_of(CONFIG), dtype="BF16")


def test_progress_grows_to_all_bytes_of_the_tensors(folder: Path) -> None:
    target, told = folder / "model.gguf", list[Progress]()

    convert(folder, target, Operation(told.append), ENV)

    counted = [p for p in told if p.total]
    assert {p.status for p in told} == {"converting model"}
    assert [p.completed for p in counted] == sorted(p.completed for p in counted)
    assert counted[-1].completed == counted[-1].total
    assert counted[-1].total < target.stat().st_size
    assert read_header(target).metadata["general.file_type"] == 32


def test_what_the_model_will_not_do_is_said(folder: Path) -> None:
    write_json(folder / "config.json", {**CONFIG, "sliding_window": 16})
    told = list[Progress]()

    convert(folder, folder / "model.gguf", Operation(told.append), ENV)

    warnings = [p.status for p in told if p.status.startswith("warning: ")]
    assert warnings == ["warning: all tokens are attended to, not only the last 16"]


def test_refusal_keeps_its_class_and_leaves_no_file(folder: Path) -> None:
    target = folder / "model.gguf"
    write_json(folder / "config.json", {**CONFIG, "architectures": ["BertModel"]})

    with pytest.raises(Unsupported, match="the architecture BertModel cannot be"):
        convert(folder, target, Operation(), ENV)

    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[:-1])
    write_json(folder / "config.json", CONFIG)
    with pytest.raises(InvalidModel, match="lies beyond the end of the file"):
        convert(folder, target, Operation(), ENV)
    assert not target.exists()


def test_cancelled_conversion_leaves_no_file_and_no_process(folder: Path) -> None:
    target = folder / "model.gguf"
    operation = Operation(lambda record: operation.cancel() if record.total else None)

    with pytest.raises(Cancelled):
        convert(folder, target, operation, ENV)

    assert not target.exists()


def test_failure_is_one_line_without_a_path_or_traceback(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    command = [sys.executable, "-E", "-P", "-m", "ollapy.create.convert"]

    ended = subprocess.run(
        [*command, str(folder), str(folder / "out.gguf")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr == ""
    assert ended.stdout.startswith('{"error": "config.json cannot be read: ')
    assert str(folder) not in ended.stdout


def test_it_ends_with_its_parent(folder: Path) -> None:
    """Whatever it is at: here it stands still at an import."""
    module = ["-m", "ollapy.create.convert", str(folder), str(folder / "out.gguf")]
    stall = "import sys; sys.addaudithook(lambda n, _: n == 'import' and _[0] == 'gguf' and __import__('time').sleep(60))"
    code = f"{stall}\nimport runpy; sys.argv = ['', *sys.argv[1:]]; runpy.run_module('ollapy.create.convert', run_name='__main__')"

    with subprocess.Popen(
        [sys.executable, "-c", code, *module[2:]], stdin=subprocess.PIPE
    ) as process:
        assert process.stdin
        process.stdin.close()
        assert process.wait(30) == 1


def test_only_the_child_loads_gguf() -> None:
    code = "import sys, ollapy.create.convert; sys.exit('gguf' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
