"""`ollapy doctor`, on machines that are well and on those that are not."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ollapy.api.engine import Device, EngineReport
from ollapy.cli.doctor.devices import described, numa
from ollapy.cli.doctor.engine import backends, features, threads
from ollapy.cli.doctor.finding import Finding
from ollapy.cli.doctor.machine import disk_finding, memory_finding
from ollapy.daemon.runners.accelerators import Accelerators
from tests.support.daemon import Daemon, running_daemon
from tests.support.gpus import miss
from tests.support.models import add_endless
from tests.support.strangers import free_address, http_server
from tests.support.terminal import ollapy

NAMES = "ollapy python memory disk engine backends device processor threads tuning daemon store"
GPU = Device("CUDA0", "Some GPU", "gpu", 70_000_000_000, 80_000_000_000)
CPU = Device("CPU", "Some CPU", "cpu", 0, 0)


def examined(*, host: str, **env: str) -> dict[str, list[dict[str, Any]]]:
    """What is found, by its name; the exit status says whether all is well."""
    result = ollapy("doctor", "--json", host=host, env=env)
    rows = json.loads(result.out)
    assert result.status == (0 if all(row["ok"] for row in rows) else 1)
    assert result.err == ""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append(row)
    return found


def test_everything_is_looked_at(daemon: Daemon) -> None:
    found = examined(host=daemon.address, OLLAPY_MODELS=str(daemon.models))

    assert set(NAMES.split()) <= set(found)
    assert found["daemon"][0]["text"].endswith(f"answers at {daemon.address}")
    assert found["engine"][0]["text"].startswith("llama-cpp-python 0.")
    assert "CPU" in found["backends"][0]["text"]
    assert found["engine"][0]["ok"]
    assert found["store"][0]["ok"]


def test_every_line_is_ok_or_a_warning_with_its_cure(tmp_path: Path) -> None:
    """A setting that means nothing, a damaged model, a stranger at the address."""
    add_endless(tmp_path)
    for blob in (tmp_path / "blobs").iterdir():
        blob.write_bytes(b"")
    env = {"OLLAPY_MODELS": str(tmp_path), "OLLAPY_NUM_THREADS": "many"}

    with http_server(version="0.9.0") as host:
        result = ollapy("doctor", host=host, env=env)

    lines = result.out.splitlines()
    warnings = {
        line.split()[1]: lines[y + 1].strip()
        for y, line in enumerate(lines)
        if line.startswith("warning")
    }
    assert (result.status, result.err) == (1, "")
    assert {line.split()[0] for line in lines} == {"ok", "warning", "->"}
    assert warnings["settings"] == "-> correct it, see `ollapy config show`"
    assert warnings["daemon"].startswith("-> stop it, or set OLLAPY_HOST")
    assert warnings["store"].startswith("-> 'ollapy pull endless:latest'")


def test_no_daemon_is_no_illness(tmp_path: Path) -> None:
    host = free_address()
    found = examined(host=host, OLLAPY_MODELS=str(tmp_path / "none"))

    assert found["daemon"][0]["text"] == f"none at {host}, 'ollapy run' starts one"
    assert not (tmp_path / "none").exists()


def test_an_engine_that_does_not_load(daemon: Daemon, tmp_path: Path) -> None:
    found = examined(host=daemon.address, LLAMA_CPP_LIB_PATH=str(tmp_path))

    engine = found["engine"][0]
    assert engine["text"].startswith("llama-cpp-python could not be loaded")
    assert engine["cure"].startswith("install it with: pip install")
    assert "threads" in found


def test_another_program_that_runs_models(daemon: Daemon, tmp_path: Path) -> None:
    name = tmp_path / "ollama"
    shutil.copy(shutil.which("sleep") or "", name)
    with subprocess.Popen([name, "60"]) as process:
        found = examined(host=daemon.address)
        process.kill()

    assert f"Ollama runs as process {process.pid}" in [
        row["text"] for row in found["neighbour"]
    ]


def report(*backends: str, features: tuple[str, ...] = ()) -> EngineReport:
    on = [GPU, CPU] if "CUDA" in backends else [CPU]
    return EngineReport("1.0", "2.0", [*backends], on, [*features])


def test_a_gpu_that_the_build_does_not_use() -> None:
    used = Finding("backends", "CUDA, CPU")
    assert [*backends(report("CUDA", "CPU"), ["CUDA"])] == [used]
    *_, last = backends(report("CPU"), ["CUDA"])
    assert last.cure.startswith('CMAKE_ARGS="-DGGML_CUDA=on" pip install')


def test_devices_that_are_used_and_that_are_not() -> None:
    worker = Device("RPC0", "10.0.0.2:50052", "gpu", 10**9, 10**10, "RPC")
    shared = Device("Vulkan0", "Some igpu\n", "igpu", 10**9, 10**10, "Vulkan")
    there = Accelerators(
        (GPU, worker), {"10.0.0.2:50052": ("RPC0",)}, ("it is gone: look for it",)
    )
    assert [(f.text, f.cure) for f in described([GPU, shared, CPU], there)] == [
        ("CUDA0: Some GPU, 70 GB free of 80 GB", ""),
        ("Vulkan0: Some igpu\\n, 1 GB of the machine's memory of 10 GB, not used", ""),
        ("CPU: Some CPU", ""),
        ("RPC0: 10.0.0.2:50052, 1 GB free of 10 GB", ""),
        ("it is gone", "look for it"),
    ]


@pytest.mark.parametrize(("nodes", "expected"), [(0, 0), (1, 0), (2, 1)])
def test_memory_that_is_near_to_some_cores(nodes: int, expected: int) -> None:
    assert len([*numa(nodes)]) == expected


def test_a_gpu_that_is_gone(daemon: Daemon, tmp_path: Path) -> None:
    miss(tmp_path)
    found = examined(host=daemon.address, OLLAPY_STATE=str(tmp_path))

    gone = [row for row in found["device"] if "is gone" in row["text"]]
    assert gone[0]["text"].startswith("the GPU CUDA0 (Some GPU), last seen on 20")
    assert "CUDA_VISIBLE_DEVICES" in gone[0]["cure"]


def test_what_the_build_uses_of_the_processor() -> None:
    built = report("CPU", features=("AVX2", "OPENMP"))

    assert features(built, ["avx2", "sse"]) == Finding("processor", "uses AVX2")
    poor = features(built, ["avx2", "avx512f"])
    assert poor.text == "uses AVX2; this processor also has AVX512"
    assert "-DGGML_NATIVE=on" in poor.cure


@pytest.mark.parametrize(("free", "is_ok"), [(10**9, False), (10**11, True)])
def test_little_room(free: int, is_ok: bool) -> None:
    assert memory_finding(free, 10**12).is_ok == is_ok
    assert disk_finding(Path("/models"), free).is_ok == is_ok


def test_threads_that_were_asked_for() -> None:
    assert threads(3) == Finding("threads", "3, as OLLAPY_NUM_THREADS says")


def test_a_report_has_no_secrets_and_no_words(tmp_path: Path) -> None:
    file, home = tmp_path / "report.zip", str(Path.home())
    env = {
        "OLLAPY_VLLM_API_KEY": "sk-very-secret-key",
        "OLLAPY_LOGS": str(tmp_path),
        "HF_TOKEN": "hf_abcdefghijk",
    }
    with running_daemon(tmp_path, KEEP_REQUEST_TEXTS="1") as daemon:
        daemon.generate("What is the capital of Japan?")
        with daemon.log.open("a") as log:
            log.write(f"Bearer abc.def from {home}/x with hf_abcdefghijk at http://ann:pw@host/\n")  # fmt: skip
        result = ollapy("doctor", "--report", str(file), host=daemon.address, env=env)
        again = ollapy("doctor", "--report", str(file), host=daemon.address, env=env)

    assert "Look into it before" in result.err
    assert (again.status, again.err) == (1, f"Error: the report could not be written to {file}: File exists\n")  # fmt: skip
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    assert {*texts} == {"doctor.json", "settings.json", "snapshot.json", "requests.json", "daemon.log"}  # fmt: skip
    assert json.loads(texts["requests.json"])[0]["model"] == "tiny:latest"
    assert texts["daemon.log"].endswith("(hidden) from ~/x with (hidden) at http://(hidden)host/")  # fmt: skip
    for secret in ("sk-very", "hf_abc", "abc.def", "ann:pw", home + "/", "Japan"):
        assert not any(secret in text for text in texts.values()), secret
