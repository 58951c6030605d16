"""Models for vLLM in the store: what they are made of, and how they are shown and made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ollapy.api.engine import Device
from ollapy.api.vllm import VllmOptions, parse
from ollapy.daemon.describe import modelfile
from ollapy.daemon.runners.accelerators import Accelerators
from ollapy.daemon.runners.placement import Goal
from ollapy.daemon.runners.serving import claim
from ollapy.errors import InvalidRequest
from ollapy.names import Digest, ModelName
from ollapy.store import ModelConfig, Store, VllmModel
from ollapy.vllm.arguments import arguments
from tests.support.daemon import Daemon
from tests.support.terminal import ollapy
from tests.support.vllm_command import parser

MODELFILE = """\
FROM hf.co/org/Repo
PARAMETER engine vllm
PARAMETER tensor_parallel_size 4
PARAMETER gpu_memory_utilization 0.5
PARAMETER distributed_executor_backend ray
PARAMETER tool_call_parser hermes
PARAMETER num_ctx 4096
PARAMETER temperature 0
PARAMETER stop "<|end|>"
SYSTEM "Be brief."
"""


def found(daemon: Daemon, name: str) -> VllmModel:
    model = Store(daemon.models).find(ModelName.parse(name))
    assert isinstance(model, VllmModel)
    return model


def made(daemon: Daemon, folder: Path, name: str, text: str) -> VllmModel:
    (folder / "Modelfile").write_text(text)
    result = ollapy("create", name, "-f", str(folder / "Modelfile"), host=daemon.address)  # fmt: skip
    assert result.status == 0, result.err
    return found(daemon, name)


def test_a_modelfile_and_back(daemon: Daemon, tmp_path: Path) -> None:
    model = made(daemon, tmp_path, "whale", MODELFILE)
    assert model.source == "org/Repo"
    assert model.vllm == VllmOptions(
        tensor_parallel_size=4,
        gpu_memory_utilization=0.5,
        distributed_executor_backend="ray",
        tool_call_parser="hermes",
    )
    assert model.parameters == {"num_ctx": 4096, "temperature": 0, "stop": ["<|end|>"]}
    assert model.system == "Be brief."

    shown = ollapy("show", "--modelfile", "whale", host=daemon.address).out
    again = made(daemon, tmp_path, "whale2", shown)
    assert (again.loads, again.stated, again.system) == (
        model.loads,
        model.stated,
        model.system,
    )
    listed = ollapy("list", "whale", host=daemon.address).out.splitlines()
    assert [line.split()[0] for line in listed[1:]] == ["whale2:latest", "whale:latest"]
    for name in ("whale", "whale2"):
        daemon.delete(name)


def test_a_child_of_one_and_a_copy(daemon: Daemon, tmp_path: Path) -> None:
    model = made(daemon, tmp_path, "whale", MODELFILE)
    child = made(daemon, tmp_path, "calf", "FROM whale\nSYSTEM Be long.\nPARAMETER top_k 3\n")  # fmt: skip
    assert child.loads == model.loads, "the same server"
    assert (child.system, child.parameters["top_k"]) == ("Be long.", 3)
    assert daemon.post("/api/copy", source="calf", destination="calf2").status_code == 200  # fmt: skip
    assert found(daemon, "calf2").stated == child.stated
    for name in ("whale", "calf", "calf2"):
        daemon.delete(name)


def test_a_folder_stays_where_it_is(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "config.json").write_text("{}")
    model = made(daemon, tmp_path, "local", "FROM ./weights\nPARAMETER engine vllm\n")
    assert model.source == str(tmp_path / "weights")
    assert f"FROM {model.source}\n" in modelfile(model)
    daemon.delete("local")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"from": "tiny"}, "a repository with safetensors"),
        ({"from": "hf.co/org/repo:Q4_K_M"}, "without a tag"),
        ({"from": "example.com/org/repo"}, "a repository with safetensors"),
        ({"from": "/nowhere"}, "no such folder with a config.json"),
        ({"from": "org/repo", "template": "{{ .Prompt }}"}, "takes no TEMPLATE"),
        ({"from": "org/repo", "quantize": "q4_k_m"}, "takes no quantize"),
        ({"from": "org/repo", "parameters": {"engine": "other"}}, "must be vllm"),
        (
            {
                "from": "org/repo",
                "parameters": {"engine": "vllm", "dtype": "--api-key"},
            },
            "parameter 'dtype'",
        ),
        (
            {"from": "tiny", "parameters": {"tensor_parallel_size": 2}},
            "say `PARAMETER engine vllm` too",
        ),
        ({}, "neither 'from' or 'files'"),
    ],
)
def test_what_cannot_be_made(daemon: Daemon, body: dict[str, Any], said: str) -> None:
    body = {"parameters": {"engine": "vllm"}, **body}
    response = daemon.post("/api/create", model="x", stream=False, **body)
    assert response.status_code in (400, 404)
    assert said in response.json()["error"]


def test_what_needs_files_is_refused(daemon: Daemon, tmp_path: Path) -> None:
    made(daemon, tmp_path, "whale", MODELFILE)
    pushed = daemon.post("/api/push", model="whale", stream=False)
    tuned = daemon.post("/api/tune", model="whale")
    daemon.delete("whale")
    assert (pushed.status_code, tuned.status_code) == (400, 400)
    for response in (pushed, tuned):
        assert "nothing of its weights is in the store" in response.json()["error"]


def test_the_arguments_are_vllms() -> None:
    """As its own parser reads them: the command of the tests takes what vLLM takes."""
    given: dict[str, object] = {
        "tensor_parallel_size": 2,
        "pipeline_parallel_size": 3,
        "data_parallel_size": 4,
        "distributed_executor_backend": "ray",
        "gpu_memory_utilization": 0.5,
        "max_num_seqs": 8,
        "dtype": "bfloat16",
        "quantization": "fp8",
        "kv_cache_dtype": "fp8_e5m2",
        "tool_call_parser": "hermes",
        "reasoning_parser": "qwen3",
    }
    options, rest = parse({"engine": "vllm", "num_ctx": 512, **given})
    assert {*given} == {*VllmOptions.__struct_fields__}
    assert options
    name = ModelName.parse("big")
    config = ModelConfig(source="org/Repo")
    model = VllmModel(name, Digest("0" * 64), 0, 0.0, config, options, rest, None, [], [])  # fmt: skip
    words = arguments(model, 512, 8, ["--seed", "7"])
    read = vars(parser().parse_args(["folder", *words]))

    assert {name: read[name] for name in given} == given
    assert (read["model"], read["served_model_name"]) == ("org/Repo", "big:latest")
    assert (read["max_model_len"], read["seed"]) == (512, "7")
    assert read["enable_auto_tool_choice"]


@pytest.mark.parametrize(
    "given",
    [
        {"tensor_parallel_size": 0},
        {"tensor_parallel_size": "2"},
        {"gpu_memory_utilization": 1.5},
        {"distributed_executor_backend": "slurm"},
        {"reasoning_parser": "a b"},
        {"quantization": "-x"},
    ],
)
def test_values_that_cannot_be_right(given: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(given))):
        parse({"engine": "vllm", **given})


def device(name: str, **fields: Any) -> Device:
    total = 80 << 30
    return Device(name, "", **{"kind": "gpu", "free": total, "total": total, **fields})


def test_it_claims_its_share_of_the_accelerators_that_it_computes_on() -> None:
    there = Accelerators(
        (
            device("RPC0", backend="RPC"),
            device("CUDA0"),
            device("CUDA1"),
            device("CUDA2"),
            device("iGPU", kind="igpu"),
        )
    )
    two = claim(VllmOptions(tensor_parallel_size=2, gpu_memory_utilization=0.5), there)
    one = claim(VllmOptions(), there)
    every = claim(VllmOptions(tensor_parallel_size=4, pipeline_parallel_size=4), there)

    assert two.taken.devices == {"CUDA0": 39 << 30, "CUDA1": 39 << 30}
    assert [*one.taken.devices] == ["CUDA0"]
    assert [*every.taken.devices] == ["CUDA0", "CUDA1", "CUDA2"]
    assert claim(VllmOptions(), Accelerators()).taken.devices == {}
    assert two.reaches(Goal.LEAST, there.space(0))
    assert not one.reaches(Goal.LEAST, two.taken)
