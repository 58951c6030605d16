"""A store of somebody else's, as that of Ollama's service: it is read, and changing it says why it cannot be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.support.models import add_model

_NOBODY = 65534
# It becomes another user once it has imported what that one may not be able to read.
_PROGRAM = """
import os, sys
from pathlib import Path
from ollapy.errors import StoreError
from ollapy.names import ModelName
from ollapy.operation import Operation
from ollapy.store import Store

os.setuid(int(sys.argv[3]))
store, x = Store(Path(sys.argv[1])), ModelName.parse("x")
print(sorted(str(model.name) for model in store.models()))
print(store.get(x).header.architecture, store.usage().total > 0)
print([damage.problem for damage in store.verify([], Operation())])
print(store.obstacle())

def lease():
    with store.lease():
        pass

for change in (
    lambda: store.copy(x, ModelName.parse("y")),
    lambda: store.delete(x),
    lambda: store.prune(),
    lambda: store.blobs.add([b"new"]),
    lambda: store.blobs.adopt(Path(sys.argv[2])),
    lease,
):
    try:
        print("changed", change())
    except StoreError as exc:
        print(exc)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that others may enter, which the tests' own temporary folders are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root"
)
def test_a_store_that_is_not_ours(folder: Path) -> None:
    add_model(folder / "models", "x", TINY)
    mine = folder / "mine.gguf"
    mine.write_bytes(b"mine")

    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, folder / "models", mine, str(_NOBODY)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    denied = ": Permission denied"
    assert done.stdout.splitlines() == [
        "['tiny:latest', 'x:latest']",
        "llama True",
        "[]",
        f"{folder / 'models'} is read-only",
        f"could not lock the model store{denied}",
        f"could not lock the model store{denied}",
        f"could not lock the model store{denied}",
        f"could not write to the model store{denied}",
        f"could not write to the model store{denied}",
        f"could not lock the model store{denied}",
    ]
