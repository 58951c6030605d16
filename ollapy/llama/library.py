"""llama.cpp loaded once: version check, log routing, and the calls that keep the GIL.

Importing this module loads the shared library. The rest of `ollapy.llama` reaches llama.cpp through
the names bound here.
"""

from __future__ import annotations

import ctypes
import logging
import re
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any, ClassVar

from ollapy.errors import EngineMissing

VERSION = "0.3.36"
INSTALL = f"pip install llama-cpp-python=={VERSION}"

__all__ = ["INSTALL", "VERSION", "fingerprint", "held", "log", "mtmd", "raw"]

logger = logging.getLogger("ollapy.llama.cpp")

# The package without its `__init__`, which loads templates, a cache and more that nothing here uses.
if "llama_cpp" not in sys.modules and (spec := find_spec("llama_cpp")):
    sys.modules["llama_cpp"] = module_from_spec(spec)
try:
    _installed = version("llama-cpp-python")
    from llama_cpp import llama_cpp as raw
    from llama_cpp import mtmd_cpp as mtmd
except (ImportError, OSError, RuntimeError) as exc:
    raise EngineMissing(
        f"llama-cpp-python could not be loaded ({exc}), install it with: {INSTALL}"
    ) from exc


def _check_abi() -> None:
    """Struct layouts change every few weeks: a wrong one corrupts memory, so known defaults must read back."""
    if _installed != VERSION:
        raise EngineMissing(
            f"llama-cpp-python {_installed} is installed but ollapy needs {VERSION}, install it with: {INSTALL}"
        )
    context, model = (
        raw.llama_context_default_params(),
        raw.llama_model_default_params(),
    )
    found = (
        *(
            context.n_batch,
            context.n_ubatch,
            context.n_seq_max,
            context.type_k,
            context.swa_full,
        ),
        *(model.n_gpu_layers, model.load_mode, model.vocab_only, model.no_alloc),
    )
    if found != (2048, 512, 1, 1, True, -1, -1, False, False):
        raise EngineMissing(
            f"the installed llama.cpp library does not match llama-cpp-python {VERSION}, reinstall it with: {INSTALL}"
        )


def fingerprint() -> str:
    """What says that two processes have the same build of llama.cpp."""
    found = Path(raw._lib._name).stat()
    return f"{VERSION} {found.st_size} {found.st_mtime_ns}"


class Log:
    """llama.cpp's log: handed to `logging`, its last complaints and its memory figures kept.

    The callback runs on whatever thread logs.
    """

    _BUFFER = re.compile(
        r"(\S+) +(model|KV|RS|compute|output) buffer size *= *([0-9.]+) MiB"
    )
    _LEVELS: ClassVar = {3: logging.WARNING, 4: logging.ERROR}
    _EXPECTED = (
        # the pool is for several sequences of the trained length
        "possible training context overflow",
        # an adapter's part for weights that were repacked
        "fallback to CPU",
    )

    def __init__(self) -> None:
        self.complaints: deque[str] = deque(maxlen=8)
        self.buffers: list[tuple[str, str, int]] = []  # whose, what for, bytes
        self._is_measuring = False
        # a decode is being given up on purpose: its complaints are none
        self.is_aborting = False
        # a collected callback is a segfault, so it lives as long as this object: the process
        self._callback = raw.llama_log_callback(self._on_text)
        self.listen()

    def listen(self) -> None:
        """Get what llama.cpp says, from now on and instead of anybody else."""
        raw.llama_log_set(self._callback, ctypes.c_void_p())
        mtmd.mtmd_helper_log_set(self._callback, ctypes.c_void_p())

    def _on_text(self, level: int, text: bytes, _data: object) -> None:
        line = text.decode("utf-8", "replace").strip()
        if self._is_measuring and (found := self._BUFFER.search(line)):
            size = int(float(found[3]) * 2**20)
            self.buffers.append((found[1], found[2], size))
        expected = self.is_aborting or any(text in line for text in self._EXPECTED)
        if level in self._LEVELS and not expected:
            self.complaints.append(line)
        logger.log(
            logging.DEBUG if expected else self._LEVELS.get(level, logging.DEBUG),
            "%s",
            line,
        )

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Count the buffers that are allocated meanwhile; at other times they only take the place of others."""
        self._is_measuring = True
        try:
            yield
        finally:
            self._is_measuring = False


_check_abi()
log = Log()
raw.llama_backend_init()

# A CDLL call drops the GIL and must win it back, up to a switch interval later; calls that take
# microseconds are bound a second time so that they keep it.
_held = ctypes.PyDLL(raw._lib._name)


def held(name: str) -> Any:
    """The library function `name`, called with the GIL held."""
    function, typed = getattr(_held, name), getattr(raw, name)
    function.argtypes, function.restype = typed.argtypes, typed.restype
    return function
