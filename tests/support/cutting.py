"""A wire to a server that is cut once, after so many bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.misbehaving import served_by


@dataclass
class Wire:
    """`address` is its near end. Of the first `after` bytes that go to the server each arrives, then it is cut."""

    far: tuple[str, int]
    after: int
    address: str = ""
    num_cut: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, near: socket.socket) -> None:
        """Carry one connection."""
        with near, socket.create_connection(self.far) as far:
            back = threading.Thread(target=_carry, args=(far, near))
            back.start()
            with suppress(OSError):
                while (data := near.recv(1 << 14)) and self._is_whole(data):
                    far.sendall(data)
            for end in (near, far):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            back.join()

    def _is_whole(self, data: bytes) -> bool:
        with self._lock:
            self.after -= len(data)
            cuts = self.after < 0 and not self.num_cut
            self.num_cut += cuts
        return not cuts


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 14):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def cutting(address: str, *, after: int) -> Iterator[Wire]:
    """A wire to the address."""
    host, _, port = address.partition(":")
    wire = Wire((host, int(port)), after)
    with served_by(wire.handle) as near:
        wire.address = f"127.0.0.1:{near}"
        yield wire
