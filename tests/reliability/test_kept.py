"""Kills and errors at every call that writes what was computed of a prompt: it is there whole, or not, and the next is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from ollapy.kvcache.branch import as_tokens
from ollapy.kvcache.folder import Folder
from tests.support.branches import branch
from tests.support.crash_host import Host
from tests.support.failpoints import Fault

FAULTS = [
    Fault(how="kill"),
    Fault(how="torn"),
    Fault(how="ENOSPC", lasting=True),
    Fault(how="EIO"),
]
BEGINNING = branch(8, size=1000)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.how)
def test_at_every_call(host: Host, memory: Path, fault: Fault) -> None:
    num_calls = len(host.run(memory / "counted", "keep", "1").calls)
    assert num_calls > 5
    for at in range(1, num_calls + 1):
        root = memory / str(at)
        folder = Folder(root / "kv", 1 << 20, "a model")
        assert folder.write(BEGINNING, math.inf)

        outcome = host.run(root, "keep", "1", fault=replace(fault, at=at))
        assert not outcome.error, outcome

        found = {name: folder.read(name) for name in folder.outlines()}
        assert found, at
        assert all(found.values()), at
        prompt = as_tokens(range(1, 40))
        usable = {b.outline.usable(prompt, (), anywhere=True) for b in found.values() if b}  # fmt: skip
        assert usable <= {8, 20}, at

        assert host.run(root, "keep", "1").passed
        (left,) = (root / "kv").glob("*/*")
        assert folder.read(left.stem) is not None, at
