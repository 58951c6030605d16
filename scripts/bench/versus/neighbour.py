"""A process that wants a core for itself, as a compiler or a browser would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# it ends with its parent, however that ends
_BURN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """One core is burned while the block runs."""
    process = subprocess.Popen([sys.executable, "-c", _BURN])
    try:
        yield
    finally:
        process.kill()
        process.wait()
