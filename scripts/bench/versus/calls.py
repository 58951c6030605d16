"""Many requests at once from one thread: plain sockets and a selector, as a busy client would steal from the server."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from .dialects import Piece
from .target import Target
from .wire import Failed, Response

_NUM_BYTES = 1 << 16


class Call:
    """One request and what has come back. Instants are `time.perf_counter()`."""

    def __init__(self, target: Target, request: bytes) -> None:
        self.sock = socket.create_connection(
            ("127.0.0.1", target.port), target.patience
        )
        self.arrivals: list[float] = []  # of pieces that have text
        self.ended_at = 0.0
        self._read_line = target.dialect.read
        self._response = Response()
        self._line = b""
        self._pieces: list[Piece] = []
        self.sent_at = time.perf_counter()
        self.sock.sendall(request)

    @property
    def is_ended(self) -> bool:
        """Whether all of the answer is here."""
        return self.ended_at > 0.0

    @property
    def seconds_to_first(self) -> float:
        """From the request to the first text."""
        if not self.arrivals:
            raise Failed("an answer without text")
        return self.arrivals[0] - self.sent_at

    @property
    def tokens_per_second(self) -> float:
        """The pace after the first token; of an answer that came in one piece, since the request."""
        if self.num_tokens < 2:
            raise Failed(f"an answer of {self.num_tokens} tokens")
        elapsed = self.arrivals[-1] - self.arrivals[0]
        return (self.num_tokens - 1) / (elapsed or self.arrivals[-1] - self.sent_at)

    @property
    def text(self) -> str:
        """What the model said."""
        return "".join(piece.text for piece in self._pieces)

    @property
    def num_tokens(self) -> int:
        """As the server counts them, or the pieces where it does not."""
        return max(p.num_tokens for p in self._pieces) or len(self.arrivals)

    @property
    def num_prompt(self) -> int:
        """As the server counts them; 0 where it does not."""
        return max(piece.num_prompt for piece in self._pieces)

    def read(self) -> None:
        """Take what has arrived; Failed where that is no answer."""
        data, now = self.sock.recv(_NUM_BYTES), time.perf_counter()
        self._line += self._response.feed(data)
        is_over = not data or self._response.is_complete
        if self._response.status == 200:
            self._read_lines(now, is_over=is_over)
        if is_over:
            self._check()
            self.ended_at = now

    def _read_lines(self, now: float, *, is_over: bool) -> None:
        *lines, self._line = self._line.split(b"\n")
        if is_over:
            lines, self._line = [*lines, self._line], b""
        for line in lines:
            if piece := self._piece(line):
                self._pieces.append(piece)
                if piece.text:
                    self.arrivals.append(now)

    def _piece(self, line: bytes) -> Piece | None:
        try:
            return self._read_line(line)
        except ValueError as exc:
            raise Failed(f"not an answer: {line[:80]!r}") from exc

    def _check(self) -> None:
        if self._response.status != 200:
            said = self._line.decode("utf-8", "replace").strip()
            raise Failed(f"status {self._response.status}: {said[:200]}")
        if not any(piece.is_last for piece in self._pieces):
            raise Failed("an answer broke off")


class Clients:
    """The calls to one target that are under way; leaving the block hangs up on the rest."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for key in list(self._selector.get_map().values()):
            self._hang_up(key.data)
        self._selector.close()

    def start(self, request: bytes) -> Call:
        """Send a request."""
        call = Call(self._target, request)
        self._selector.register(call.sock, selectors.EVENT_READ, call)
        return call

    def until(self, is_so: Callable[[], bool]) -> None:
        """Read until it is so; Failed where all answers end before."""
        while not is_so():
            if not self._selector.get_map():
                raise Failed("the answers ended too early")
            self._read(self._target.patience)

    def read_for(self, seconds: float) -> None:
        """Read what comes in that time, which may be nothing."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            with suppress(TimeoutError):
                self._read(left)

    def finish(self) -> None:
        """Read all answers to their ends."""
        self.until(lambda: not self._selector.get_map())

    def _read(self, patience: float) -> None:
        ready = self._selector.select(patience)
        if not ready:
            raise TimeoutError(f"silent for {patience:g} s")
        for key, _ in ready:
            key.data.read()
            if key.data.is_ended:
                self._hang_up(key.data)

    def _hang_up(self, call: Call) -> None:
        self._selector.unregister(call.sock)
        call.sock.close()


def ask_all(target: Target, requests: list[bytes]) -> list[Call]:
    """All of them at once, each to its end."""
    with Clients(target) as clients:
        calls = [clients.start(request) for request in requests]
        clients.finish()
    return calls


def ask(target: Target, request: bytes) -> Call:
    """One request to its end."""
    return ask_all(target, [request])[0]


def wall_seconds(calls: list[Call]) -> float:
    """From the first request to the last byte."""
    return max(c.ended_at for c in calls) - min(c.sent_at for c in calls)
