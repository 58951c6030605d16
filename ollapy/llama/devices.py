"""What computes on this machine, as ggml lists it, and how a load names which of it to use."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ollapy.api.engine import Buffer, Device, Place
from ollapy.errors import LoadFailed

from .library import log, raw

_KINDS = ("cpu", "gpu", "igpu", "accel", "meta")
_PURPOSES = {
    "model": "weights",
    "KV": "cache",
    "RS": "state",
    "compute": "compute",
    "output": "output",
}
_RPC = b"RPC"
# The tensors of a layer's experts; each is a number of matrices of which a token meets a few.
_EXPERTS = r"blk\.{}\.ffn_(up|down|gate|gate_up)_(ch|)exps"

_Handle = ctypes.c_void_p


def _function(name: str, answer: Any, *arguments: Any) -> Callable[..., Any]:
    """One of ggml's, which llama.cpp's library is linked with and llama-cpp-python does not name."""
    function = getattr(raw._lib, name)
    function.restype, function.argtypes = answer, arguments
    return function  # type: ignore[no-any-return]


_version = _function("ggml_version", ctypes.c_char_p)
_names: dict[int, str] = {}  # that workers' devices were given, by their handles
_size = ctypes.POINTER(ctypes.c_size_t)
_num_devices = _function("ggml_backend_dev_count", ctypes.c_size_t)
_device_at = _function("ggml_backend_dev_get", _Handle, ctypes.c_size_t)
_name = _function("ggml_backend_dev_name", ctypes.c_char_p, _Handle)
_description = _function("ggml_backend_dev_description", ctypes.c_char_p, _Handle)
_type = _function("ggml_backend_dev_type", ctypes.c_int, _Handle)
_memory = _function("ggml_backend_dev_memory", None, _Handle, _size, _size)
_buffer_type = _function("ggml_backend_dev_buffer_type", _Handle, _Handle)
_buffer_name = _function("ggml_backend_buft_name", ctypes.c_char_p, _Handle)
_cpu_buffer_type = _function("ggml_backend_cpu_buffer_type", _Handle)
_num_backends = _function("ggml_backend_reg_count", ctypes.c_size_t)
_backend_at = _function("ggml_backend_reg_get", _Handle, ctypes.c_size_t)
_backend_of = _function("ggml_backend_dev_backend_reg", _Handle, _Handle)
_backend_by_name = _function("ggml_backend_reg_by_name", _Handle, ctypes.c_char_p)
_backend_name = _function("ggml_backend_reg_name", ctypes.c_char_p, _Handle)
_register = _function("ggml_backend_register", None, _Handle)
_address = _function("ggml_backend_reg_get_proc_address", _Handle, _Handle, ctypes.c_char_p)  # fmt: skip


class _Capabilities(ctypes.Structure):
    _fields_ = [(name, ctypes.c_bool) for name in ("is_async", "host_buffer", "from_host", "events", "mmap")]  # fmt: skip


class _Properties(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("device_id", ctypes.c_char_p),
        ("caps", _Capabilities),
    ]


_properties = _function("ggml_backend_dev_get_props", None, _Handle, ctypes.POINTER(_Properties))  # fmt: skip


def version() -> str:
    """The release of ggml."""
    return str(_version().decode())


def backends() -> list[str]:
    """The parts of the library that were compiled in, or came with a worker."""
    return [_backend_name(_backend_at(i)).decode() for i in range(_num_backends())]


def devices() -> list[Device]:
    """All there are; asking may take a second where there is a GPU."""
    return [_told(_device_at(i)) for i in range(_num_devices())]


def _told(handle: int) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    _memory(handle, free, total)
    found = _Properties()
    _properties(handle, found)
    return Device(
        name=_name(handle).decode(),
        description=_description(handle).decode(errors="replace"),
        kind=_KINDS[_type(handle) % len(_KINDS)],
        free=free.value,
        total=total.value,
        backend=_backend_name(_backend_of(handle)).decode(),
        id=(found.device_id or b"").decode(errors="replace"),
    )


def add_worker(endpoint: str, names: Sequence[str] = ()) -> None:
    """Have the devices of a `host:port` among this machine's, under these names if any are given.

    Ends the process where no worker answers there, and waits while it computes for another.
    """
    backend = _backend_by_name(_RPC)
    address = backend and _address(backend, b"ggml_backend_rpc_add_server")
    if not address:
        raise LoadFailed(
            "this build of llama.cpp knows no RPC workers: install llama-cpp-python with "
            'CMAKE_ARGS="-DGGML_RPC=on", or unset OLLAPY_RPC'
        )
    add = ctypes.CFUNCTYPE(_Handle, ctypes.c_char_p)(address)
    known = _num_devices()
    if worker := add(endpoint.encode()):
        _register(worker)
    for index, name in zip(range(known, _num_devices()), names, strict=False):
        _names[_device_at(index)] = name


def buffers() -> list[Buffer]:
    """The memory that llama.cpp's log told of so far, and whose it is."""
    known = dict(_buffer_names())
    return [
        Buffer(known.get(_plain(name), "CPU"), _PURPOSES[what], size, _is_mapped(name))
        for name, what, size in log.buffers
    ]


def _plain(name: str) -> str:
    """A device's buffers have its name, and how they came to be."""
    return re.sub(r"_(Mapped|Private)$", "", name)


def _is_mapped(name: str) -> bool:
    return name.endswith("_Mapped")


def _buffer_names() -> Iterator[tuple[str, str]]:
    """What each accelerator's buffers are called, and its name."""
    for index in range(_num_devices()):
        handle = _device_at(index)
        if _KINDS[_type(handle) % len(_KINDS)] in ("gpu", "igpu"):
            name = _called(handle)
            yield name, name
            yield _buffer_name(_buffer_type(handle)).decode(), name


class _Override(ctypes.Structure):
    """llama_model_tensor_buft_override, which llama-cpp-python does not define."""

    _fields_ = [("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p)]


class Placed:
    """Where a load puts what: arrays that llama.cpp's parameters point to, which live as long as the model."""

    def __init__(self, place: Place) -> None:
        for endpoint, given in place.workers.items():
            add_worker(endpoint, given)
        names, num_cpu_moe = place.devices, place.num_cpu_moe
        self._num_layers = place.num_layers
        self._devices = (_Handle * (len(names) + 1))(*map(_known, names), None)
        parts = [*place.split, *[0.0] * raw.llama_max_devices()]
        self._split = (ctypes.c_float * len(parts))(*parts)
        patterns = [_EXPERTS.format(layer).encode() for layer in range(num_cpu_moe)]
        cpu = _cpu_buffer_type()
        self._overrides = (_Override * (num_cpu_moe + 1))(
            *(_Override(pattern, cpu) for pattern in patterns)
        )

    def apply(self, params: Any) -> None:
        """To llama_model_params. Without devices all is with the processor, whatever else there is."""
        params.n_gpu_layers = self._num_layers
        params.devices = ctypes.addressof(self._devices)
        params.tensor_split = ctypes.cast(self._split, ctypes.POINTER(ctypes.c_float))
        params.tensor_buft_overrides = ctypes.addressof(self._overrides)


def _called(handle: int) -> str:
    """The name that a device was given, or has."""
    return _names.get(handle) or str(_name(handle).decode())


def _known(name: str) -> int:
    handles = map(_device_at, range(_num_devices()))
    handle = next((h for h in handles if _called(h) == name), None)
    if handle is None:
        raise LoadFailed(f"the device {name} is not there any more: 'ollapy doctor' lists those that are")  # fmt: skip
    return int(handle)
