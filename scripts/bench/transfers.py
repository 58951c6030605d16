"""Models to this machine and on it: what a pull, an import and a list cost beside what they cannot do without."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from ollapy.names import Digest, ModelName
from ollapy.store import Blobs, Layer, Manifest, Store
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE, encode
from scripts.make_gguf import write_random
from scripts.make_gguf.decoders import llama_block, model_sizes, open_decoder
from scripts.make_gguf.file import write_tensors
from scripts.make_gguf.tensors import Shape

from .host import Host, free_port, run
from .report import Row

_SHAPE = Shape(
    vocab=512, context=512, width=1024, layers=16, heads=8, kv_heads=8, ffn=9557
)  # 1 GiB
_IMPORTED = 5 << 30
_NUM_MODELS = 500
_CONFIG = b'{"model_format":"gguf"}'
_IMPORT = """
import sys
from pathlib import Path
from ollapy.store import Blobs
Blobs(Path(sys.argv[1])).adopt(Path(sys.argv[2]))
"""


def pull(host: Host, rounds: int) -> Iterator[Row]:
    """A gigabyte from loopback against `sha256sum` and a plain copy of it, and the same model once more."""
    weights = _write_model(host.folder / "weights")
    with _registry(host, weights) as registry, host.daemon() as daemon:
        pulls = list[_Pull]()
        copies, floors, hashes = list[float](), list[float](), list[float]()
        for _ in range(rounds):
            copies.append(_seconds("sha256sum", weights) + _copy(weights))
            floors.append(_hash(weights) + _copy(weights, flush=True))
            hashes.append(_hash_beside_a_copy(weights))
            pulls.append(_pull(host, daemon, registry.name))
            host.call("DELETE", "/api/delete", {"model": registry.name})
        yield _against("sha256sum and cp", pulls, copies, 1.3)
        yield _against("hashlib, cp and sync", pulls, floors)
        yield _python(pulls, median(hashes))
        memory = max(p.memory for p in pulls) / 1e6
        yield Row("memory of a pull above idle, peak", memory, "MB", 60.0)
        yield _again(host, daemon, registry, rounds * 3)


def _against(
    what: str, pulls: list[_Pull], others: list[float], target: float | None = None
) -> Row:
    own, other = median(p.seconds for p in pulls), median(others)
    detail = f"{own:.2f} s against {other:.2f} s"
    return Row(f"pull of 1 GiB against {what}", own / other, "x", target, detail)


def _python(pulls: list[_Pull], hashing: float) -> Row:
    seconds, user, system = (
        median(getattr(p, kind) for p in pulls)
        for kind in ("seconds", "user", "system")
    )
    own = user - hashing
    detail = f"{own:.2f} s beside {hashing:.2f} s of hashing and {system:.2f} s of the kernel's"
    return Row("Python of a pull", own / seconds * 100, "% of a core", 10.0, detail)


def _again(host: Host, daemon: psutil.Process, registry: _Registry, count: int) -> Row:
    _pull(host, daemon, registry.name)
    before = registry.served
    times = [_pull(host, daemon, registry.name).seconds for _ in range(count)]
    detail = f"{registry.served - before} bytes of blobs"
    return Row("pull of what is here", median(times) * 1e3, "ms", 50.0, detail)


@dataclass(frozen=True, slots=True)
class _Pull:
    """What a pull took: wall seconds, the daemon's CPU seconds in its own code and the kernel's, bytes that it held more."""

    seconds: float
    user: float
    system: float
    memory: int


def _pull(host: Host, daemon: psutil.Process, name: str) -> _Pull:
    before, idle, peak = daemon.cpu_times(), daemon.memory_info().rss, 0
    started, last = time.perf_counter(), b""
    connection = HTTPConnection("127.0.0.1", host.port)
    try:
        connection.request("POST", "/api/pull", json.dumps({"model": name}))
        for line in connection.getresponse():
            peak, last = max(peak, daemon.memory_info().rss), line
    finally:
        connection.close()
    seconds = time.perf_counter() - started
    if json.loads(last) != {"status": "success"}:
        raise RuntimeError(f"the pull ended with {last!r}")
    after = daemon.cpu_times()
    user, system = after.user - before.user, after.system - before.system
    return _Pull(seconds, user, system, max(peak - idle, 0))


@dataclass(frozen=True, slots=True)
class _Registry:
    """Where the one model is to be had."""

    port: int

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}/ann/big:v1"

    @property
    def served(self) -> int:
        """Bytes of blobs so far."""
        connection = HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request("GET", "/served")
            return int(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def _registry(host: Host, weights: Path) -> Iterator[_Registry]:
    folder = host.folder / "registry"
    folder.mkdir()
    config = folder / hashlib.sha256(_CONFIG).hexdigest()
    config.write_bytes(_CONFIG)
    model = folder / _sha256(weights)
    model.hardlink_to(weights)
    manifest = folder / "manifest"
    manifest.write_bytes(
        encode(
            Manifest(
                config=_layer(CONFIG_TYPE, config), layers=[_layer(_MODEL_TYPE, model)]
            )
        )
    )
    port = free_port()
    words = (str(port), manifest, config, model)
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.bench.registry", *words],
        stdin=subprocess.DEVNULL,
    )
    try:
        host.until_open(port)
        yield _Registry(port)
    finally:
        process.kill()
        process.wait()


_MODEL_TYPE = f"{LAYER_TYPE}model"


def _layer(media_type: str, file: Path) -> Layer:
    return Layer(media_type, f"sha256:{file.name}", file.stat().st_size)


def _write_model(path: Path) -> Path:
    """A model of a gibibyte, all of them real bytes: a file with holes would be copied without them."""
    sizes = model_sizes(_SHAPE, [llama_block(_SHAPE)] * _SHAPE.layers)
    piece = np.random.default_rng(0).standard_normal(1 << 20, np.float32)
    tensors = (np.resize(piece, size) for size in sizes.values())
    write_tensors(open_decoder(path, "llama", _SHAPE), sizes, tensors)
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash(path: Path) -> float:
    """Seconds of hashing a file."""
    started = time.perf_counter()
    _sha256(path)
    return time.perf_counter() - started


def _hash_beside_a_copy(path: Path) -> float:
    """Seconds of CPU, without those of reading, while the other core copies: as it is in a pull."""
    copy = path.with_suffix(".copy")
    with subprocess.Popen(["cp", path, copy]):
        started = os.times().user
        _sha256(path)
        seconds = os.times().user - started
    copy.unlink()
    return seconds


def _seconds(*command: str | Path) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _copy(path: Path, *, flush: bool = False) -> float:
    """Seconds of a copy, which is deleted again."""
    copy = path.with_suffix(".copy")
    seconds = _seconds("cp", path, copy)
    if flush:
        seconds += _seconds("sync", copy)
    copy.unlink()
    return seconds


def adopt(host: Host, rounds: int) -> Iterator[Row]:
    """A file of 5 GiB, mostly holes, that becomes a blob where it is."""
    source, blobs = host.folder / "large.gguf", host.folder / "models" / "blobs"
    write_random(source)
    os.truncate(source, _IMPORTED)
    imports, floors = list[float](), list[float]()
    for _ in range(rounds):
        started = time.perf_counter()
        digest = _sha256(source)
        floors.append(time.perf_counter() - started)
        imports.append(run("-c", _IMPORT, str(blobs), str(source)).wall)
        copied = _bytes_of(Blobs(blobs).path(Digest(digest)), source)
        shutil.rmtree(blobs.parent)
    took, floor = median(imports), median(floors)
    detail = f"{took:.2f} s against {floor:.2f} s, {copied} bytes copied"
    yield Row("import of 5 GiB against hashing it", took / floor, "x", 1.3, detail)


def _bytes_of(blob: Path, source: Path) -> int:
    """What the blob takes beside the file that it was made of."""
    is_same = not blob.exists() or blob.samefile(source)
    return 0 if is_same else blob.stat().st_blocks * 512


def library(host: Host, rounds: int) -> Iterator[Row]:
    """The list of five hundred models, the first and later ones."""
    _fill(Store(host.folder / "models"), host.folder / "weights")
    firsts, later, cpu = list[float](), list[float](), list[float]()
    for _ in range(rounds):
        with host.daemon() as daemon:
            firsts.append(_list_seconds(host))
            before = sum(daemon.cpu_times()[:2])
            later += (times := [_list_seconds(host) for _ in range(9)])
            cpu.append((sum(daemon.cpu_times()[:2]) - before) / len(times))
    own, middle, first = (median(times) * 1e3 for times in (cpu, later, firsts))
    detail = f"best of {len(later)}, median {middle:.0f}, the first {first:.0f} ms; {own:.0f} ms of CPU"
    name = f"list of {_NUM_MODELS} models"
    yield Row(name, min(later) * 1e3, "ms", 100.0, detail)


def _list_seconds(host: Host) -> float:
    started = time.perf_counter()
    host.call("GET", "/api/tags")
    return time.perf_counter() - started


def _fill(store: Store, weights: Path) -> None:
    """Each with weights and a licence of its own."""
    config = store.blobs.add([_CONFIG])
    for number in range(_NUM_MODELS):
        write_random(weights, layers=1, width=32, seed=number)
        kinds = {"model": weights.read_bytes(), "license": b"licence %d" % number}
        layers = [
            Layer(LAYER_TYPE + kind, str(store.blobs.add([data])), len(data))
            for kind, data in kinds.items()
        ]
        manifest = Manifest(
            config=Layer(CONFIG_TYPE, str(config), len(_CONFIG)), layers=layers
        )
        store.put(ModelName.parse(f"model{number}"), manifest)
