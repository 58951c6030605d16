"""`python -m ollapy.llama [host:port]`: what the inference library is, as one line of JSON. It ends by itself.

With an address only the devices of the worker there are told. A worker that does not speak the library's
language ends the process, which is one reason for it to be one.
"""

from __future__ import annotations

import re
import sys

import msgspec

from ollapy import lifeline
from ollapy.api.engine import EngineReport

from .devices import add_worker, backends, devices, version
from .library import VERSION, raw

_FEATURE = re.compile(rb"(\w+) = 1\b")


def report(worker: str = "") -> EngineReport:
    """Asks the devices, which may take a second where there is a GPU."""
    if worker:
        add_worker(worker)
    found = devices()
    return EngineReport(
        bindings=VERSION,
        ggml=version(),
        backends=backends(),
        devices=[d for d in found if not worker or d.backend == "RPC"],
        features=[name.decode() for name in _FEATURE.findall(raw.llama_print_system_info())],
    )  # fmt: skip


if __name__ == "__main__":
    lifeline.end_with_parent()
    lifeline.forbid_core_files()
    sys.stdout.buffer.write(msgspec.json.encode(report(*sys.argv[1:2])) + b"\n")
    sys.stdout.flush()
