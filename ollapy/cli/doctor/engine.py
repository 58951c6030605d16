"""The engine: the inference library, asked in a child process that it may end as it likes."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from ollapy.api.engine import EngineReport
from ollapy.daemon.runners import probe
from ollapy.daemon.runners.cores import cpu_quota, num_cores
from ollapy.errors import EngineMissing
from ollapy.settings import Settings

from . import devices
from .finding import Finding

_CPUINFO = Path("/proc/cpuinfo")
# As Linux calls what llama.cpp can be compiled for, and as llama.cpp does.
_FEATURES = {
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx512f": "AVX512",
    "avx512_vnni": "AVX512_VNNI",
    "avx512_bf16": "AVX512_BF16",
    "amx_int8": "AMX_INT8",
}
_GPUS = {"CUDA": Path("/dev/nvidia0"), "ROCm": Path("/dev/kfd")}
_FLAGS = {"CUDA": "-DGGML_CUDA=on", "ROCm": "-DGGML_HIP=on"}


def findings(settings: Settings) -> Iterator[Finding]:
    """What was found."""
    try:
        report = asyncio.run(probe.ask(settings.runner_env))
    except EngineMissing as exc:
        sentence, _, cure = str(exc).rpartition(", ")
        yield Finding("engine", sentence, cure)
    else:
        yield Finding(
            "engine", f"llama-cpp-python {report.bindings}, ggml {report.ggml}"
        )
        yield from backends(report, [gpu for gpu, node in _GPUS.items() if node.exists()])  # fmt: skip
        yield from devices.findings(report.devices, settings)
        yield features(report, _cpu_flags())
    yield threads(settings.num_threads)


def backends(report: EngineReport, gpus: Iterable[str]) -> Iterator[Finding]:
    """What can compute; `gpus` are the backends for the GPUs that this machine has."""
    yield Finding("backends", ", ".join(report.backends))
    for backend in gpus:
        if backend not in report.backends:
            cure = _build(report.bindings, _FLAGS[backend])
            yield Finding(
                "device", f"there is a GPU that needs {backend}, which this build lacks", cure
            )  # fmt: skip


def features(report: EngineReport, flags: Iterable[str]) -> Finding:
    """What the build uses of the processor, whose `flags` are as Linux writes them."""
    unused = {_FEATURES[flag] for flag in flags if flag in _FEATURES} - {*report.features}  # fmt: skip
    used = [name for name in report.features if name in _FEATURES.values()]
    text = f"uses {', '.join(used) or 'no vector instructions'}"
    if not unused:
        return Finding("processor", text)
    lacks = f"{text}; this processor also has {', '.join(sorted(unused))}"
    return Finding("processor", lacks, _build(report.bindings, "-DGGML_NATIVE=on"))


def _build(version: str, flag: str) -> str:
    package = f"--no-binary llama-cpp-python llama-cpp-python=={version}"
    return f'CMAKE_ARGS="{flag}" pip install --force-reinstall --no-cache-dir {package}'


def _cpu_flags() -> list[str]:
    """None of them where it is not Linux."""
    text = _CPUINFO.read_text() if _CPUINFO.exists() else ""
    found = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return found[1].split() if found else []


def threads(wanted: int) -> Finding:
    """How many, and why: a setting of 0 leaves it to the machine."""
    if wanted:
        return Finding("threads", f"{wanted}, as OLLAPY_NUM_THREADS says")
    logical = psutil.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or 1
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else logical
    quota = cpu_quota()
    limits = f", {allowed} of them allowed" if allowed < logical else ""
    limits += f", time of {quota:g} allowed" if quota < logical else ""
    why = f"{physical} cores, {logical} logical{limits}; a very small model gets 1"
    return Finding("threads", f"{num_cores()}: {why}")
