"""Line: the way to cut a connection off from another thread, whatever it waits for."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Lock

from .failures import ConnectionFailed

# of the socket below TLS, whose own state is the reading thread's
_shutdown = socket.socket.shutdown


class Line:
    """Holds the sockets of the request that is under way."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._is_cut = Event()
        self._lock = Lock()

    def hold(self, connection: socket.socket) -> None:
        """Take the socket that is used from now on."""
        with self._lock:
            self._socket = connection
        self.check()

    def check(self) -> None:
        """Raises ConnectionFailed once cut."""
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Pause, but for no longer than until cut."""
        if self._is_cut.wait(seconds):
            raise ConnectionFailed("the connection was cut", passing=False)

    def cut(self) -> None:
        """End what is under way and whatever comes after it."""
        self._is_cut.set()
        with self._lock:
            if self._socket is not None:
                with suppress(OSError):  # it may be closed, or not yet connected
                    _shutdown(self._socket, socket.SHUT_RDWR)
