"""`ollapy --version`: this program's, and the daemon's where it differs."""

from __future__ import annotations

from ollapy import __version__
from ollapy.errors import DaemonUnreachable, OllapyError

from .output import talk
from .session import check, connect


def print_version() -> None:
    """One line on stdout; what is odd about the daemon on stderr."""
    print(f"ollapy {__version__}")
    try:
        with connect() as client:
            daemon = check(client).ollapy
    except DaemonUnreachable:
        return
    except OllapyError as exc:
        talk(f"Warning: {exc}")
        return
    if daemon != __version__:
        talk(
            f"Warning: the daemon is ollapy {daemon}, 'ollapy serve --stop' makes way for this one"
        )
