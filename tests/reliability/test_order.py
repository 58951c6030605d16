"""The order in which things reach the disk, as the kernel saw it: no power cut can leave a name without its bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.test_crashes import NEW, serving
from tests.support.crash_host import Outcome, crash_host
from tests.support.trace import Call, calls, strace


@dataclass(frozen=True)
class Traced:
    """What an operation asked of the disk, and what its own failpoints counted of that."""

    calls: list[Call]
    outcome: Outcome
    models: Path


@pytest.fixture(
    scope="module",
    params=["pull", "adopt", "create", "copy", "replace", "remove", "prune"],
)
def traced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Traced:
    folder = tmp_path_factory.mktemp("traced")
    models, log = folder / "models", folder / "log"
    source = folder / "weights.gguf"
    source.write_bytes(b"weights of the user's")
    with serving() as registry:
        command = {
            "pull": ["pull", registry.name],
            "adopt": ["adopt", "mine", str(source)],
            "create": ["create", registry.name, registry.other],
            "copy": ["copy", "tiny", "small"],
            "replace": ["copy", registry.other, registry.name],
            "remove": ["remove", registry.name],
            "prune": ["prune"],
        }[request.param]
        if request.param in ("create", "replace", "remove", "prune"):
            with crash_host() as host:
                for name in (registry.name, registry.other):
                    assert host.run(models, "pull", name).passed
                assert host.run(models, "upload", "nobody needs this").passed
        registry.current = NEW
        with crash_host(strace(log)) as host:
            outcome = host.run(models, *command)
            assert outcome.passed, outcome
    return Traced(calls(log, folder), outcome, models)


def test_the_order(traced: Traced) -> None:
    found, models = traced.calls, traced.models
    renames = [call for call in found if call.name == "rename"]
    for rename in renames:
        source, target = rename.paths
        _check_flushed_before(found, rename, source)
        _check_folder_flushed(found, rename, Path(target))
    names = [r for r in renames if _is_under(r, models / "manifests")]
    blobs = [r for r in renames if _is_under(r, models / "blobs")]
    for name in names:
        for blob in blobs:
            assert _flushed_folder(found, blob).ended < name.began
    for deletion in (c for c in found if c.name == "unlink" and _is_blob(c, models)):
        assert all(_flushed_folder(found, n).ended < deletion.began for n in names)


def test_nothing_reaches_the_disk_unseen(
    traced: Traced,
) -> None:
    """The failpoints of the crash loop are all the system calls that there are."""
    counted = Counter(c.replace("replace", "rename") for c in traced.outcome.calls)

    assert Counter(call.name for call in traced.calls) == counted


def _check_flushed_before(found: list[Call], rename: Call, source: str) -> None:
    """All that was written to a file is on the disk before the file gets its name."""
    links = (c.paths for c in found if c.name == "link")
    same = {source, *(file for file, link in links if link == source)}
    about = [c for c in found if same & {*c.paths}]
    writes = [c for c in about if c.name in ("write", "pwrite")]
    flushes = [c for c in about if c.name == "fsync"]
    last = max((c.ended for c in writes if c.began < rename.began), default=-1)
    assert any(last < flush.began and flush.ended < rename.began for flush in flushes)
    assert all(c.ended < rename.began for c in writes)


def _check_folder_flushed(found: list[Call], rename: Call, target: Path) -> None:
    """The new name, and those of the folders it is in, are on the disk too."""
    _flushed_folder(found, rename)
    for made in (c for c in found if c.name == "mkdir"):
        folder = Path(made.paths[0])
        if target.is_relative_to(folder):
            above = [
                c for c in found if c.name == "fsync" and str(folder.parent) in c.paths
            ]
            assert any(made.ended < c.began and c.ended < rename.began for c in above)


def _flushed_folder(found: list[Call], rename: Call) -> Call:
    folder = str(Path(rename.paths[1]).parent)
    return next(
        c
        for c in found
        if c.name == "fsync" and folder in c.paths and c.began > rename.ended
    )


def _is_under(rename: Call, folder: Path) -> bool:
    return Path(rename.paths[1]).is_relative_to(folder)


def _is_blob(call: Call, models: Path) -> bool:
    path = Path(call.paths[0])
    return path.parent == models / "blobs" and len(path.name) == len("sha256-") + 64
