"""Settings: what the environment and the settings file say, read at the start of a command or of the daemon.

The only reader of os.environ. A value that cannot be read is named in `Settings.warnings`, which the daemon logs
and the command line says; the next source's is taken in its place.
"""

from typing import TYPE_CHECKING, Any

from ollapy.settings.terminal import (
    editor,
    has_colours,
    has_escapes,
    is_completing,
)

if TYPE_CHECKING:
    from ollapy.settings.address import Address
    from ollapy.settings.settings import Settings

__all__ = [
    "Address",
    "Settings",
    "editor",
    "has_colours",
    "has_escapes",
    "is_completing",
]


def __getattr__(name: str) -> Any:
    """Settings and Address once they are asked for: a quarter of what `ollapy --help` takes, which needs neither."""
    if name == "Settings":
        from ollapy.settings.settings import Settings

        return Settings
    if name == "Address":
        from ollapy.settings.address import Address

        return Address
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
