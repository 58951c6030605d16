"""What goes wrong on the way to another server, each as one sentence."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, RemoteDisconnected

from ollapy.errors import RemoteError
from ollapy.text import clean

_SHOWN = 200


class ConnectionFailed(RemoteError):
    """No whole answer came. `passing` says that another try may help; `stalled` that it was silence."""

    def __init__(
        self, message: str, *, passing: bool = True, stalled: bool = False
    ) -> None:
        super().__init__(message)
        self.passing = passing
        self.stalled = stalled


class Refused(RemoteError):
    """The server answered with an error status."""

    def __init__(self, message: str, status: int, retry_after: str | None) -> None:
        super().__init__(message)
        self.http_status = status
        self.retry_after = retry_after


@contextmanager
def told_of(host: str) -> Iterator[None]:
    """Failures of the network as ConnectionFailed that names the host."""
    try:
        yield
    except (OSError, HTTPException, UnicodeError, ValueError) as exc:
        raise _failure(host, exc) from exc


def _failure(host: str, exc: Exception) -> ConnectionFailed:
    match exc:
        case TimeoutError():
            return ConnectionFailed(f"{host} did not answer in time", stalled=True)
        case socket.gaierror():
            passing = exc.errno == socket.EAI_AGAIN
            return ConnectionFailed(
                f"could not find {host}, check the network: {exc.strerror}",
                passing=passing,
            )
        case UnicodeError():
            return ConnectionFailed(f"{host} is not a host name", passing=False)
        case ssl.SSLCertVerificationError():
            reason = f"the certificate of {host} is not valid: {exc.verify_message}"
            return ConnectionFailed(reason, passing=False)
        case ConnectionRefusedError():
            return ConnectionFailed(f"{host} refused the connection")
        case RemoteDisconnected() | ConnectionError() | ssl.SSLEOFError():
            return ConnectionFailed(f"{host} closed the connection")
        case ssl.SSLError():
            reason = shown(exc.reason or "handshake failed")
            return ConnectionFailed(f"could not set up TLS with {host}: {reason}")
        case OSError():
            reason = exc.strerror or type(exc).__name__
            return ConnectionFailed(f"could not reach {host}: {reason}")
        case _:
            return ConnectionFailed(f"{host} gave a malformed answer")


def shown(text: str | bytes) -> str:
    """What another server said, short and safe to show."""
    if isinstance(text, bytes):
        text = text[: 4 * _SHOWN].decode(errors="replace")
    line = " ".join(text[: 4 * _SHOWN].split())
    return clean(line)[:_SHOWN]
