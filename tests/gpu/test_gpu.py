"""A real GPU: what is on it, what it says, and that it says the same as the processor."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ollapy.api.engine import Device
from tests.support.daemon import Daemon, running_daemon
from tests.support.gpus import asked
from tests.support.terminal import ollapy
from tests.support.waiting import eventually

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(300)]

QUESTION = "What is the capital of Japan?"
LONG = "The quick brown fox jumps over the lazy dog. " * 40


def row(daemon: Daemon, model: str) -> dict[str, Any]:
    """Of `/api/ps`."""
    models = daemon.http.get("/api/ps").json()["models"]
    return next(m for m in models if m["name"] == f"{model}:latest")


def unload(daemon: Daemon, model: str) -> None:
    daemon.post("/api/generate", model=model, keep_alive=0)
    eventually(
        lambda: all(
            m["name"] != f"{model}:latest"
            for m in daemon.http.get("/api/ps").json()["models"]
        ),
        "the model stays",
    )


def processor(daemon: Daemon, model: str) -> str:
    """The column of `ollapy ps`."""
    header, *lines = ollapy("ps", model, host=daemon.address).out.splitlines()
    start, end = header.index("PROCESSOR"), header.index("CONTEXT")
    return lines[0][start:end].strip()


def vector(daemon: Daemon, model: str, text: str) -> Any:
    response = daemon.post("/api/embed", model=model, input=text)
    assert response.status_code == 200, response.text
    return np.array(response.json()["embeddings"][0])


def test_doctor_lists_it(gpu: Device) -> None:
    rows = json.loads(ollapy("doctor", "--json", host="127.0.0.1:1").out)
    told = [r["text"] for r in rows if r["name"] == "device"]
    assert any(text.startswith(f"{gpu.name}: {gpu.description}") for text in told), told
    assert gpu.total >= gpu.free > 0


def test_all_of_a_small_model_is_on_it(on_gpu: Daemon, gpu: Device) -> None:
    on_gpu.generate(QUESTION)
    found = row(on_gpu, "tiny")
    weights = sum(
        b["size"]
        for b in found["buffers"]
        if b["device"] == gpu.name and b["purpose"] == "weights"
    )
    caches = [b["device"] for b in found["buffers"] if b["purpose"] == "cache"]

    assert weights > 0
    assert caches == [gpu.name]
    assert processor(on_gpu, "tiny").endswith("GPU")
    assert "warnings" not in on_gpu.http.get("/api/ps").json()


def test_what_ps_says_is_gone_from_the_device(on_gpu: Daemon, gpu: Device) -> None:
    unload(on_gpu, "shape")
    before = asked()[0].free
    on_gpu.generate(QUESTION, model="shape", options={"num_predict": 4})
    used = before - asked()[0].free
    told = row(on_gpu, "shape")["size_vram"]

    assert told > 100_000_000
    # beside its buffers a process has a context of the driver's
    assert told * 0.9 < used < told + 2_000_000_000


@pytest.mark.parametrize(
    ("num_gpu", "expected"), [(0, "100% CPU"), (1, "%"), (999, "GPU")]
)
def test_so_many_layers_as_are_asked_for(
    on_gpu: Daemon, num_gpu: int, expected: str
) -> None:
    unload(on_gpu, "shape")
    on_gpu.generate(QUESTION, model="shape", options={"num_gpu": num_gpu, "num_predict": 4})  # fmt: skip
    found = row(on_gpu, "shape")

    assert expected in processor(on_gpu, "shape")
    assert (found["size_vram"] > 0) == (num_gpu > 0)
    if num_gpu == 1:
        assert found["size_vram"] < found["size"] / 2
    unload(on_gpu, "shape")


@pytest.mark.parametrize("num_gpu", [None, 0, 1, 3])
def test_it_answers_as_the_processor_does(
    on_gpu: Daemon, on_cpu: Daemon, num_gpu: int | None
) -> None:
    unload(on_gpu, "tiny")
    options = {"temperature": 0, "num_predict": 40, "num_gpu": num_gpu}
    for question in (QUESTION, "What is 37 + 48?", "Hello!"):
        answers = [d.generate(question, options=options)["response"] for d in (on_gpu, on_cpu)]  # fmt: skip
        assert answers[0] == answers[1]
    unload(on_gpu, "tiny")


def test_the_processor_s_daemon_leaves_it_alone(on_cpu: Daemon) -> None:
    on_cpu.generate(QUESTION)
    assert processor(on_cpu, "tiny") == "100% CPU"
    assert row(on_cpu, "tiny")["size_vram"] == 0


@pytest.mark.parametrize(
    "model", ["random", "experts", "hybrid", "sliding", "scripted"]
)
def test_models_of_all_kinds_run_on_it(on_gpu: Daemon, model: str) -> None:
    options = {"temperature": 0, "num_predict": 16}
    first, again = (
        on_gpu.generate(LONG, model=model, options=options)["response"] for _ in "12"
    )
    assert first == again
    assert row(on_gpu, model)["size_vram"] > 0


def test_experts_that_stay_with_the_processor(on_gpu: Daemon, gpu: Device) -> None:
    weights, answers = [], []
    for number in (0, 2, 999):
        unload(on_gpu, "experts")
        options = {"temperature": 0, "num_predict": 8, "n_cpu_moe": number}
        answers.append(on_gpu.generate(QUESTION, model="experts", options=options)["response"])  # fmt: skip
        found = row(on_gpu, "experts")
        assert found["layers"] == {gpu.name: 5}
        weights.append(
            sum(
                b["size"]
                for b in found["buffers"]
                if b["device"] == gpu.name and b["purpose"] == "weights"
            )
        )
        assert ("CPU" in processor(on_gpu, "experts")) == bool(number)
    unload(on_gpu, "experts")

    assert weights[0] > weights[1] > weights[2]
    assert answers[0] == answers[1] == answers[2]


def test_vectors_are_those_of_the_processor(on_gpu: Daemon, on_cpu: Daemon) -> None:
    for model, text in (("embedder", QUESTION), ("tiny", LONG)):
        cosine = float(vector(on_gpu, model, text) @ vector(on_cpu, model, text))
        assert cosine > 0.999, (model, cosine)


def test_who_leaves_is_not_computed_for(on_gpu: Daemon) -> None:
    with on_gpu.stream("/api/generate", model="endless", prompt="?") as records:
        for _ in range(20):
            next(records)

    def is_idle() -> bool:
        counters = on_gpu.http.get("/api/stats").json()["endless:latest"]
        return bool(counters["running"] == 0)

    eventually(is_idle, "it is computed for nobody")
    assert on_gpu.generate("?", model="endless", options={"num_predict": 3})["done"]


def test_many_at_once(on_gpu: Daemon) -> None:
    """One prefix for all, answers that do not depend on who else asks."""
    alone = on_gpu.generate(QUESTION)["response"]
    with ThreadPoolExecutor(16) as threads:
        answers = set(threads.map(lambda _: on_gpu.generate(QUESTION)["response"], range(32)))  # fmt: skip
    assert answers == {alone}


def test_a_smaller_cache(folder: Path, tmp_path: Path, gpu: Device) -> None:
    models = str(folder / "models")
    with running_daemon(
        tmp_path, MODELS=models, KV_CACHE_TYPE="q8_0", DEVICE=gpu.name
    ) as daemon:
        assert daemon.generate(LONG, model="shape", options={"num_predict": 8})["done"]
        assert row(daemon, "shape")["kv_type"] == "q8_0"


def test_a_very_small_model_stays_with_the_processor(folder: Path, tmp_path: Path) -> None:  # fmt: skip
    with running_daemon(tmp_path, MODELS=str(folder / "models")) as daemon:
        assert daemon.generate(QUESTION)["done"]
        assert processor(daemon, "tiny") == "100% CPU"


def test_a_device_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    models = str(folder / "models")
    with running_daemon(tmp_path, MODELS=models, DEVICE="cuda77") as daemon:
        assert daemon.generate(QUESTION)["done"]
        warnings = daemon.http.get("/api/ps").json()["warnings"]
        assert "OLLAPY_DEVICE names cuda77, which is not there" in warnings[0]
        assert processor(daemon, "tiny") == "100% CPU"


def test_a_gpu_that_is_gone_is_missed(
    gpu: Device, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not gpu.name.startswith("CUDA"):
        pytest.skip("only CUDA's can be hidden")
    models, state = str(folder / "models"), str(tmp_path / "state")
    with running_daemon(tmp_path, MODELS=models, STATE=state) as daemon:
        assert daemon.generate(QUESTION)["done"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with running_daemon(tmp_path, MODELS=models, STATE=state) as daemon:
        assert daemon.generate(QUESTION)["done"]
        (warning,) = daemon.http.get("/api/ps").json()["warnings"]
        assert gpu.description in warning
        assert "is gone" in warning
        assert warning in daemon.log.read_text()
        assert f"Warning: {warning}"[:60] in ollapy("ps", host=daemon.address).err
