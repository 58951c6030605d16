"""Folders that may not be read hide nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.others import Others
from tests.support.raw_gguf import weights

_NOBODY = 65534
# Root may read everything, so it becomes somebody else, once it has imported what that one may not read.
_PROGRAM = """
import logging, os, sys
from ollapy.neighbours import Neighbours
from ollapy.settings import Settings

if os.geteuid() == 0:
    os.setuid(int(sys.argv[2]))
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
for model in Neighbours(Settings.from_env({"HOME": sys.argv[1]})).models():
    print(model.name)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """One that others may enter, which the tests' own temporary folders are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_what_may_not_be_read_is_skipped(home: Path) -> None:
    others = Others(home)
    others.add_to_lm_studio("ann/Tiny-GGUF", Tiny__Q8_0=weights())
    closed = others.add_to_lm_studio("bob/Closed", x=weights())
    file = others.add_to_cache("eve/File", x=weights()) / "x.gguf"
    file.resolve().chmod(0)
    closed.chmod(0)
    others.ollama.mkdir(parents=True)
    (others.ollama / "manifests").mkdir(0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, home, str(_NOBODY)],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"]},
        )
    finally:
        closed.chmod(0o755)
        (others.ollama / "manifests").chmod(0o755)

    assert done.stderr == ""
    *skipped, name = sorted(done.stdout.splitlines(), key=len, reverse=True)
    assert name == "hf.co/ann/Tiny-GGUF:Q8_0"
    assert len(skipped) == 3
    assert all("Permission denied" in line for line in skipped)
    for path in (closed, file, others.ollama):
        assert any(str(path) in line for line in skipped)
