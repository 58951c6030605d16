"""The judge of a store: looks at what is on the disk, with none of the code that wrote it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOB = re.compile(r"sha256-([0-9a-f]{64})")
_PARTS = ("blobs", "references", "manifests", "leases", "lock")


def check_sound(models: Path) -> None:
    """Every blob is what its name says, and every manifest's blobs are here; nothing else lies about."""
    blobs = dict(_blobs(models))
    for path, data in manifests(models).items():
        for layer in _layers(data):
            size = blobs.get(layer["digest"].removeprefix("sha256:"))
            assert size == layer["size"], f"{path} needs {layer}, there is {size}"
    assert {p.name for p in models.glob("*")} <= set(_PARTS)


def check_tidy(models: Path) -> None:
    """There is nothing but manifests, what they need, and the lock."""
    needed = {"lock", *manifests(models)}
    for data in manifests(models).values():
        for layer in _layers(data):
            digest = layer["digest"].replace(":", "-")
            needed |= {f"blobs/{digest}", f"references/{digest}"}
    assert files(models) <= needed


def files(models: Path) -> set[str]:
    """Every file in the store."""
    return {str(p.relative_to(models)) for p in models.rglob("*") if p.is_file()}


def state(models: Path) -> dict[str, bytes]:
    """The whole store, to be compared: but for its lock, and for hard links to what is referred to as well."""
    names = files(models) - {"lock"}
    names -= {n.replace("references/", "blobs/") for n in names if "references/" in n}
    return {name: (models / name).read_bytes() for name in names}


def manifests(models: Path) -> dict[str, bytes]:
    """The manifests under their final names."""
    return {
        str(path.relative_to(models)): path.read_bytes()
        for path in (models / "manifests").glob("*/*/*/*")
    }


def num_completed(models: Path) -> int:
    """Blocks that downloads under way say they have."""
    states = (models / "blobs").glob("*-partial-blocks")
    return sum(bool(mark) for path in states for mark in _marks(path))


def marks(blob: Path) -> bytes:
    """What a blob's download says of its blocks; nothing where there is none that counts."""
    state, data = (
        blob.with_name(f"{blob.name}-partial{end}") for end in ("-blocks", "")
    )
    return _marks(state) if state.exists() and data.exists() else b""


def _marks(state: Path) -> bytes:
    return state.read_bytes().partition(b"\n")[2]


def _blobs(models: Path) -> Iterator[tuple[str, int]]:
    for path in (models / "blobs").glob("*"):
        if found := _BLOB.fullmatch(path.name):
            yield _hashed(path, found[1])
    for path in (models / "references").glob("*"):
        if found := _BLOB.fullmatch(path.name):
            yield _hashed(Path(json.loads(path.read_bytes())["path"]), found[1])


def _hashed(path: Path, expected: str) -> tuple[str, int]:
    data = path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == expected, f"{path.name} is damaged"
    return expected, len(data)


def _layers(manifest: bytes) -> list[dict[str, Any]]:
    found = json.loads(manifest)
    return [*found["layers"], found["config"]]
