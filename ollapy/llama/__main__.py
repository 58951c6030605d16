"""`python -m ollapy.llama`: what the inference library is, as one line of JSON. It ends by itself."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from ollapy.api.engine import Device, EngineReport

from .library import VERSION, raw

_KINDS = ("cpu", "gpu", "igpu", "accel")
_FEATURE = re.compile(rb"(\w+) = 1\b")


def report() -> EngineReport:
    """Asks the devices, which may take a second where there is a GPU."""
    num_backends = _function("ggml_backend_reg_count", ctypes.c_size_t)
    num_devices = _function("ggml_backend_dev_count", ctypes.c_size_t)
    return EngineReport(
        bindings=VERSION,
        ggml=_function("ggml_version", ctypes.c_char_p)().decode(),
        backends=[_backend(i) for i in range(num_backends())],
        devices=[_device(i) for i in range(num_devices())],
        features=[name.decode() for name in _FEATURE.findall(raw.llama_print_system_info())],
    )  # fmt: skip


def _function(name: str, answer: Any, *arguments: Any) -> Callable[..., Any]:
    """One of ggml's, which llama.cpp's library is linked with and llama-cpp-python does not name."""
    function = getattr(raw._lib, name)
    function.restype, function.argtypes = answer, arguments
    return function  # type: ignore[no-any-return]


def _backend(index: int) -> str:
    get = _function("ggml_backend_reg_get", ctypes.c_void_p, ctypes.c_size_t)
    name = _function("ggml_backend_reg_name", ctypes.c_char_p, ctypes.c_void_p)
    return str(name(get(index)).decode())


def _device(index: int) -> Device:
    get = _function("ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)
    handle = get(index)

    def ask(what: str, answer: Any) -> Any:
        return _function(f"ggml_backend_dev_{what}", answer, ctypes.c_void_p)(handle)

    size = ctypes.POINTER(ctypes.c_size_t)
    memory = _function("ggml_backend_dev_memory", None, ctypes.c_void_p, size, size)
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    memory(handle, free, total)
    return Device(
        name=ask("name", ctypes.c_char_p).decode(),
        description=ask("description", ctypes.c_char_p).decode(errors="replace"),
        kind=_KINDS[ask("type", ctypes.c_int) % len(_KINDS)],
        free=free.value,
        total=total.value,
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(report()) + b"\n")
