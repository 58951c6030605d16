"""An RPC worker of the library's own, which computes with this machine's processor. Run as a program."""

from __future__ import annotations

import ctypes
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ollapy.llama.devices import backends
from ollapy.llama.library import raw
from tests.support.strangers import free_address
from tests.support.waiting import eventually

_CPU = 0


@contextmanager
def running_worker() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Its address, and its process."""
    address = free_address()
    command = [sys.executable, "-m", "tests.support.worker", address]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: _is_open(address), "the worker does not start")
            yield address, process
        finally:
            process.kill()


def _is_open(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def _serve(address: str) -> None:
    assert "RPC" in backends()
    find = raw._lib.ggml_backend_dev_by_type
    find.restype = ctypes.c_void_p
    devices = (ctypes.c_void_p * 1)(find(_CPU))
    serve = raw._lib.ggml_backend_rpc_start_server
    serve.restype, serve.argtypes = None, [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]  # fmt: skip
    serve(address.encode(), None, 1, 1, devices)


if __name__ == "__main__":
    _serve(sys.argv[1])
